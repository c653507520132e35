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
        if not log.hasHandlers():
            # Nobody has set up logging: who asked for this exporter wants to see something all the same.
            log.addHandler(logging.StreamHandler())
            log.setLevel(logging.INFO)
        for one in spans:
            took = (one.ended_at - one.started_at).total_seconds() * 1000 if one.ended_at else 0.0
            state = f"failed: {_line(one.error.get('message', ''))}" if one.error else "ok"
            log.info("%s %s %.1f ms %s trace=%s", one.type, _line(one.name), took, state, one.trace_id)


def _line(text: object) -> str:
    """`text` without breaks, so that a span stays one line and no text can pass for another one."""
    return " ".join(str(text).split())
