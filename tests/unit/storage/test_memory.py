"""Storage in memory, beyond the contract."""

from mastra.registry import open_url
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put, Table


async def test_each_url_makes_an_empty_storage():
    table = Table("t")
    first, second = open_url("mastra.storage", "memory:"), open_url("mastra.storage", "memory:")
    await first.write([Put(table, "k", {})])
    assert await second.get(table, "k") is None


async def test_its_tables_are_listed_by_tenant():
    storage = MemoryStorage()
    await storage.write([Put(Table("b", ("x",), "acme"), "k", {}), Put(Table("a"), "k", {})])
    assert await storage.tables() == [Table("a"), Table("b", ("x",), "acme")]
