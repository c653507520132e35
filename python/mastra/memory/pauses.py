"""Long pauses in a conversation, told to the model: it cannot see the clock between two messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mastra.types.messages import Message

# Shorter pauses say nothing.
PAUSE = timedelta(minutes=10)
_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def length_of(pause: timedelta) -> str:
    """The pause in words.

    >>> length_of(timedelta(hours=49))
    '2 days'
    """
    for unit, name in _UNITS:
        count = pause // unit
        if count:
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return "a moment"


def marked(messages: Sequence[Message]) -> list[Message]:
    """The messages, with a line before what a user said after a long pause."""
    out: list[Message] = []
    last: datetime | None = None
    for message in messages:
        pause = timedelta(0) if last is None else message.created_at - last
        last = message.created_at
        if message.role == "user" and pause >= PAUSE:
            line = {"type": "text", "text": f"[{length_of(pause)} later]"}
            out.append(replace(message, parts=(line, *message.parts)))
        else:
            out.append(message)
    return out


def since(messages: Sequence[Message], now: datetime) -> str | None:
    """What the model is told when the conversation goes on after a long pause."""
    pause = now - messages[-1].created_at if messages else timedelta(0)
    return f"The last message before this turn was {length_of(pause)} ago." if pause >= PAUSE else None
