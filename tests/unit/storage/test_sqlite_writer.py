"""The writing thread: groups, order, failures, end."""

import asyncio
import errno
import os
import shutil
import threading

import apsw
import pytest

from mastra.errors import Conflict, StorageUnavailable
from mastra.storage.sqlite_writer import CHECKPOINT_PAGES, ROOM_PAGES, Writer, lengthen


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


async def test_a_precondition_that_fails_inside_a_group_is_told_to_its_own_writer(writer):
    tries = []

    def good(connection):
        tries.append(1)
        connection.execute("INSERT INTO t VALUES(1)")

    def refused(connection):
        raise Conflict("not so")

    results = await asyncio.gather(
        *(writer.submit(refused if index == 3 else good) for index in range(8)), return_exceptions=True
    )
    assert [type(one) for one in results].index(Conflict) == 3
    # Nothing had to be undone and done again.
    assert len(tries) == 7


async def test_a_job_runs_here_and_now_when_nobody_else_writes(writer, tmp_path):
    def add(connection):
        connection.execute("INSERT INTO t VALUES(1)")
        return 5

    # The thread may not have let go of the connection yet after its last group.
    while (made := writer.try_now(add)) is None:  # noqa: ASYNC110 - the thread has no event for this
        await asyncio.sleep(0)
    assert made == (5,)

    def bad(connection):
        connection.execute("INSERT INTO t VALUES(2)")
        raise Conflict("no")

    with pytest.raises(Conflict):
        writer.try_now(bad)
    other = apsw.Connection(str(tmp_path / "w.db"))
    other.execute("BEGIN IMMEDIATE")
    assert writer.try_now(add) is None
    other.execute("ROLLBACK")
    other.close()
    waiting = asyncio.ensure_future(writer.submit(add))
    await asyncio.sleep(0)
    assert writer.try_now(add) in (None, (5,))
    await waiting
    count = await writer.submit(lambda connection: connection.execute("SELECT count(*) FROM t WHERE x=1").get)
    assert count in (2, 3)


async def test_the_log_is_brought_into_the_file_by_the_thread(tmp_path):
    def connect():
        connection = apsw.Connection(str(tmp_path / "w.db"))
        connection.pragma("journal_mode", "wal")
        return connection

    writer = Writer(connect, lambda error: error)
    await writer.start()
    await writer.submit(lambda connection: connection.execute("CREATE TABLE t(x)"))
    for number in range(CHECKPOINT_PAGES * 3):
        writer.try_now(lambda connection, n=number: connection.execute("INSERT INTO t VALUES(?)", (str(n) * 500,)))
        if number % 100 == 0:
            await asyncio.sleep(0.001)
    await writer.submit(lambda connection: None)
    # Three thousand commits of at least a page: without checkpoints the log would hold them all.
    assert (tmp_path / "w.db-wal").stat().st_size < CHECKPOINT_PAGES * 3 * 4096
    assert (tmp_path / "w.db").stat().st_size > 4096 * 100
    await writer.stop()


@pytest.mark.parametrize("fails", [False, True])
async def test_whoever_outlasts_a_job_is_cancelled_when_it_has_ended(writer, fails):
    begun, gate = threading.Event(), threading.Event()

    def held(connection):
        begun.set()
        gate.wait(10)
        connection.execute("INSERT INTO t VALUES(7)")
        if fails:
            raise ValueError("mine")

    task = asyncio.ensure_future(writer.submit(held, outlasts=True))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    assert not task.done()
    gate.set()
    # What went wrong is told first: it says what is written.
    with pytest.raises(ValueError if fails else asyncio.CancelledError):
        await task
    assert await writer.submit(lambda connection: connection.execute("SELECT count(*) FROM t").get) == (not fails)


async def test_a_cancellation_that_comes_with_the_answer_is_raised(writer):
    async def cancel():
        # Told of the same commit, one place earlier.
        await writer.submit(lambda _: 1)
        task.cancel()

    cancelling = asyncio.ensure_future(cancel())
    task = asyncio.ensure_future(writer.submit(lambda _: 2, outlasts=True))
    with pytest.raises(asyncio.CancelledError):
        await task
    await cancelling


def synced(path):
    def connect():
        connection = apsw.Connection(str(path))
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS t(x)")
        return connection

    return Writer(connect, lambda error: error)


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.005)


def insert(number):
    return lambda connection: connection.execute("INSERT INTO t VALUES(?)", (number,))


async def test_a_synced_log_has_room_ahead_of_time_and_a_crash_leaves_all_of_it(tmp_path):
    path, log = tmp_path / "w.db", tmp_path / "w.db-wal"
    writer = synced(path)
    await writer.start()
    await writer.submit(insert(0))
    await until(lambda: log.stat().st_size == ROOM_PAGES * (4096 + 24))
    for number in range(1, ROOM_PAGES):
        await writer.submit(insert(number))
    await until(lambda: log.stat().st_size == 2 * ROOM_PAGES * (4096 + 24))
    # What another process would find if this one ended here.
    for name in ("w.db", "w.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / f"left-{name}")
    left = apsw.Connection(str(tmp_path / "left-w.db"))
    assert left.execute("SELECT count(*), max(x) FROM t").get == (ROOM_PAGES, ROOM_PAGES - 1)
    assert left.pragma("integrity_check") == "ok"
    left.close()
    await writer.stop()
    assert not log.exists()


async def test_room_is_made_where_no_other_process_writes(tmp_path):
    log = tmp_path / "w.db-wal"
    writer = synced(tmp_path / "w.db")
    await writer.start()
    other = apsw.Connection(str(tmp_path / "w.db"))
    other.set_busy_timeout(20_000)
    for number in range(300):
        await writer.submit(insert(number))
        other.execute("INSERT INTO t VALUES(?)", (-number,))
    await until(lambda: log.stat().st_size > ROOM_PAGES * 4096)
    assert other.execute("SELECT count(*) FROM t").get == 600
    assert other.pragma("integrity_check") == "ok"
    other.close()
    await writer.stop()


def test_a_full_disk_leaves_the_file_as_long_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"abc")

    def refuse(_descriptor):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="no space left"):
            lengthen(path, 10)
    assert path.read_bytes() == b"abc"
    lengthen(path, 10)
    lengthen(path, 5)
    assert path.read_bytes() == b"abc" + bytes(7)
