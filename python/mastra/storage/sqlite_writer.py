"""The one writer of an SQLite file: a thread that commits what waits together with one sync, or the caller itself.

The caller commits by itself where nothing is synced and nobody waits: a commit is then shorter than the way to
the thread and back.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

import apsw

from mastra.errors import CommitUnknown, Conflict, StorageUnavailable
from mastra.storage.sqlite_file import BUSY_MS

log = logging.getLogger("mastra.storage")

# A piece of work inside a write transaction; its return value is the caller's.
Job: TypeAlias = Callable[[apsw.Connection], Any]

MAX_GROUP = 512
_FULL, _FRAME_HEADER = 2, 24
# SQLite's own measure of how much may stand in the log before it is brought into the file, in pages.
CHECKPOINT_PAGES = 1_000
# The log is written longer by this many pages before they are needed, up to the length it usually reaches. A sync that
# must also note a new length takes twice as long.
ROOM_PAGES, ROOM_LEFT = 256, 32
# How long the thread waits, after a group, for those who got their answers to write again.
GATHER_S = 0.002


class _Entry:
    """A job and whoever waits for it, who is looked up only when the answer is there."""

    __slots__ = ("alone", "future", "job", "loop")

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop, *, alone: bool) -> None:
        self.job = job
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        # Work that cannot run inside a transaction (checkpoints, backup) runs alone.
        self.alone = alone


class _Again(Exception):
    """Part of a group failed halfway: the group is undone and its jobs run one by one."""


class Writer:
    """Runs jobs in order, many in one transaction, each undone alone when it fails."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], translate: Callable[[BaseException], BaseException]
    ) -> None:
        self._connect = connect
        self._translate = translate
        self._waiting: deque[_Entry] = deque()
        # In C throughout: a semaphore of `threading` costs every write some microseconds more.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        # Held by whoever uses the connection.
        self._using = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._checkpoint_due = False
        # How many pages the log has room for, as far as this is worth anything, and whether that is soon too few.
        self._room = CHECKPOINT_PAGES
        self._room_due = False

    async def start(self) -> None:
        """Open the connection inside the thread; its failure is the caller's."""
        opened = _Entry(lambda _: None, asyncio.get_running_loop(), alone=True)
        self._thread = threading.Thread(target=self._run, args=(opened,), name="mastra-sqlite", daemon=True)
        self._thread.start()
        await opened.future

    async def submit(self, job: Job, *, alone: bool = False, outlasts: bool = False) -> Any:
        """Run `job` and wait until what it wrote is on disk. Cancelling the wait does not undo the write.

        `outlasts`: a cancellation is raised when the job has ended; its failure comes before the cancellation.
        """
        entry = _Entry(job, asyncio.get_running_loop(), alone=alone)
        with self._lock:
            if self._closed:
                raise StorageUnavailable("The storage is closed.", retryable=False, adapter="sqlite")
            idle = not self._waiting
            self._waiting.append(entry)
        if idle:
            # Whoever came first has woken the thread already; it takes all that wait at once.
            self._wake.put(None)
        return await (_outlasting(entry) if outlasts else entry.future)

    def try_now(self, job: Job) -> tuple[Any] | None:
        """Run and commit `job` here and now, when nobody else writes to the file: its value in a tuple, or None.

        Only for short jobs on a connection that does not sync: the loop waits for them.
        """
        if self._waiting or self._closed or not self._using.acquire(blocking=False):
            return None
        try:
            connection = self._connection
            if connection is None or self._waiting:
                return None
            connection.set_busy_timeout(0)
            try:
                connection.execute("BEGIN IMMEDIATE")
            except apsw.BusyError:
                return None  # another process writes: the thread may wait for it
            finally:
                connection.set_busy_timeout(BUSY_MS)
            try:
                value = job(connection)
                _check_open(connection)
                _commit(connection)
            except BaseException as error:
                _undo(connection)
                translated = self._translate(error) if isinstance(error, Exception) else error
                if translated is error:
                    raise
                raise translated from error
        finally:
            self._using.release()
        if self._checkpoint_due:
            self._wake.put(None)
        return (value,)

    async def stop(self) -> None:
        """Finish what waits, then end the thread."""
        with self._lock:
            self._closed = True
        self._wake.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self, opened: _Entry) -> None:
        try:
            connection = self._connect()
        except BaseException as error:  # noqa: BLE001 - handed to the caller of start()
            _settle(opened.loop, [(opened, None, self._translate(error))])
            return
        # In place of SQLite's own checkpoints, which would run inside of somebody's commit.
        connection.set_wal_hook(self._note_log)
        if connection.pragma("synchronous") == _FULL:
            self._room = 0
        self._connection = connection
        _settle(opened.loop, [(opened, None, None)])
        while True:
            self._wake.get()
            group = self._take()
            if group:
                with self._using:
                    heard = self._commit(connection, group)
                if heard is not None:
                    # Writers that go in step share a sync: without this they fall into two groups that wait for
                    # each other.
                    heard.wait(GATHER_S)
            if self._checkpoint_due:
                with self._using:
                    self._checkpoint(connection)
            elif self._room_due:
                with self._using:
                    self._make_room(connection)
            if not group and self._closed:
                break
        with self._using:
            self._connection = None
            connection.close()

    def _note_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._checkpoint_due = pages >= CHECKPOINT_PAGES
        self._room_due = self._room < min(pages + ROOM_LEFT, CHECKPOINT_PAGES)
        return apsw.SQLITE_OK

    def _make_room(self, connection: apsw.Connection) -> None:
        self._room_due = False
        self._room += ROOM_PAGES
        try:
            # Whoever has the write lock is the only one who makes the log longer.
            connection.execute("BEGIN IMMEDIATE")
        except (apsw.BusyError, apsw.LockedError):
            return
        try:
            lengthen(Path(connection.filename_wal), self._room * (connection.pragma("page_size") + _FRAME_HEADER))
        except OSError as error:
            # It goes on without; a full disk is told to who writes.
            self._room = CHECKPOINT_PAGES
            log.warning("the log of the database was not made longer ahead of time: %s", error)
        finally:
            _undo(connection)

    def _checkpoint(self, connection: apsw.Connection) -> None:
        self._checkpoint_due = False
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.BusyError, apsw.LockedError):
            # Another process brings it in just now.
            return
        except apsw.Error as error:
            # The next commit says again that it is due; a full disk or a damaged file is told to who writes.
            log.warning("the log of the database was not brought into the file: %s", error)

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
                self._wake.put(None)
        return group

    def _commit(self, connection: apsw.Connection, group: list[_Entry]) -> threading.Event | None:
        """Run and commit the group and tell everybody; the event is set when they had the time to write again."""
        try:
            answers = self._transact(connection, group)
        except _Again:
            answers = [answer for entry in group for answer in self._transact(connection, [entry])]
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Entry, Any, BaseException | None]]] = {}
        for entry, (value, failure) in zip(group, answers, strict=True):
            translated = None if failure is None else self._translate(failure)
            if translated is not None and translated is not failure:
                translated.__cause__ = failure
            by_loop.setdefault(entry.loop, []).append((entry, value, translated))
        heard = threading.Event() if len(group) > 1 else None
        for loop, results in by_loop.items():
            _settle(loop, results, heard)
        return heard

    def _transact(self, connection: apsw.Connection, group: list[_Entry]) -> list[tuple[Any, BaseException | None]]:
        results: list[tuple[Any, BaseException | None]] = []
        try:
            if group[0].alone:
                return [(group[0].job(connection), None)]
            connection.execute("BEGIN IMMEDIATE")
            for entry in group:
                before = connection.total_changes()
                try:
                    results.append((entry.job(connection), None))
                except BaseException as error:
                    # A broken precondition is found before anything is written; then there is nothing to undo.
                    if len(group) > 1 and (not isinstance(error, Conflict) or connection.total_changes() != before):
                        raise _Again from error
                    results.append((None, error))
                _check_open(connection)
            failed_alone = len(group) == 1 and results[0][1] is not None
            if failed_alone:
                connection.execute("ROLLBACK")
            else:
                _commit(connection)
        except _Again:
            _undo(connection)
            raise
        except BaseException as error:  # noqa: BLE001 - every waiter is told, whatever happened
            _undo(connection)
            # A job's own failure is its own answer even when the others' commit failed.
            own = [failure for _, failure in results] + [None] * (len(group) - len(results))
            return [(None, failure or error) for failure in own]
        return results


