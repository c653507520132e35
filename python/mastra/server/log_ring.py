"""The newest log records of this process, kept in memory so that a client can read them, joined by trace and run."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from typing import Any

from mastra.runtime.tracing import current_span
from mastra.types.times import to_wire

KEEP = 2_000
TRANSPORT = "memory"


class LogRing(logging.Handler):
    """Keeps records as data. Attached to the logger `mastra` while a server runs."""

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(logging.INFO)
        self.records: deque[dict[str, Any]] = deque(maxlen=keep)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; its stack stays in the log of the machine."""
        row: dict[str, Any] = {
            "level": record.levelname.lower(),
            "msg": record.getMessage()[:4_000],
            "name": record.name,
            "time": to_wire(datetime.fromtimestamp(record.created, UTC)),
        }
        run_id = getattr(record, "run_id", None)
        if isinstance(run_id, str):
            row["runId"] = run_id
        span = current_span()
        if span is not None:
            row["traceId"] = span.trace_id
        self.records.append(row)

    def find(
        self,
        *,
        run_id: str | None = None,
        level: str | None = None,
        start: str | None = None,
        end: str | None = None,
        filters: dict[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """The records that fit, newest first."""
        least = getattr(logging, level.upper(), logging.INFO) if level else 0
        found = []
        for row in reversed(self.records):
            if run_id is not None and row.get("runId") != run_id and run_id not in row["msg"]:
                continue
            if getattr(logging, row["level"].upper(), 0) < least:
                continue
            if (start is not None and row["time"] < start) or (end is not None and row["time"] > end):
                continue
            if filters and any(str(row.get(key, "")) != value for key, value in filters.items()):
                continue
            found.append(row)
        return found
