"""Answers that are not JSON: raw bytes, and streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

EVENT_STREAM = b"text/event-stream"
RECORDS = b"text/plain"


@dataclass(slots=True)
class Raw:
    """Bytes with a content type."""

    body: bytes
    content_type: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Stream:
    """What to write piece by piece. `beats`: comments may be written while it is quiet."""

    body: AsyncIterator[bytes]
    content_type: bytes = EVENT_STREAM
    beats: bool = True
    headers: tuple[tuple[bytes, bytes], ...] = ()
