"""Two requests on one thread at once: one after the other, refused, the newer one only, or each on its own copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from mastra.errors import Conflict, NotFound, StorageUnavailable
from mastra.memory.threads import ThreadRepo
from mastra.ports.storage import Storage
from mastra.runtime.clock import Clock
from mastra.types.ids import new_id
from mastra.types.records import Delete, Expect, Operation, Put, Table
from mastra.types.times import from_wire, to_wire

Policy: TypeAlias = Literal["queue", "reject", "interrupt", "fork"]
TURNS = Table("thread_turns")


class Turn:
    """The right to speak on a thread; with the policy `fork` it may be another thread than the one asked for.

    Between processes the right is a lease in storage. A turn that is not taken at once takes it by operations which
    join the first write of the body, so that taking costs no write of its own; the last write may give it back.
    """

    __slots__ = ("_clock", "_keeper", "_length", "_patience", "_policy", "_stale_token", "_storage", "_token", "forked",
                 "over", "seen", "thread_id")  # fmt: skip

    def __init__(
        self,
        thread_id: str,
        storage: Storage,
        clock: Clock,
        policy: Policy,
        *,
        length: timedelta,
        patience: timedelta,
        forked: bool = False,
    ) -> None:
        self.thread_id = thread_id
        self.forked = forked
        # Given back before the body ended: what is written after that is written without a turn.
        self.over = False
        # The thread's row, or None for a new thread, as it was before the first write; () before somebody looked.
        self.seen: dict[str, Any] | tuple[()] | None = ()
        self._storage = storage
        self._clock = clock
        self._policy = policy
        self._length = length
        self._patience = patience.total_seconds()
        # Known from before the write that takes the lease: a cancelled write may have happened.
        self._token: str | None = None
        # The token of a lease that a dead process left.
        self._stale_token: str | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether the lease is taken; a copy of a thread needs none."""
        return self.forked or self._keeper is not None

    async def busy(self) -> bool:
        """Whether another process has the thread now."""
        row = await self._storage.get(TURNS, self.thread_id)
        busy = row is not None and from_wire(row["until"]) >= self._clock.now()
        self._stale_token = None if row is None or busy else row["token"]
        return busy

    def taking(self) -> list[Operation]:
        """What takes the lease when it is written; a `Conflict` says that another process was faster."""
        self._token = self._token or new_id()
        expected = None if self._stale_token is None else {"token": self._stale_token}
        return [Expect(TURNS, self.thread_id, expected), Put(TURNS, self.thread_id, self._row())]

    def taken(self) -> None:
        """Those operations were written: from now on the lease is renewed."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def take(self) -> None:
        """Take the lease by a write of its own, after whoever has it."""
        if self.held or self.over:
            return
        deadline = self._clock.monotonic() + self._patience
        while True:
            # Nearly always nobody has the thread: one write finds that out and takes it.
            try:
                await self._storage.write(self.taking())
            except Conflict:
                pass
            else:
                self.taken()
                return
            while await self.busy():
                if self._policy == "reject":
                    raise Conflict("The thread answers another request.", hint="Wait for it, or use another thread.")
                if self._clock.monotonic() > deadline:
                    raise StorageUnavailable("The thread was busy for too long.", hint="Try again.")
                await self._clock.sleep(0.05)

    def giving_back(self) -> list[Operation]:
        """What gives the lease back when it is written; a `Conflict` says that it had ended."""
        return [Expect(TURNS, self.thread_id, {"token": self._token}), Delete(TURNS, self.thread_id)]

    def given_back(self) -> None:
        """Those operations were written."""
        self.over = True
        self._token = None
        self._stop_keeping()

    async def end(self) -> None:
        """Give the lease back if that has not happened yet."""
        self.over = True
        self._stop_keeping()
        if self._token is None:
            return
        try:
            await self._storage.write(self.giving_back())
        except Conflict:
            # The lease was never taken, or it ended and somebody else has the thread: it is theirs now.
            return

    def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None

    def _row(self) -> dict[str, Any]:
        return {"token": self._token, "until": to_wire(self._clock.now() + self._length)}

    async def _keep(self) -> None:
        """Renew the lease while the turn lasts."""
        while True:
            await self._clock.sleep(self._length.total_seconds() / 3)
            try:
                expected = Expect(TURNS, self.thread_id, {"token": self._token})
                await self._storage.write([expected, Put(TURNS, self.thread_id, self._row())])
            except Conflict:
                return


@dataclass(slots=True)
class _Waiting:
    lock: asyncio.Lock
    users: int = 0
    cancel: Callable[[], None] | None = None


class Turns:
    """Gives turns. Inside a process they wait for each other; between processes a lease in storage decides.

    A lease that is not renewed ends by itself, so a killed process blocks nobody for long.
    """

    def __init__(
        self,
        threads: ThreadRepo,
        clock: Clock,
        policy: Policy = "queue",
        *,
        lease: timedelta = timedelta(seconds=30),
        patience: timedelta = timedelta(minutes=5),
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._policy: Policy = policy
        self._lease = lease
        self._patience = patience
        # By event loop, too: callers of other loops wait at the lease, as other processes do.
        self._local: dict[tuple[int, str], _Waiting] = {}

    @asynccontextmanager
    async def turn(
        self,
        thread_id: str,
        *,
        resource_id: str | None = None,
        cancel: Callable[[], None] | None = None,
        at_once: bool = True,
    ) -> AsyncIterator[Turn]:
        """Hold the thread while the body runs. `cancel` is called when a newer request interrupts this one.

        Not `at_once`, the body takes the lease itself: with its first write, or by `Turn.take`.
        """
        place = (id(asyncio.get_running_loop()), thread_id)
        waiting = self._local.setdefault(place, _Waiting(asyncio.Lock()))
        if waiting.lock.locked():
            if self._policy == "reject":
                raise Conflict("The thread answers another request.", hint="Wait for it, or use another thread.")
            if self._policy == "fork":
                yield self._make(await self._copy(thread_id, resource_id), forked=True)
                return
            if self._policy == "interrupt" and waiting.cancel is not None:
                waiting.cancel()
        waiting.users += 1
        try:
            async with waiting.lock:
                waiting.cancel = cancel
                turn = self._make(thread_id)
                try:
                    if at_once:
                        await turn.take()
                    yield turn
                finally:
                    waiting.cancel = None
                    await turn.end()
        finally:
            waiting.users -= 1
            if waiting.users == 0:
                self._local.pop(place, None)

    def _make(self, thread_id: str, *, forked: bool = False) -> Turn:
        return Turn(
            thread_id, self._threads.storage, self._clock, self._policy,
            length=self._lease, patience=self._patience, forked=forked,
        )  # fmt: skip

    async def _copy(self, thread_id: str, resource_id: str | None) -> str:
        try:
            return (await self._threads.clone(thread_id, resource_id=resource_id)).thread.id
        except NotFound:
            # The first request of this thread has not written anything yet: there is nothing to copy.
            return new_id()
