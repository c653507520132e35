"""SQLite storage, beyond the contract: files, versions, processes, groups."""

import asyncio
import os

import apsw
import pytest

from mastra.errors import BadSetting, Conflict, StorageCorrupt, StorageUnavailable
from mastra.registry import open_url
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Expect, Order, Put, Table

TABLE = Table("things", ("status", "status+at"))


@pytest.fixture
async def storage(tmp_path):
    storage = SqliteStorage(tmp_path / "a.db")
    await storage.open()
    yield storage
    await storage.close()


def test_the_url_names_the_file():
    assert SqliteStorage.from_url("sqlite:///a.db").path == "a.db"
    assert SqliteStorage.from_url("sqlite:////tmp/my%20app.db?durability=process").path == "/tmp/my app.db"
    for wrong in (
        "sqlite:a.db",
        "sqlite://host/a.db",
        "sqlite:///",
        "sqlite:///a.db?x=1",
        "sqlite:///a.db?durability=none",
    ):
        with pytest.raises(BadSetting):
            open_url("mastra.storage", wrong)


async def test_rows_are_in_the_file_for_another_storage(storage, tmp_path):
    await storage.write([Put(TABLE, "k", {"n": 1})])
    other = SqliteStorage(tmp_path / "a.db")
    await other.open()
    await other.write([Put(TABLE, "k2", {"n": 2}), Expect(TABLE, "k", {"n": 1})])
    assert await storage.get(TABLE, "k2") == {"n": 2}
    await other.close()


async def test_writes_that_wait_together_share_a_commit_and_fail_alone(storage):
    await storage.write([Put(TABLE, "k", {"n": 0})])
    results = await asyncio.gather(
        *(
            storage.write(
                [Expect(TABLE, "k", None if index % 3 == 0 else {"n": 0}), Put(TABLE, f"k{index}", {"n": index})]
            )
            for index in range(60)
        ),
        return_exceptions=True,
    )
    assert [isinstance(result, Conflict) for result in results] == [index % 3 == 0 for index in range(60)]
    assert await storage.count(TABLE) == 41
    await storage.integrity_check()


async def test_a_cancelled_wait_leaves_the_writer_well(storage):
    task = asyncio.create_task(storage.write([Put(TABLE, "k", {"n": 1})]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await storage.write([Put(TABLE, "k2", {"n": 2})])
    assert await storage.get(TABLE, "k2") == {"n": 2}


async def test_a_deep_page_begins_inside_the_index(storage):
    await storage.write([Put(TABLE, f"k{index}", {"status": "s", "at": f"{index:05d}"}) for index in range(50)])
    plans: list[str] = []
    page = await storage.scan(TABLE, {"status": "s"}, order=Order("at", True), limit=10)
    storage._inline.exec_trace = lambda cursor, sql, bindings: plans.append(sql) or True
    await storage.scan(TABLE, {"status": "s"}, order=Order("at", True), limit=10, after=page.after)
    storage._inline.exec_trace = None
    reader = apsw.Connection(storage.path)
    detail = " ".join(row[3] for row in reader.execute("EXPLAIN QUERY PLAN " + plans[0].replace("?", "1")))
    assert "SEARCH" in detail
    assert "(f_at,key)<" in detail
    assert "TEMP B-TREE" not in detail
    reader.close()


async def test_the_backup_is_a_whole_database(storage, tmp_path):
    await storage.write([Put(TABLE, f"k{index}", {"n": index}) for index in range(100)])
    await storage.backup(tmp_path / "copy.db")
    copy = SqliteStorage(tmp_path / "copy.db")
    assert await copy.count(TABLE) == 100
    await copy.integrity_check()
    await copy.close()
    assert not (tmp_path / "copy.db.part").exists()


async def test_a_storage_that_is_not_open_says_so(tmp_path):
    storage = SqliteStorage(tmp_path / "a.db")
    await storage.write([Put(TABLE, "k", {})])
    await storage.close()
    writer = storage._writer
    assert writer is None
    await storage.open()
    assert await storage.get(TABLE, "k") == {}
    await storage.close()


async def test_a_forked_child_is_refused(storage):
    await storage.write([Put(TABLE, "k", {})])
    child = os.fork()
    if child == 0:
        # Only this: the loop and the threads of the parent are not the child's.
        try:
            storage._ready(TABLE).send(None)
        except StorageUnavailable as error:
            os._exit(7 if "forked" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7  # noqa: ASYNC222 - it ends at once
    assert await storage.get(TABLE, "k") == {}


async def test_a_row_that_is_not_json_is_named(storage):
    await storage.write([Put(TABLE, "k", {"n": 1})])
    vandal = apsw.Connection(storage.path)
    vandal.execute("UPDATE m_things SET value='[1]'")
    vandal.close()
    with pytest.raises(StorageCorrupt, match="'k'"):
        await storage.get(TABLE, "k")
