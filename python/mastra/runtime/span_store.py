"""Spans in storage: written by telemetry, read as traces."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, NotFound
from mastra.ports.exporter import Exporter
from mastra.types.records import Delete, Filter, Operation, Order, Put, Table
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.types.spans import SpanRecord

log = logging.getLogger("mastra.telemetry")
Row = dict[str, Any]
SPANS = Table(
    "spans",
    indexes=("traceId", "root", "spanType", "entityId", "entityName", "runId", "threadId", "resourceId", "startedAt"),
)
# What the light form of a span leaves out.
HEAVY = ("input", "output", "attributes")


def span_row(record: SpanRecord) -> Row:
    """A span as it is stored and shown."""
    now = to_wire(datetime.now(UTC))
    error = record.error
    return {
        "traceId": record.trace_id,
        "spanId": record.span_id,
        "parentSpanId": record.parent_span_id,
        "name": record.name,
        "spanType": record.type,
        "isEvent": record.is_event,
        "entityType": record.entity_type,
        "entityId": record.entity_id,
        "entityName": record.entity_name,
        "runId": record.run_id,
        "threadId": record.thread_id,
        "resourceId": record.resource_id,
        "attributes": record.attributes or None,
        "metadata": record.metadata,
        "tags": list(record.tags) or None,
        "input": record.input,
        "output": record.output,
        "error": error,
        "startedAt": to_wire(record.started_at),
        "endedAt": None if record.ended_at is None else to_wire(record.ended_at),
        "createdAt": now,
        "updatedAt": now,
        "status": "error" if error else "success" if record.ended_at is not None else "running",
        "root": record.parent_span_id is None or record.remote_parent,
    }


def shown(row: Row) -> Row:
    """A row without what only storage needs."""
    return {key: value for key, value in row.items() if key != "root"}


def light(row: Row) -> Row:
    """A row without its large fields."""
    return {key: value for key, value in row.items() if key != "root" and key not in HEAVY}


def _depth(span_id: str, parents: dict[str, str | None]) -> int:
    """How many spans of the trace are around one. Many begin in the millisecond in which their parent did."""
    seen: set[str] = set()
    above = parents.get(span_id)
    while above is not None and above in parents and above not in seen:
        seen.add(above)
        above = parents[above]
    return len(seen)


class SpanStore(Exporter):
    """Spans over any storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def export(self, spans: Sequence[SpanRecord]) -> None:
        """Write these spans in one batch."""
        batch: list[Operation] = [Put(SPANS, f"{one.trace_id}/{one.span_id}", span_row(one)) for one in spans]
        try:
            await self._storage.write(batch)
        except InvalidInput as error:
            # One span that cannot be stored (it is too large, say) must not cost the others of its group.
            if len(batch) > 1:
                for one in spans:
                    await self.export([one])
                return
            log.warning("the span %s of trace %s cannot be stored: %s", spans[0].name, spans[0].trace_id, error)

    async def trace(self, trace_id: str) -> list[Row]:
        """All spans of a trace, in the order they began, parents first; `NotFound` for an unknown one."""
        rows = await self._all({"traceId": trace_id})
        if not rows:
            raise NotFound(f"Trace with ID '{trace_id}' not found")
        parents = {row["spanId"]: row["parentSpanId"] for row in rows}
        return sorted(rows, key=lambda row: (row["startedAt"], _depth(row["spanId"], parents)))

    async def span(self, trace_id: str, span_id: str) -> Row:
        """One span."""
        row = await self._storage.get(SPANS, f"{trace_id}/{span_id}")
        if row is None:
            raise NotFound(f"Span with ID '{span_id}' not found in trace '{trace_id}'")
        return row

    async def _all(self, where: Filter) -> list[Row]:
        rows: list[Row] = []
        after = None
        while True:
            page = await self._storage.scan(SPANS, where, after=after, limit=1_000)
            rows += [record.value for record in page.records]
            after = page.after
            if after is None:
                return rows

    async def find(
        self, where: Filter, *, page: int = 0, per_page: int = 100, field: str = "startedAt", descending: bool = True
    ) -> tuple[list[Row], int]:
        """One page of the spans that match, newest first, and how many there are."""
        total = await self._storage.count(SPANS, where)
        order = Order("startedAt" if field not in SPANS.indexes else field, descending=descending)
        rows: list[Row] = []
        after, skip = None, page * per_page
        while len(rows) < per_page:
            found = await self._storage.scan(SPANS, where, order=order, after=after, limit=min(1_000, skip + per_page))
            values = [record.value for record in found.records]
            rows += values[skip:]
            skip = max(0, skip - len(values))
            after = found.after
            if after is None:
                break
        return rows[:per_page], total

    async def delete(self, trace_ids: Sequence[str]) -> None:
        """Remove whole traces."""
        for trace_id in trace_ids:
            rows = await self._all({"traceId": trace_id})
            await self._storage.write([Delete(SPANS, f"{trace_id}/{row['spanId']}") for row in rows])

    async def names(self, field: str) -> list[str]:
        """The values that a field has in the newest spans, sorted."""
        rows, _ = await self.find({field: {"$ne": None}} if field in SPANS.indexes else {}, per_page=5_000)
        found = {row.get(field) for row in rows}
        return sorted(value for value in found if isinstance(value, str))
