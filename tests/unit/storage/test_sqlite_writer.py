"""The writing thread: groups, order, failures, end."""

import asyncio

import apsw
import pytest

from mastra.errors import StorageUnavailable
from mastra.storage.sqlite_writer import Writer


@pytest.fixture
async def writer(tmp_path):
    writer = Writer(lambda: apsw.Connection(str(tmp_path / "w.db")), lambda error: error)
    await writer.start()
    await writer.submit(lambda connection: connection.execute("CREATE TABLE t(x)"))
    yield writer
    await writer.stop()


async def test_jobs_run_in_the_order_they_came(writer):
    def add(number):
        return lambda connection: connection.execute("INSERT INTO t VALUES(?)", (number,))

    await asyncio.gather(*(writer.submit(add(number)) for number in range(200)))
    rows = await writer.submit(lambda connection: [row[0] for row in connection.execute("SELECT x FROM t")])
    assert rows == list(range(200))


async def test_a_failing_job_takes_nobody_with_it(writer):
    def good(connection):
        connection.execute("INSERT INTO t VALUES(1)")

    def bad(connection):
        connection.execute("INSERT INTO t VALUES(2)")
        raise ValueError("mine")

    results = await asyncio.gather(
        *(writer.submit(bad if index % 2 else good) for index in range(10)), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), ValueError] * 5
    assert await writer.submit(lambda connection: connection.execute("SELECT count(*), max(x) FROM t").get) == (5, 1)


async def test_a_lone_failing_job_is_undone(writer):
    def bad(connection):
        connection.execute("INSERT INTO t VALUES(2)")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await writer.submit(bad)
    assert await writer.submit(lambda connection: connection.execute("SELECT count(*) FROM t").get) == 0


async def test_a_job_that_ends_the_transaction_fails_everybody_in_it(writer):
    def rude(connection):
        connection.execute("ROLLBACK")

    with pytest.raises(StorageUnavailable):
        await writer.submit(rude)
    assert await writer.submit(lambda connection: connection.execute("SELECT count(*) FROM t").get) == 0


async def test_after_the_end_there_is_no_more_work(tmp_path):
    writer = Writer(lambda: apsw.Connection(str(tmp_path / "w.db")), lambda error: error)
    await writer.start()
    await writer.stop()
    with pytest.raises(StorageUnavailable):
        await writer.submit(lambda connection: None)


async def test_a_connection_that_fails_is_the_callers_to_know():
    def connect():
        raise apsw.CantOpenError("no")

    with pytest.raises(apsw.CantOpenError):
        await Writer(connect, lambda error: error).start()


async def test_nobody_is_forgotten_when_work_of_all_kinds_comes_in_waves(writer):
    def add(connection):
        connection.execute("INSERT INTO t VALUES(1)")

    def look(connection):
        return connection.execute("PRAGMA user_version").get

    async def works(number):
        for turn in range(20):
            if (number + turn) % 5 == 0:
                assert await writer.submit(look, alone=True) == 0
            else:
                await writer.submit(add)
            if turn % 3 == number % 3:
                await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await asyncio.gather(*map(works, range(30)))
    assert await writer.submit(lambda connection: connection.execute("SELECT count(*) FROM t").get) == 30 * 16


async def test_writers_that_go_in_step_share_their_commits(tmp_path):
    commits = []

    def connect():
        connection = apsw.Connection(str(tmp_path / "w.db"))
        connection.set_commit_hook(lambda: bool(commits.append(1)))
        return connection

    writer = Writer(connect, lambda error: error)
    await writer.start()
    await writer.submit(lambda connection: connection.execute("CREATE TABLE t(x)"))

    async def works():
        for _ in range(25):
            await writer.submit(lambda connection: connection.execute("INSERT INTO t VALUES(1)"))

    await asyncio.gather(*(works() for _ in range(16)))
    await writer.stop()
    # 400 writes of 16 writers: 25 commits when all are in step; the machine may be slow, but not every one's own.
    assert len(commits) < 100
