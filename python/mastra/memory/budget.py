"""How many tokens a stored message costs, roughly and at once."""

from __future__ import annotations

from typing import Any

from mastra.native.tokens import estimate_tokens

PER_MESSAGE = 4


def row_tokens(row: dict[str, Any]) -> int:
    """The tokens of a stored message; tool calls and results count as their JSON."""
    return PER_MESSAGE + sum(estimate_tokens(_text_of(part)) for part in row["content"].get("parts", ()))


def _text_of(part: dict[str, Any]) -> str:
    if part.get("type") in {"text", "reasoning"}:
        return str(part.get("text") or part.get("reasoning") or "")
    if part.get("type") == "tool-invocation":
        from mastra.types.json import dumps  # noqa: PLC0415 - only tool calls need it

        return dumps(part.get("toolInvocation"))
    return str(part.get("type", ""))
