"""Stored messages as the two other shapes of the HTTP protocol: model messages and UI messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra.types.message_prompt import denial
from mastra.types.messages import Message, Part
from mastra.types.times import to_wire

_Json = dict[str, Any]


def to_model_wire(messages: Iterable[Message]) -> list[_Json]:
    """The messages as the AI SDK's model messages."""
    out: list[_Json] = []
    for message in messages:
        if message.role in {"assistant", "tool"}:
            _assistant(message, out)
        elif message.role == "system":
            out.append({"role": "system", "content": message.text})
        else:
            out.append({"role": "user", "content": [said for part in message.parts if (said := _said(part))]})
    return out


def _said(part: Part) -> _Json | None:
    kind = part.get("type")
    if kind == "text":
        out: _Json = {"type": "text", "text": part.get("text", "")}
    elif kind == "file":
        out = {"type": "file", "data": part.get("data", ""), "mediaType": part.get("mimeType", "")}
        if "filename" in part:
            out["filename"] = part["filename"]
    elif kind == "reasoning":
        details = part.get("details") or ({"text": part.get("reasoning", "")},)
        out = {"type": "reasoning", "text": "".join(detail.get("text", "") for detail in details)}
    else:
        return None
    if "createdAt" in part:
        out["providerOptions"] = {"mastra": {"createdAt": part["createdAt"]}}
    return out


def content_part(part: Part) -> _Json | None:
    """One part of an assistant's message, as model messages write it; an open call keeps its time."""
    if part.get("type") != "tool-invocation":
        return _said(part)
    call = part["toolInvocation"]
    out: _Json = {
        "type": "tool-call",
        "toolCallId": call["toolCallId"],
        "toolName": call["toolName"],
        "input": call.get("args", {}),
    }
    if call["state"] == "call" and "createdAt" in part:
        out["providerOptions"] = {"mastra": {"createdAt": part["createdAt"]}}
    elif "providerMetadata" in part:
        out["providerOptions"] = part["providerMetadata"]
    return out


def result_part(part: Part) -> _Json | None:
    """The result in a finished tool invocation, as model messages write it; None while it is open."""
    call = part.get("toolInvocation")
    if call is None or call["state"] not in ("result", "output-denied"):
        return None
    out: _Json = {
        "type": "tool-result",
        "toolCallId": call["toolCallId"],
        "toolName": call["toolName"],
        "output": _output(call),
        "input": call.get("args", {}),
    }
    if "providerMetadata" in part:  # what the model reads instead stands beside the result
        out["providerOptions"] = part["providerMetadata"]
    return out


def _output(call: _Json) -> _Json:
    if call["state"] == "output-denied":
        return {"type": "text", "value": denial(call.get("approval") or {})}
    result = call.get("result")
    kind = "text" if isinstance(result, str) else "json"
    return {"type": f"error-{kind}" if call.get("isError") else kind, "value": result}


def _assistant(message: Message, out: list[_Json]) -> None:
    content: list[_Json] = []
    results: list[_Json] = []
    open_calls = False

    def close() -> None:
        nonlocal content, results, open_calls
        if content:
            out.append({"role": "assistant", "content": content})
        if results or open_calls:
            out.append({"role": "tool", "content": results})
        content, results, open_calls = [], [], False

    for part in message.parts:
        if part.get("type") == "tool-invocation":
            made = content_part(part)
            assert made is not None
            content.append(made)
            result = result_part(part)
            if result is None:
                open_calls = True
            else:
                results.append(result)
            continue
        if part.get("type") == "step-start" or results or open_calls:
            close()
        made = _said(part)
        if made is not None:
            content.append(made)
    close()


def to_ui_wire(messages: Iterable[Message]) -> list[_Json]:
    """The messages as the AI SDK's UI messages."""
    return [
        {
            "id": message.id,
            "role": message.role,
            "metadata": _ui_metadata(message),
            "parts": [_ui_part(part) for part in message.parts],
        }
        for message in messages
    ]


def _ui_metadata(message: Message) -> _Json:
    out = {**message.extra.get("metadata", {}), "createdAt": to_wire(message.created_at)}
    if message.thread_id is not None:
        out["threadId"] = message.thread_id
    if message.resource_id is not None:
        out["resourceId"] = message.resource_id
    return out


def _ui_part(part: Part) -> _Json:
    kind = part.get("type")
    if kind == "tool-invocation":
        return _ui_call(part["toolInvocation"])
    if kind == "text":
        out: _Json = {"type": "text", "text": part.get("text", "")}
    elif kind == "reasoning":
        details = part.get("details") or ({"text": part.get("reasoning", "")},)
        out = {"type": "reasoning", "text": "".join(detail.get("text", "") for detail in details)}
    elif kind == "file":
        data = part.get("data", "")
        media = part.get("mimeType", "")
        url = data if "://" in data[:32] or data.startswith("data:") else f"data:{media};base64,{data}"
        return {"type": "file", "mediaType": media, "url": url}
    else:
        return dict(part)
    if "createdAt" in part:
        out["providerMetadata"] = {"mastra": {"createdAt": part["createdAt"]}}
    return out


def _ui_call(call: _Json) -> _Json:
    out: _Json = {"type": f"tool-{call['toolName']}", "toolCallId": call["toolCallId"], "input": call.get("args", {})}
    if call["state"] == "result" and call.get("isError"):
        return {**out, "errorText": str(call.get("result")), "state": "output-error"}
    if call["state"] == "result":
        return {**out, "output": call.get("result"), "state": "output-available"}
    if call["state"] == "output-denied":
        return {**out, "approval": call.get("approval"), "state": "output-denied"}
    return {**out, "state": "input-available" if call["state"] == "call" else "input-streaming"}
