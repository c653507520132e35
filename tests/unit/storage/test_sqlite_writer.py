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