async def _outlasting(entry: _Entry) -> Any:
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            value = await entry.future
        except asyncio.CancelledError as error:
            cancelled = error
            if entry.future.cancelled():
                # Nobody has looked at it yet: answers are handed over in this loop.
                entry.future = entry.loop.create_future()
                continue
            value = entry.future.result()
        if cancelled is not None:
            raise cancelled
        return value


def lengthen(path: Path, size: int) -> None:
    """Write zeros at the end of a file until it has `size` bytes, or leave it as it is."""
    with path.open("r+b", buffering=0) as file:
        found = file.seek(0, os.SEEK_END)
        if found >= size:
            return
        try:
            if file.write(bytes(size - found)) != size - found:
                raise OSError(errno.ENOSPC, "no space left")  # noqa: TRY301 - the same way out as for any other failure
            os.fsync(file.fileno())
        except OSError:
            file.truncate(found)
            raise


def _check_open(connection: apsw.Connection) -> None:
    """SQLite ends the transaction by itself after some errors; then nothing of the group may be told as written."""
    if not connection.in_transaction:
        raise StorageUnavailable("SQLite gave the transaction up; nothing was written.", adapter="sqlite")


def _commit(connection: apsw.Connection) -> None:
    """Commit, or leave nothing of it.

    A log whose sync failed may hold the whole transaction all the same, and a process that opens the file after a
    crash would find it. Another transaction in its place takes it out again; where that fails too, nobody knows.
    """
    try:
        connection.execute("COMMIT")
    except apsw.IOError as error:
        _undo(connection)
        try:
            connection.pragma("user_version", connection.pragma("user_version"))
        except apsw.Error:
            raise CommitUnknown(
                "The disk failed during a commit: after a crash the write may be there.",
                hint="Read what is there before you write it again.",
                adapter="sqlite",
            ) from error
        raise


def _undo(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except apsw.Error:
            # SQLite rolls back by itself after the errors in which ROLLBACK fails.
            return


def _settle(
    loop: asyncio.AbstractEventLoop,
    answers: list[tuple[_Entry, Any, BaseException | None]],
    heard: threading.Event | None = None,
) -> None:
    """Hand the answers to their loop in one call; a loop that is gone has nobody waiting."""

    def deliver() -> None:
        for entry, value, failure in answers:
            future = entry.future
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
