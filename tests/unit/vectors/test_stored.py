"""Vectors in storage: durable, shared between processes, swept."""

import asyncio

import pytest

from mastra.ports.vectors import VectorRow
from mastra.registry import open_url
from mastra.storage.memory import MemoryStorage
from mastra.vectors import stored
from mastra.vectors.stored import ROWS, StoredVectors


async def ids(store, **options):
    return [match.id for match in await store.query("c", [1, 0], **options)]


async def test_rows_are_there_after_closing_and_opening(tmp_path):
    store = open_url("mastra.vectors", f"sqlite:///{tmp_path}/v.db")
    await store.open()
    await store.create("c", 2)
    await store.upsert("c", [VectorRow("a", [1, 0], {"n": 1}, "text"), VectorRow("b", [0, 1])])
    await store.delete("c", ["b"])
    await store.close()
    await store.open()
    [match] = await store.query("c", [1, 0])
    assert (match.id, match.metadata, match.document) == ("a", {"n": 1}, "text")
    await store.close()


async def test_two_processes_see_each_others_rows():
    storage = MemoryStorage()
    one, two = StoredVectors(storage), StoredVectors(storage)
    await one.create("c", 2)
    await one.upsert("c", [VectorRow("a", [1, 0])])
    assert await ids(two) == ["a"]
    await two.upsert("c", [VectorRow("b", [1, 1])])
    await two.delete("c", ["a"])
    assert await ids(one) == ["b"]
    await one.drop("c")
    await one.create("c", 2)
    await one.upsert("c", [VectorRow("new", [1, 0])])
    assert await ids(two) == ["new"]


async def test_a_glance_asks_nobody_and_can_be_told_from_what_there_is():
    storage = MemoryStorage()
    one, two = StoredVectors(storage), StoredVectors(storage)

    async def glanced():
        return [match.id for match in await one.glance("c", [1, 0]) or []]

    assert await one.glance("c", [1, 0]) is None
    assert not await one.is_current("c")
    await one.create("c", 2)
    await one.upsert("c", [VectorRow("a", [1, 0], {"n": 1})])
    assert await glanced() == ["a"]
    assert await one.glance("c", [1, 0], where={"n": 2}) == []
    assert await one.is_current("c")
    await two.upsert("c", [VectorRow("b", [1, 1])])
    assert await glanced() == ["a"]
    assert not await one.is_current("c")
    assert await ids(one) == ["a", "b"]
    assert await one.is_current("c")
    await two.drop("c")
    assert not await one.is_current("c")


async def test_writers_at_the_same_time_lose_nothing():
    storage = MemoryStorage()
    stores = [StoredVectors(storage) for _ in range(4)]
    await stores[0].create("c", 2)
    await asyncio.gather(
        *(
            store.upsert("c", [VectorRow(f"{who}-{turn}", [1, turn + 1])])
            for who, store in enumerate(stores)
            for turn in range(8)
        )
    )
    for store in stores:
        assert len(await ids(store, k=100)) == 32


@pytest.fixture
def _early_sweep(monkeypatch):
    monkeypatch.setattr(stored, "SWEEP", 3)


@pytest.mark.usefixtures("_early_sweep")
async def test_marks_of_removed_rows_are_swept_and_who_missed_them_begins_afresh():
    storage = MemoryStorage()
    one, late = StoredVectors(storage), StoredVectors(storage)
    await one.create("c", 2)
    await one.upsert("c", [VectorRow(f"r{n}", [1, n]) for n in range(10)])
    assert len(await ids(late, k=20)) == 10
    await one.delete("c", [f"r{n}" for n in range(8)])
    assert await storage.count(ROWS) == 2
    assert sorted(await ids(late, k=20)) == ["r8", "r9"]


async def test_dropped_indexes_leave_no_rows():
    storage = MemoryStorage()
    store = StoredVectors(storage)
    await store.create("c", 2)
    await store.upsert("c", [VectorRow(f"r{n}", [1, n]) for n in range(700)])
    await store.drop("c")
    assert await storage.count(ROWS) == 0
