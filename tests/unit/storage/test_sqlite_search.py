"""The index of texts beside a table in SQLite."""

import apsw

from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Delete, Put, Table

TABLE = Table("rows", ("group",))


def schema(path):
    connection = apsw.Connection(str(path))
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'x_%'")}
    connection.close()
    return names


async def test_the_first_search_makes_the_index_and_it_holds_what_was_there(tmp_path):
    storage = SqliteStorage(tmp_path / "a.db")
    await storage.write([Put(TABLE, f"k{n}", {"title": f"word{n} all"}) for n in range(50)])
    assert schema(tmp_path / "a.db") == set()
    assert [record.key for record in await storage.search_text(TABLE, "title", "word7")] == ["k7"]
    assert schema(tmp_path / "a.db") > set()
    assert len(await storage.search_text(TABLE, "title", "all", limit=100)) == 50
    await storage.close()


async def test_the_index_outlives_the_process_a_compaction_and_a_backup(tmp_path):
    storage = SqliteStorage(tmp_path / "a.db")
    await storage.write([Put(TABLE, f"k{n}", {"title": f"word{n}"}) for n in range(50)])
    await storage.search_text(TABLE, "title", "x")
    await storage.write([Delete(TABLE, f"k{n}") for n in range(0, 40, 2)])
    await storage.backup(tmp_path / "b.db")
    await storage.close()
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute("VACUUM")
    connection.close()
    for name in ("a.db", "b.db"):
        again = SqliteStorage(tmp_path / name)
        await again.write([Put(TABLE, "k41", {"title": "changed"}), Delete(TABLE, "k43")])
        for word, keys in (("word49", ["k49"]), ("word41", []), ("changed", ["k41"]), ("word43", []), ("word2", [])):
            assert [record.key for record in await again.search_text(TABLE, "title", word)] == keys
        await again.integrity_check()
        await again.close()


async def test_two_processes_may_make_the_index_at_once(tmp_path):
    first, second = SqliteStorage(tmp_path / "a.db"), SqliteStorage(tmp_path / "a.db")
    await first.write([Put(TABLE, "k", {"title": "word"})])
    for storage in (first, second):
        assert len(await storage.search_text(TABLE, "title", "word")) == 1
    await first.write([Put(TABLE, "l", {"title": "word"})])
    assert len(await second.search_text(TABLE, "title", "word")) == 2
    await first.close()
    await second.close()


async def test_large_texts_and_strange_values_are_taken(tmp_path):
    storage = SqliteStorage(tmp_path / "a.db")
    await storage.search_text(TABLE, "parts[].text", "x")
    values = [{"text": "end " + "a " * 200_000}, "raw {", 1.5, None, [1], {"text": {"text": "no"}}, {"text": None}]
    await storage.write([Put(TABLE, "k", {"parts": values}), Put(TABLE, "l", {"parts": "text"})])
    assert [record.key for record in await storage.search_text(TABLE, "parts[].text", "end")] == ["k"]
    await storage.close()
