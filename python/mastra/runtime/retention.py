"""Retention: rows that are old enough are removed, a few at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mastra.errors import BadDefinition, Conflict
from mastra.ports.storage import Storage
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Table
from mastra.types.times import to_wire

BATCH = 200


@dataclass(frozen=True, slots=True)
class Retention:
    """Rows of `table` whose time in the indexed `field` is older than `age` may go; with `where`, only some."""

    table: Table
    field: str
    age: timedelta
    where: Filter | None = None

    def __post_init__(self) -> None:
        if self.age <= timedelta(0):
            raise BadDefinition("The age of a retention rule is more than nothing.")
        if self.field not in {field for entry in self.table.indexes for field in entry.split("+")}:
            raise BadDefinition(f"{self.field!r} is not an indexed field of {self.table.name!r}.")


async def prune(
    storage: Storage, rules: Sequence[Retention], *, now: datetime, dry_run: bool = False
) -> dict[str, int]:
    """Apply the rules; how many rows of each table went, or would go in a dry run."""
    removed: dict[str, int] = {}
    for rule in rules:
        old: Filter = {rule.field: {"$lt": to_wire(now - rule.age)}}
        where: Filter = {"$and": [old, rule.where]} if rule.where else old
        if dry_run:
            count = await storage.count(rule.table, where)
        else:
            count = await _remove(storage, rule, where)
        removed[rule.table.name] = removed.get(rule.table.name, 0) + count
    return removed


async def _remove(storage: Storage, rule: Retention, where: Filter) -> int:
    total = 0
    while True:
        page = await storage.scan(rule.table, where, order=Order(rule.field), limit=BATCH)
        if not page.records:
            return total
        batch: list[Operation] = []
        for record in page.records:
            # A row that was renewed since the look stays.
            batch += [Expect(rule.table, record.key, where), Delete(rule.table, record.key)]
        try:
            await storage.write(batch)
            total += len(page.records)
        except Conflict:
            await asyncio.sleep(0.01)
            continue
        await asyncio.sleep(0)
