"""Agent runs as AI SDK UI message streams: the parts that `useChat` of AI SDK 5 and 6 reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mastra.server.sse import DONE, dumps

if TYPE_CHECKING:
    from mastra.runtime.stream import RunStream
    from mastra.types.chunks import Chunk

HEADER = (b"x-vercel-ai-ui-message-stream", b"v1")


def parts_of(chunk: Chunk) -> list[dict[str, Any]]:
    """The parts of the UI stream that a chunk of a run stands for."""
    kind, data = chunk.type, chunk.payload if isinstance(chunk.payload, dict) else {}
    if kind == "start":
        return [{"type": "start", "messageId": data.get("messageId", "")}]
    if kind in {"step-start", "step-finish"}:
        return [{"type": "start-step" if kind == "step-start" else "finish-step"}]
    if kind in {"text-start", "text-end", "reasoning-start", "reasoning-end"}:
        return [{"type": kind, "id": data["id"]}]
    if kind in {"text-delta", "reasoning-delta"}:
        return [{"type": kind, "id": data["id"], "delta": data["text"]}]
    if kind == "finish":
        return [{"type": "finish", "finishReason": data.get("stepResult", {}).get("reason", "stop")}]
    if kind == "error":
        error = data.get("error")
        return [{"type": "error", "errorText": error.get("message", "error") if isinstance(error, dict) else "error"}]
    if kind.startswith("data-"):
        return [{"type": kind, **{key: data[key] for key in ("id", "data", "transient") if key in data}}]
    return _tool(kind, data)


def _tool(kind: str, data: dict[str, Any]) -> list[dict[str, Any]]:
    call = {"toolCallId": data.get("toolCallId", "")}
    if kind == "tool-call-input-streaming-start":
        return [{"type": "tool-input-start", **call, "toolName": data["toolName"]}]
    if kind == "tool-call-delta":
        return [{"type": "tool-input-delta", **call, "inputTextDelta": data["argsTextDelta"]}]
    if kind == "tool-call":
        return [{"type": "tool-input-available", **call, "toolName": data["toolName"], "input": data.get("args")}]
    if kind == "tool-result":
        return [{"type": "tool-output-available", **call, "output": data.get("result")}]
    if kind == "tool-error":
        error = data.get("error")
        text = error.get("message", "error") if isinstance(error, dict) else "error"
        return [{"type": "tool-output-error", **call, "errorText": text}]
    if kind == "tool-output-denied":
        return [{"type": "tool-output-denied", **call}]
    if kind == "tool-call-approval":
        return [{"type": "tool-approval-request", **call, "approvalId": call["toolCallId"]}]
    if kind == "source" and data.get("sourceType") == "url":
        return [{"type": "source-url", "sourceId": data["id"], "url": data["url"], "title": data.get("title")}]
    return []


async def ui_body(run: RunStream[Any]) -> AsyncIterator[bytes]:
    """A run as the server-sent events of the UI stream."""
    async with run:
        while batch := await run.take():
            found = [part for chunk in batch for part in parts_of(chunk)]
            if found:
                yield b"".join([b"data: " + dumps(part) + b"\n\n" for part in found])
        yield DONE
