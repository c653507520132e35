"""Scans of servers that are read a page at a time: the next page begins after the last row of the one before."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeAlias

from mastra.ports.storage import Storage
from mastra.storage.plans import Plan, begin_scan, plan
from mastra.storage.rows import encode_cursor
from mastra.types.filters import Matcher, compile_filter
from mastra.types.records import Filter, Order, Page, Record, Table

# The key of the last row, and its value of the ordered field.
Place: TypeAlias = tuple[str, Any]
CHUNK = 500


class KeysetStorage(Storage):
    """Storage that finds rows by a `Plan` from a place on; what the plan leaves open is tried on the rows here."""

    @abstractmethod
    async def ready(self, table: Table) -> None:
        """Connected, and the table declared."""

    @abstractmethod
    async def find(
        self, table: Table, chosen: Plan, order: Order | None, place: Place | None, limit: int
    ) -> list[Record]:
        """At most `limit` rows that meet the plan's conditions, after `place`, in order."""

    @abstractmethod
    async def count_exact(self, table: Table, chosen: Plan) -> int:
        """How many rows meet the plan's conditions."""

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Rows that match `where`, ordered, from the cursor on."""
        matcher, chosen, place = begin_scan(table, where, order, after, limit)
        await self.ready(table)
        records: list[Record] = []
        while len(records) <= limit:
            wanted = limit + 1 - len(records) if chosen.exact else CHUNK
            found = await self.find(table, chosen, order, place, wanted)
            records += [record for record in found if chosen.exact or matcher(record.value)]
            if len(found) < wanted:
                break
            place = place_of(found[-1], order)
        if len(records) <= limit:
            return Page(records)
        key, value = place_of(records[limit - 1], order)
        return Page(records[:limit], encode_cursor(order, value, key))

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """How many rows match."""
        matcher = compile_filter(where)
        chosen = plan(table, where, None)
        await self.ready(table)
        if chosen.exact:
            return await self.count_exact(table, chosen)
        return await self._count_matching(table, chosen, matcher)

    async def _count_matching(self, table: Table, chosen: Plan, matcher: Matcher) -> int:
        total = 0
        place: Place | None = None
        while True:
            found = await self.find(table, chosen, None, place, CHUNK)
            total += sum(1 for record in found if matcher(record.value))
            if len(found) < CHUNK:
                return total
            place = place_of(found[-1], None)


def place_of(record: Record, order: Order | None) -> Place:
    """Where a page ends that has this row as its last."""
    return record.key, record.value.get(order.field) if order else None
