"""Retention."""

from datetime import UTC, datetime, timedelta

import pytest

from mastra.errors import BadDefinition
from mastra.runtime.retention import Retention, prune
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put, Table
from mastra.types.times import to_wire

TABLE = Table("events", ("at",))
NOW = datetime(2026, 6, 1, tzinfo=UTC)


async def test_old_rows_go_and_young_ones_stay():
    storage = MemoryStorage()
    rows = [Put(TABLE, f"k{n}", {"at": to_wire(NOW - timedelta(days=n)), "keep": n == 9}) for n in range(500)]
    await storage.write([*rows, Put(TABLE, "timeless", {})])
    rule = Retention(TABLE, "at", timedelta(days=5), {"keep": False})
    assert await prune(storage, [rule], now=NOW, dry_run=True) == {"events": 493}
    assert await storage.count(TABLE) == 501
    assert await prune(storage, [rule], now=NOW) == {"events": 493}
    assert await prune(storage, [rule], now=NOW) == {"events": 0}
    assert await storage.count(TABLE) == 8


def test_a_rule_that_cannot_work_is_refused():
    for wrong in (("at", timedelta(0)), ("other", timedelta(days=1))):
        with pytest.raises(BadDefinition):
            Retention(TABLE, *wrong)
