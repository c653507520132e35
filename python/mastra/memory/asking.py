"""Asking a model about what was said: one request, one text, outside of any run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.types.messages import Message
from mastra.types.model import ModelRequest, TextDelta
from mastra.types.prompt import SystemMessage, TextPart, UserMessage

if TYPE_CHECKING:
    from mastra.runtime.models import ModelSpec

MAX_SHOWN, MAX_RESULT = 8_000, 500


async def ask(model: ModelSpec, instructions: str, text: str) -> str:
    """What the model answers."""
    from mastra.runtime.models import resolve_model  # noqa: PLC0415 - brings the model side

    request = ModelRequest(messages=(SystemMessage(instructions), UserMessage((TextPart(text),))))
    deltas = resolve_model(model).stream(request)
    return "".join([delta.text async for delta in deltas if isinstance(delta, TextDelta)])


def shown(row: dict[str, Any]) -> str:
    """A stored message as a model reads it: its text, and which tools were called with what result."""
    parts = [Message.from_wire(row).text]
    for part in row["content"].get("parts", ()):
        call = part.get("toolInvocation") if part.get("type") == "tool-invocation" else None
        if isinstance(call, dict):
            parts.append(f"(called {call.get('toolName')}, result {str(call.get('result'))[:MAX_RESULT]})")
    return " ".join(part for part in parts if part)[:MAX_SHOWN]
