"""How many tokens a message costs, roughly and at once: four characters of English are one, other scripts cost more."""

from __future__ import annotations

from typing import Any

PER_MESSAGE = 4


def estimate_tokens(row: dict[str, Any]) -> int:
    """The tokens of a stored message; tool calls and results count as their JSON."""
    total = PER_MESSAGE
    for part in row["content"].get("parts", ()):
        total += estimate_text(_text_of(part))
    return total


def _text_of(part: dict[str, Any]) -> str:
    if part.get("type") in {"text", "reasoning"}:
        return str(part.get("text") or part.get("reasoning") or "")
    if part.get("type") == "tool-invocation":
        from mastra.types.json import dumps  # noqa: PLC0415 - only tool calls need it

        return dumps(part.get("toolInvocation"))
    return str(part.get("type", ""))


def estimate_text(text: str) -> int:
    """Tokens of a text.

    >>> estimate_text("four letters each")
    5
    """
    if text.isascii():
        return (len(text) + 3) // 4
    # Letters beyond ASCII take about one token each in other scripts, half of one in accented Latin.
    wide = sum(1 for char in text if ord(char) > 0x2FF)
    return wide + (len(text) - wide + 2) // 3
