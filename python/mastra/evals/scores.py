"""ScoreRepo: stored scores, by run, scorer, entity or span; the same on every storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.types.ids import new_id
from mastra.types.records import Order, Put, Table
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.runtime.services import Services

SCORES = Table("scores", ("runId", "scorerId", "entityId", "entityType", "traceId", "spanId", "createdAt", "source"))


class ScoreRepo:
    """Scores in a storage."""

    def __init__(self, storage: Storage, services: Services | None = None) -> None:
        self._storage = storage
        self._services = services

    async def save(self, score: dict[str, Any]) -> dict[str, Any]:
        """Store a score; an id and times are added where they are missing. The stored row."""
        if not isinstance(score.get("scorerId"), str):
            raise InvalidInput("A score needs a scorerId.", issues=[{"field": "scorerId", "message": "is required"}])
        value = score.get("score")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InvalidInput("A score is a number.", issues=[{"field": "score", "message": "must be a number"}])
        from mastra.runtime.clock import SYSTEM_CLOCK  # noqa: PLC0415 - only without an application

        clock = SYSTEM_CLOCK if self._services is None else self._services.clock
        now = to_wire(clock.now())
        row = {"id": new_id(), "createdAt": now, **score, "updatedAt": now}
        await self._storage.write([Put(SCORES, row["id"], row)])
        return row

    async def get(self, score_id: str) -> dict[str, Any] | None:
        """A score by its id."""
        return await self._storage.get(SCORES, score_id)

    async def list(
        self,
        *,
        run_id: str | None = None,
        scorer_id: str | None = None,
        entity_id: str | None = None,
        entity_type: str | None = None,
        trace_id: str | None = None,
        span_id: str | None = None,
        page: int = 0,
        per_page: int = 10,
    ) -> dict[str, Any]:
        """Scores, newest first: {"pagination": {...}, "scores": [...]}."""
        if page < 0 or not 1 <= per_page <= 1000:
            raise InvalidInput("page must be 0 or more and per_page 1 to 1000.")
        asked = {
            "runId": run_id,
            "scorerId": scorer_id,
            "entityId": entity_id,
            "entityType": entity_type,
            "traceId": trace_id,
            "spanId": span_id,
        }
        where = {key: value for key, value in asked.items() if value is not None} or None
        total = await self._storage.count(SCORES, where)
        newest = Order("createdAt", descending=True)
        left = page * per_page
        after: str | None = None
        scores: list[dict[str, Any]] = []
        while len(scores) < per_page:
            found = await self._storage.scan(SCORES, where, order=newest, after=after, limit=min(1000, left + per_page))
            rows = [value for _, value in found.records]
            scores.extend(rows[left:])
            left = max(0, left - len(rows))
            after = found.after
            if after is None:
                break
        scores = scores[:per_page]
        seen = page * per_page + len(scores)
        pagination = {"total": total, "page": page, "perPage": per_page, "hasMore": seen < total}
        return {"pagination": pagination, "scores": scores}
