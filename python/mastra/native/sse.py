"""Streams of text cut into events: server-sent events, 0x1E records, newline-delimited JSON."""

from __future__ import annotations

from mastra.native.events import SseEvent

try:
    from mastra._core import NdjsonParser, RecordParser, SseParser
except ImportError:
    # The pure-Python twins have the same signatures; mypy sees two classes of one name.
    from mastra.native.fallback.sse import (  # type: ignore[assignment]
        NdjsonParser,
        RecordParser,
        SseParser,
    )

__all__ = ["NdjsonParser", "RecordParser", "SseEvent", "SseParser"]
