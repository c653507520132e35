"""The one thread that writes to an SQLite file: what waits together is committed together, with one sync."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import apsw

from mastra.errors import StorageUnavailable

# A piece of work inside a write transaction; its return value is the caller's.
Job: TypeAlias = Callable[[apsw.Connection], Any]

MAX_GROUP = 512
# How long the thread waits, after a group, for those who got their answers to write again.
GATHER_S = 0.002


class _Entry(NamedTuple):
    job: Job
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    # Work that cannot run inside a transaction (checkpoints, backup) runs alone.
    alone: bool


class Writer:
    """Runs jobs in order, many in one transaction, each undone alone when it fails."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], translate: Callable[[BaseException], BaseException]
    ) -> None:
        self._connect = connect
        self._translate = translate
        self._waiting: deque[_Entry] = deque()
        self._wake = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Open the connection inside the thread; its failure is the caller's."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Any] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, ready), name="mastra-sqlite", daemon=True)
        self._thread.start()
        await ready

    async def submit(self, job: Job, *, alone: bool = False) -> Any:
        """Run `job` and wait until what it wrote is on disk. Cancelling the wait does not undo the write."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        with self._lock:
            if self._closed:
                raise StorageUnavailable("The storage is closed.", retryable=False, adapter="sqlite")
            idle = not self._waiting
            self._waiting.append(_Entry(job, future, loop, alone))
        if idle:
            # Whoever came first has woken the thread already; it takes all that wait at once.
            self._wake.release()
        return await future

    async def stop(self) -> None:
        """Finish what waits, then end the thread."""
        with self._lock:
            self._closed = True
        self._wake.release()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self, loop: asyncio.AbstractEventLoop, ready: asyncio.Future[Any]) -> None:
        try:
            connection = self._connect()
        except BaseException as error:  # noqa: BLE001 - handed to the caller of start()
            _settle(loop, [(ready, None, self._translate(error))])
            return
        _settle(loop, [(ready, None, None)])
        while True:
            self._wake.acquire()
            group = self._take()
            if group:
                self._commit(connection, group)
            elif self._closed:
                break
        connection.close()

    def _take(self) -> list[_Entry]:
        """The next entries that may share a transaction."""
        group: list[_Entry] = []
        with self._lock:
            while self._waiting and len(group) < MAX_GROUP:
                if self._waiting[0].alone and group:
                    break
                group.append(self._waiting.popleft())
                if group[-1].alone:
                    break
            if self._waiting or (group and self._closed):
                self._wake.release()
        return group

    def _commit(self, connection: apsw.Connection, group: list[_Entry]) -> None:
        results: list[tuple[Any, BaseException | None]] = []
        try:
            if group[0].alone:
                results.append((group[0].job(connection), None))
            else:
                connection.execute("BEGIN IMMEDIATE")
                for entry in group:
                    results.append(self._one(connection, entry, shared=len(group) > 1))
                    _check_open(connection)
                failed_alone = len(group) == 1 and results[0][1] is not None
                connection.execute("ROLLBACK" if failed_alone else "COMMIT")
        except BaseException as error:  # noqa: BLE001 - every waiter is told, whatever happened
            _undo(connection)
            # A job's own failure is its own answer even when the others' commit failed.
            own = [failure for _, failure in results] + [None] * (len(group) - len(results))
            results = [(None, failure or error) for failure in own]
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, BaseException | None]]] = {}
        for entry, (value, failure) in zip(group, results, strict=True):
            translated = None if failure is None else self._translate(failure)
            if translated is not None and translated is not failure:
                translated.__cause__ = failure
            by_loop.setdefault(entry.loop, []).append((entry.future, value, translated))
        heard = threading.Event() if len(group) > 1 else None
        for loop, answers in by_loop.items():
            _settle(loop, answers, heard)
        if heard is not None:
            # Writers that go in step share a sync: without this they fall into two groups that wait for each other.
            heard.wait(GATHER_S)

    def _one(self, connection: apsw.Connection, entry: _Entry, *, shared: bool) -> tuple[Any, BaseException | None]:
        if shared:
            connection.execute("SAVEPOINT one")
        try:
            value = entry.job(connection)
        except BaseException as error:  # noqa: BLE001 - belongs to this entry alone
            if shared and connection.in_transaction:
                connection.execute("ROLLBACK TO one")
                connection.execute("RELEASE one")
            return None, error
        if shared:
            connection.execute("RELEASE one")
        return value, None


def _check_open(connection: apsw.Connection) -> None:
    """SQLite ends the transaction by itself after some errors; then nothing of the group may be told as written."""
    if not connection.in_transaction:
        raise StorageUnavailable("SQLite gave the transaction up; nothing was written.", adapter="sqlite")


def _undo(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except apsw.Error:
            # SQLite rolls back by itself after the errors in which ROLLBACK fails.
            return


def _settle(
    loop: asyncio.AbstractEventLoop,
    answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]],
    heard: threading.Event | None = None,
) -> None:
    """Hand the answers to their loop in one call; a loop that is gone has nobody waiting."""

    def deliver() -> None:
        for future, value, failure in answers:
            if future.done():
                continue
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(value)
        if heard is not None:
            told = heard.set
            # Three turns of the loop later: behind what these answers wake, and what that wakes in turn.
            loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(told)))

    try:
        loop.call_soon_threadsafe(deliver)
    except RuntimeError:
        return
