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
            out.append({"role": "user", "content": [said for part in message.parts for said in _said(part)]})
    return out


def _said(part: Part) -> list[_Json]:
    """A part that is no call, as model messages write it; a part of several thoughts is several."""
    kind = part.get("type")
    if kind == "file":
        out: _Json = {"type": "file", "data": part.get("data", ""), "mediaType": part.get("mimeType", "")}
        if "filename" in part:
            out["filename"] = part["filename"]
        return [_with_facts(out, part, "providerOptions")]
    return _words(part, "providerOptions")


def _words(part: Part, key: str) -> list[_Json]:
    """Texts and thoughts, with what their provider wants back under `key`; nothing for other parts."""
    if part.get("type") == "text":
        return [_with_facts({"type": "text", "text": part.get("text", "")}, part, key)]
    if part.get("type") != "reasoning":
        return []
    out = []
    for detail in part.get("details") or ({"text": part.get("reasoning", "")},):
        own = {"signature": detail.get("signature"), "redactedData": detail.get("data")}
        made = {"type": "reasoning", "text": detail.get("text", "")}
        out.append(_with_facts(made, part, key, {name: text for name, text in own.items() if text is not None}))
    return out


def _with_facts(out: _Json, part: Part, key: str, own: _Json | None = None) -> _Json:
    facts = dict(part.get("providerOptions") or part.get("providerMetadata") or {})
    mine = dict(own or {})
    if "createdAt" in part:
        mine["createdAt"] = part["createdAt"]
    if mine:
        facts["mastra"] = mine
    if facts:
        out[key] = facts
    return out


def content_part(part: Part) -> _Json | None:
    """One part of an assistant's message, as model messages write it; an open call keeps its time."""
    if part.get("type") != "tool-invocation":
        return next(iter(_said(part)), None)
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
        content.extend(_said(part))
    close()


def to_ui_wire(messages: Iterable[Message]) -> list[_Json]:
    """The messages as the AI SDK's UI messages."""
    return [
        {
            "id": message.id,
            "role": message.role,
            "metadata": _ui_metadata(message),
            "parts": [made for part in message.parts for made in _ui_parts(part)],
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


def _ui_parts(part: Part) -> list[_Json]:
    kind = part.get("type")
    if kind == "tool-invocation":
        return [_ui_call(part)]
    if kind == "file":
        data = part.get("data", "")
        media = part.get("mimeType", "")
        url = data if "://" in data[:32] or data.startswith("data:") else f"data:{media};base64,{data}"
        out = {"type": "file", "mediaType": media, "url": url}
        return [{**out, "filename": part["filename"]} if "filename" in part else out]
    return _words(part, "providerMetadata") or [dict(part)]


def _ui_call(part: Part) -> _Json:
    call = part["toolInvocation"]
    out: _Json = {"type": f"tool-{call['toolName']}", "toolCallId": call["toolCallId"], "input": call.get("args", {})}
    if "providerMetadata" in part:
        out["callProviderMetadata"] = part["providerMetadata"]
    if call["state"] == "result" and call.get("isError"):
        return {**out, "errorText": str(call.get("result")), "state": "output-error"}
    if call["state"] == "result":
        return {**out, "output": call.get("result"), "state": "output-available"}
    if call["state"] == "output-denied":
        return {**out, "approval": call.get("approval"), "state": "output-denied"}
    return {**out, "state": "input-available" if call["state"] == "call" else "input-streaming"}
