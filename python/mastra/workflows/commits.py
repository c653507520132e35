"""Writes that are repeated while storage is away, looked up first when one of them may have happened, and shared.

Runs that go side by side in one process share a commit: what one pass of the loop brings, and what comes while
commits are on their way, is written together, in as many batches as storage writes at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mastra.errors import Conflict, StorageUnavailable
from mastra.ports.storage import SupportsWriteOut
from mastra.workflows import crashpoints

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.runtime.clock import Clock
    from mastra.types.records import Operation

TRIES = 5
# A shared batch holds no more operations than this; a longer one of a single run goes alone.
MAX_OPERATIONS = 1_000


async def commit(
    storage: Storage,
    clock: Clock,
    batch: Sequence[Operation],
    is_written: Callable[[], Awaitable[bool]],
    *,
    is_unsure: bool = False,
) -> None:
    """Write `batch` once. `Conflict`: it is surely not written; `StorageUnavailable`: nobody can tell.

    A batch whose commit broke (`is_unsure`: already before this call) is not simply written again: its own first
    copy would break its preconditions.
    """
    for attempt in range(TRIES):
        try:
            if is_unsure and await is_written():
                return
            crashpoints.reach("before-commit")
            await storage.write(batch)
            crashpoints.reach("after-commit")
        except Conflict:
            # The server may have been at work on the first copy when it was looked for.
            if is_unsure and await is_written():
                return
            raise
        except StorageUnavailable:
            is_unsure = True
            if attempt == TRIES - 1:
                raise
            await clock.sleep(0.05 * 2**attempt)
        else:
            return


async def outlast(work: Awaitable[None]) -> None:
    """Wait for a write that is on its way, cancelled or not; a cancellation is raised when it has ended.

    It is not called back, and only at its end is it known which rows there are.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        raise


class _Write(NamedTuple):
    """What one run writes, and whoever waits for it."""

    run: str
    batch: Sequence[Operation]
    is_written: Callable[[], Awaitable[bool]]
    done: asyncio.Future[None]


class Committer:
    """Commits what the runs of one process write. Each write is whole or not at all, and none fails for another."""

    def __init__(self, storage: Storage, clock: Clock, is_crowded: Callable[[], bool]) -> None:
        self._storage = storage
        self._write_out = storage.write_out if isinstance(storage, SupportsWriteOut) else None
        self._clock = clock
        # Whether others may write soon; who is alone does not wait for company.
        self._is_crowded = is_crowded
        self._waiting: deque[_Write] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        # What is being written, and when that is over.
        self._flights: list[tuple[list[_Write], asyncio.Future[None]]] = []

    async def write(self, run: str, batch: Sequence[Operation], is_written: Callable[[], Awaitable[bool]]) -> None:
        """`commit`, together with what other runs write at this time. Rows of one run are in no other's batch.

        A cancellation is raised at once where the writing has not begun, else at its end: `is_written` tells which.
        """
        if not self._tasks and not self._is_crowded():
            await self.write_alone(batch, is_written)
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Write(run, batch, is_written, done))
        if len(self._tasks) < self._storage.writes_at_once:
            self._tasks.add(loop.create_task(self._drain(), name="mastra-commits"))
        try:
            await done
        except asyncio.CancelledError:
            for group, ended in self._flights:
                if any(one.done is done for one in group):
                    await outlast(ended)
            raise

    async def write_alone(self, batch: Sequence[Operation], is_written: Callable[[], Awaitable[bool]]) -> None:
        """`commit` at once and by itself; a cancellation is raised at its end."""
        if self._write_out is None:
            await outlast(commit(self._storage, self._clock, batch, is_written))
            return
        task = asyncio.current_task()
        cancels = task.cancelling() if task is not None else 0
        try:
            crashpoints.reach("before-commit")
            await self._write_out(batch)
            crashpoints.reach("after-commit")
        except StorageUnavailable:
            await outlast(commit(self._storage, self._clock, batch, is_written, is_unsure=True))
            if task is not None and task.cancelling() > cancels:
                # The failure was told in place of it.
                raise asyncio.CancelledError from None

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        try:
            while self._waiting:
                # Those that are free as well take their share.
                free = self._storage.writes_at_once - len(self._flights)
                flight = self._take(-(-len(self._waiting) // free)), loop.create_future()
                self._flights.append(flight)
                try:
                    await self._commit(flight[0])
                finally:
                    flight[1].set_result(None)
                    self._flights.remove(flight)
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                left, self._waiting = self._waiting, deque()
                for one in left:
                    one.done.cancel()

    def _take(self, count: int) -> list[_Write]:
        """What may share a batch: one write of each run, so that no precondition is met by a row beside it."""
        group: list[_Write] = []
        runs: set[str] = set()
        later: list[_Write] = []
        room = MAX_OPERATIONS
        while self._waiting and room > 0 and len(group) < count:
            one = self._waiting.popleft()
            if one.done.done():
                continue  # whoever waited was cancelled
            if one.run in runs or (group and len(one.batch) > room):
                later.append(one)
                continue
            runs.add(one.run)
            room -= len(one.batch)
            group.append(one)
        self._waiting.extendleft(reversed(later))
        return group

    async def _commit(self, group: list[_Write]) -> None:
        if len(group) < 2:
            for one in group:
                await self._alone(one, is_unsure=False)
            return
        try:
            crashpoints.reach("before-commit")
            await self._storage.write([operation for one in group for operation in one.batch])
            crashpoints.reach("after-commit")
        except Exception as error:  # noqa: BLE001 - each of them finds out for itself what was wrong
            is_unsure = isinstance(error, StorageUnavailable)
            await asyncio.gather(*(self._alone(one, is_unsure=is_unsure) for one in group))
            return
        except BaseException:
            for one in group:
                one.done.cancel()
            raise
        for one in group:
            if not one.done.done():
                one.done.set_result(None)
        # Two turns of the loop later those who were told have written again: they stay in one group, where two
        # groups would wait for each other's commits.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _alone(self, one: _Write, *, is_unsure: bool) -> None:
        try:
            await commit(self._storage, self._clock, one.batch, one.is_written, is_unsure=is_unsure)
        except Exception as error:  # noqa: BLE001 - it is the waiter's
            if not one.done.done():
                one.done.set_exception(error)
        except BaseException:
            one.done.cancel()
            raise
        else:
            if not one.done.done():
                one.done.set_result(None)
