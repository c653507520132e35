"""Spans to the log, one line each: for a look at what an application does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra.ports.exporter import Exporter

if TYPE_CHECKING:
    from mastra.types.spans import SpanRecord

log = logging.getLogger("mastra.spans")


class ConsoleExporter(Exporter):
    """Writes each span as a line of the log `mastra.spans`."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> ConsoleExporter:
        """`console:`."""
        del url, options
        return cls()

    async def export(self, spans: Sequence[SpanRecord]) -> None:
        """Log these spans."""
        for one in spans:
            took = (one.ended_at - one.started_at).total_seconds() * 1000 if one.ended_at else 0.0
            state = f"failed: {one.error.get('message', '')}" if one.error else "ok"
            log.info("%s %s %.1f ms %s trace=%s", one.type, one.name, took, state, one.trace_id)
