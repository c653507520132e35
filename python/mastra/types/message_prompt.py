"""From stored messages to what a model is sent: always a legal history, whatever was stored."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from mastra.types.messages import Message, Part
from mastra.types.prompt import (
    AssistantMessage,
    AssistantPart,
    FilePart,
    PromptMessage,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
    UserPart,
)

# What a model reads where a call was cut off: without a result providers refuse the whole history.
NO_RESULT = "The tool call was interrupted and has no result."


def to_prompt(messages: Iterable[Message]) -> list[PromptMessage]:
    """The prompt that `messages` make: every tool call is followed by its result, no message is empty."""
    out: list[PromptMessage] = []
    for message in messages:
        if message.role in {"assistant", "tool"}:
            out.extend(assistant_prompt(message.parts))
        elif message.role == "system":
            out.append(SystemMessage(message.text))
        else:
            parts = tuple(made for part in message.parts if (made := _user_part(part)) is not None)
            if parts:
                out.append(UserMessage(parts))
    return out


def _user_part(part: Part) -> UserPart | None:
    kind = part.get("type")
    if kind == "text":
        return TextPart(part.get("text", ""), part.get("providerOptions") or part.get("providerMetadata"))
    if kind == "file":
        return file_part(part)
    return None


def file_part(part: Part) -> FilePart:
    """The file of a stored part; `data` may be base64, a data URL or a URL."""
    data = part.get("data") or part.get("url") or ""
    media = part.get("mimeType") or part.get("mediaType") or "application/octet-stream"
    if data.startswith("data:"):
        head, _, body = data.partition(",")
        media = head[5:].partition(";")[0] or media
        data = body
    elif "://" in data[:32]:
        return FilePart(data, media, part.get("filename"))
    try:
        return FilePart(base64.b64decode(data, validate=True), media, part.get("filename"))
    except (binascii.Error, ValueError):
        return FilePart(data, media, part.get("filename"))


def assistant_prompt(parts: Iterable[Part]) -> list[PromptMessage]:
    """What an assistant's parts are to a model: what it said and called, each round followed by its results."""
    out: list[PromptMessage] = []
    said: list[AssistantPart] = []
    results: list[ToolResultPart] = []

    def close() -> None:
        if said:
            out.append(AssistantMessage(tuple(said)))
            said.clear()
        if results:
            out.append(ToolMessage(tuple(results)))
            results.clear()

    for part in parts:
        kind = part.get("type")
        if kind == "tool-invocation":
            call = part["toolInvocation"]
            said.append(_call(call, part))
            if not call.get("providerExecuted"):
                results.append(_result(call, part))
            continue
        if kind == "step-start" or results:
            close()
        if kind == "text":
            if part.get("text"):
                said.append(TextPart(part["text"], part.get("providerOptions") or part.get("providerMetadata")))
        elif kind == "reasoning":
            said.extend(_reasoning(part))
        elif kind == "file":
            said.append(file_part(part))
    close()
    return out


def _call(call: dict[str, Any], part: Part) -> ToolCallPart:
    args = call.get("args")
    arguments = args if isinstance(args, dict) else {}
    return ToolCallPart(
        call.get("toolCallId", ""),
        call.get("toolName", ""),
        arguments,
        bool(call.get("providerExecuted")),
        part.get("providerMetadata"),
    )


def _result(call: dict[str, Any], part: Part) -> ToolResultPart:
    state = call.get("state")
    if state == "result":
        metadata = part.get("providerMetadata") or {}
        shown = metadata.get("mastra", {}).get("modelOutput")
        output = shown.get("value") if isinstance(shown, dict) else call.get("result")
        failed = bool(call.get("isError"))
    elif state == "output-denied":
        output, failed = denial(call.get("approval") or {}), True
    else:
        output, failed = NO_RESULT, True
    return ToolResultPart(call.get("toolCallId", ""), call.get("toolName", ""), output, failed)


def denial(approval: dict[str, Any]) -> str:
    """What a model reads when a call was declined."""
    return approval.get("reason") or "Tool call was not approved by the user"


def _reasoning(part: Part) -> list[ReasoningPart]:
    options = part.get("providerOptions") or part.get("providerMetadata")
    out = []
    for detail in part.get("details") or ({"type": "text", "text": part.get("reasoning") or part.get("text", "")},):
        if detail.get("type") == "redacted":
            out.append(ReasoningPart("", None, detail.get("data"), options))
        elif detail.get("text") or detail.get("signature"):
            out.append(ReasoningPart(detail.get("text", ""), detail.get("signature"), None, options))
    return out
