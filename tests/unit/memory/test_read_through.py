"""Threads and messages through a cache: never older than the last write, and there when the cache is not."""

import asyncio

import pytest

from mastra.caches.lru import LruCache
from mastra.errors import CacheError, Conflict
from mastra.memory.memory import Memory
from mastra.memory.read_through import ReadThrough
from mastra.memory.tables import MESSAGES, THREADS
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.testing.contracts.storage import CHECKS
from mastra.types.records import Delete, Expect, Put, Table


class Counting(MemoryStorage):
    """Counts the rows that were asked for, and may be slow to answer."""

    def __init__(self):
        super().__init__()
        self.asked: list[str] = []
        self.go: asyncio.Event | None = None

    async def get_many(self, table, keys):
        self.asked += keys
        rows = await super().get_many(table, keys)
        if self.go is not None:
            await self.go.wait()
        return rows


class Away(LruCache):
    """A cache whose server is gone."""

    async def get(self, key):
        raise CacheError("away")

    async def set(self, key, value, *, ttl_s=None):
        raise CacheError("away")


@pytest.mark.parametrize("sentence", [sentence for sentence in CHECKS if "claim" not in sentence])
async def test_the_contract_of_storage_holds(sentence):
    await CHECKS[sentence](ReadThrough(MemoryStorage(), LruCache()))


async def test_a_row_is_read_once_until_it_changes(monkeypatch):
    monkeypatch.setattr("mastra.memory.read_through.MARK_S", 0.02)
    inner = Counting()
    storage = ReadThrough(inner, LruCache())
    await inner.write([Put(MESSAGES, "m1", {"n": 1}), Put(THREADS, "t1", {"n": 1})])
    for _ in range(3):
        assert await storage.get_many(MESSAGES, ["m1", "none", "m1"]) == {"m1": {"n": 1}}
        assert await storage.get(THREADS, "t1") == {"n": 1}
    assert inner.asked == ["m1", "none", "t1", "none", "none"]
    await storage.write([Put(MESSAGES, "m1", {"n": 2}), Delete(THREADS, "t1")])
    assert await storage.get(MESSAGES, "m1") == {"n": 2}
    assert await storage.get(THREADS, "t1") is None
    await asyncio.sleep(0.05)
    inner.asked.clear()
    for _ in range(3):
        assert await storage.get(MESSAGES, "m1") == {"n": 2}
    assert inner.asked == ["m1"], "after a while it is kept again"


async def test_a_reader_that_is_slower_than_a_writer_does_not_bring_the_old_row_back():
    inner, cache = Counting(), LruCache()
    one, other = ReadThrough(inner, cache), ReadThrough(inner, cache)
    await inner.write([Put(MESSAGES, "m", {"n": 1})])
    go = inner.go = asyncio.Event()
    reader = asyncio.create_task(one.get(MESSAGES, "m"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await other.write([Put(MESSAGES, "m", {"n": 2})])
    go.set()
    assert await reader == {"n": 1}
    assert await one.get(MESSAGES, "m") == {"n": 2}


async def test_tenants_and_other_tables_are_kept_apart():
    inner, cache = Counting(), LruCache()
    storage = ReadThrough(inner, cache)
    mine, theirs = Table("threads", THREADS.indexes, "a"), Table("threads", THREADS.indexes, "b")
    await storage.write([Put(mine, "t", {"who": "a"}), Put(theirs, "t", {"who": "b"})])
    for _ in range(2):
        assert [await storage.get(table, "t") for table in (mine, theirs)] == [{"who": "a"}, {"who": "b"}]
    other = Table("others")
    await storage.write([Put(other, "k", {})])
    await storage.get(other, "k")
    await storage.get(other, "k")
    assert inner.asked.count("k") == 2


async def test_a_failed_write_leaves_nothing_that_is_wrong():
    storage = ReadThrough(Counting(), LruCache())
    await storage.write([Put(MESSAGES, "m", {"n": 1})])
    with pytest.raises(Conflict):
        await storage.write([Expect(MESSAGES, "m", {"n": 5}), Put(MESSAGES, "m", {"n": 2})])
    assert await storage.get(MESSAGES, "m") == {"n": 1}


async def test_without_the_cache_everything_goes_on(caplog):
    storage = ReadThrough(Counting(), Away())
    await storage.write([Put(MESSAGES, "m", {"n": 1})])
    assert await storage.get(MESSAGES, "m") == {"n": 1}
    assert "the cache is away" in caplog.text


class Shared(LruCache):
    """A cache that says it is shared, as those of Redis are."""

    is_shared = True


async def test_a_memory_uses_a_shared_cache_unless_it_is_switched_off():
    for cache, wanted, used in ((Shared(), True, True), (Shared(), False, False), (LruCache(), True, False)):
        memory = Memory(cache=wanted)
        memory.bind(Services(storage=Counting(), cache=cache))
        assert isinstance(memory.threads.storage, ReadThrough) == used
        thread = await memory.create_thread(resource_id="u")
        await memory.update_thread(thread.id, resource_id="u", title="new")
        found = await memory.get_thread(thread.id, resource_id="u")
        assert found is not None
        assert found.title == "new"
        await memory.close()
