"""Messages as OpenAI's chat completions and AG-UI write them, turned into messages that agents read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mastra.errors import InvalidInput
from mastra.types.json import loads

_ROLES = {"developer": "system", "function": "tool"}
# Roles whose messages are for the page alone.
_UNSEEN = frozenset({"activity", "reasoning"})


def read_chat(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with calls and results of tools, and with files, as parts."""
    out = []
    for index, one in enumerate(messages):
        given = one.get("role")
        if given in _UNSEEN:
            continue
        role = _ROLES.get(str(given), given)
        where = f"messages[{index}]"
        if role == "tool":
            content: list[dict[str, Any]] = [_result(one, where)]
        else:
            content = [*_parts(one.get("content"), where), *_calls(one, where)]
        if not content:
            continue
        out.append({"role": role, "content": content, **({"id": one["id"]} if isinstance(one.get("id"), str) else {})})
    return out


def newest(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What came after the last answer: an agent with a memory knows what was before."""
    last = max((index for index, one in enumerate(messages) if one.get("role") == "assistant"), default=-1)
    return list(messages[last + 1 :]) or list(messages[-1:])


def client_tools(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tools that the caller runs itself; OpenAI wraps each in a function."""
    out = {}
    for index, one in enumerate(tools):
        told = one.get("function", one)
        name = told.get("name") if isinstance(told, Mapping) else None
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"tools[{index}] has no name.")
        schema = told.get("parameters") or {"type": "object", "properties": {}}
        out[name] = {"id": name, "description": told.get("description") or "", "inputSchema": schema}
    return out


def _calls(one: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    calls = one.get("tool_calls") or one.get("toolCalls") or ()
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        raise InvalidInput(f"{where} has tool calls that are no list.")
    out = []
    for index, call in enumerate(calls):
        told = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(told, Mapping) or not isinstance(call.get("id"), str):
            raise InvalidInput(f"{where} has a tool call without an id or a function.")
        try:
            args = loads(str(told.get("arguments") or "{}"))
        except ValueError:
            raise InvalidInput(f"{where}, tool call {index}: the arguments are no JSON.") from None
        out.append({"type": "tool-call", "toolCallId": call["id"], "toolName": str(told.get("name", "")), "args": args})
    return out


def _result(one: Mapping[str, Any], where: str) -> dict[str, Any]:
    call_id = one.get("tool_call_id") or one.get("toolCallId")
    if not isinstance(call_id, str):
        raise InvalidInput(f"{where} does not say which call it answers.")
    failed = one.get("error")
    text = failed if isinstance(failed, str) else _text(one.get("content"))
    part: dict[str, Any] = {"type": "tool-result", "toolCallId": call_id, "toolName": one.get("name") or ""}
    return {**part, "result": text, **({"isError": True} if failed else {})}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


def _parts(content: Any, where: str) -> list[dict[str, Any]]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, Sequence):
        raise InvalidInput(f"{where}.content is a {type(content).__name__}.", hint="Use a text or a list of parts.")
    return [_part(part, f"{where}.content[{index}]") for index, part in enumerate(content)]


def _part(part: Any, where: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in {"text", "input_text", "output_text", "refusal"}:
        return {"type": "text", "text": str(part.get("text", part.get("refusal", "")))}
    if kind == "image_url":
        url = part.get("image_url")
        return {"type": "image", "image": url.get("url", "") if isinstance(url, Mapping) else str(url or "")}
    if kind == "input_image":
        return {"type": "image", "image": str(part.get("image_url", ""))}
    if kind == "input_audio" and isinstance(part.get("input_audio"), Mapping):
        told = part["input_audio"]
        return {"type": "file", "data": told.get("data", ""), "mediaType": f"audio/{told.get('format', 'wav')}"}
    if kind == "file" and isinstance(part.get("file"), Mapping):
        told = part["file"]
        return {"type": "file", "data": told.get("file_data", ""), "filename": told.get("filename")}
    if kind in {"image", "audio", "video", "document"} and isinstance(part.get("source"), Mapping):
        source = part["source"]
        media = source.get("mimeType") or ("image/*" if kind == "image" else "")
        return {"type": "file", "data": source.get("value", ""), "mediaType": media}
    raise InvalidInput(f"{where} is of no known type.", hint="Use text, image_url, input_audio or file.")
