"""Two requests on one thread at once: one after the other, refused, the newer one only, or each on its own copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple, TypeAlias

from mastra.errors import Conflict, NotFound, StorageUnavailable
from mastra.memory.threads import ThreadRepo
from mastra.runtime.clock import Clock
from mastra.types.ids import new_id
from mastra.types.records import Delete, Expect, Put, Table
from mastra.types.times import from_wire, to_wire

Policy: TypeAlias = Literal["queue", "reject", "interrupt", "fork"]
TURNS = Table("thread_turns")


class Turn(NamedTuple):
    """The right to speak on a thread; with the policy `fork` it may be another thread than the one asked for."""

    thread_id: str
    forked: bool = False


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
        self._policy = policy
        self._lease = lease
        self._patience = patience.total_seconds()
        # By event loop, too: callers of other loops wait at the lease, as other processes do.
        self._local: dict[tuple[int, str], _Waiting] = {}

    @asynccontextmanager
    async def turn(
        self, thread_id: str, *, resource_id: str | None = None, cancel: Callable[[], None] | None = None
    ) -> AsyncIterator[Turn]:
        """Hold the thread while the body runs. `cancel` is called when a newer request interrupts this one."""
        place = (id(asyncio.get_running_loop()), thread_id)
        waiting = self._local.setdefault(place, _Waiting(asyncio.Lock()))
        if waiting.lock.locked():
            if self._policy == "reject":
                raise Conflict("The thread answers another request.", hint="Wait for it, or use another thread.")
            if self._policy == "fork":
                yield Turn(await self._copy(thread_id, resource_id), forked=True)
                return
            if self._policy == "interrupt" and waiting.cancel is not None:
                waiting.cancel()
        waiting.users += 1
        try:
            async with waiting.lock:
                waiting.cancel = cancel
                token = await self._acquire(thread_id)
                keeper = asyncio.create_task(self._keep(thread_id, token))
                try:
                    yield Turn(thread_id)
                finally:
                    keeper.cancel()
                    waiting.cancel = None
                    await self._release(thread_id, token)
        finally:
            waiting.users -= 1
            if waiting.users == 0:
                self._local.pop(place, None)

    async def _copy(self, thread_id: str, resource_id: str | None) -> str:
        try:
            return (await self._threads.clone(thread_id, resource_id=resource_id)).thread.id
        except NotFound:
            # The first request of this thread has not written anything yet: there is nothing to copy.
            return new_id()

    async def _acquire(self, thread_id: str) -> str:
        token = new_id()
        storage = self._threads.storage
        deadline = self._clock.monotonic() + self._patience
        # Nearly always nobody has the thread: one write finds that out and takes it.
        row: dict[str, str] | None = None
        while True:
            now = self._clock.now()
            if row is None or from_wire(row["until"]) < now:
                mine = {"token": token, "until": to_wire(now + self._lease)}
                expected = Expect(TURNS, thread_id, None if row is None else {"token": row["token"]})
                try:
                    await storage.write([expected, Put(TURNS, thread_id, mine)])
                except Conflict:
                    row = await storage.get(TURNS, thread_id)
                    continue
                return token
            if self._policy == "reject":
                raise Conflict("The thread answers another request.", hint="Wait for it, or use another thread.")
            if self._clock.monotonic() > deadline:
                raise StorageUnavailable("The thread was busy for too long.", hint="Try again.")
            await self._clock.sleep(0.05)
            row = await storage.get(TURNS, thread_id)

    async def _keep(self, thread_id: str, token: str) -> None:
        """Renew the lease while the turn lasts."""
        while True:
            await self._clock.sleep(self._lease.total_seconds() / 3)
            mine = {"token": token, "until": to_wire(self._clock.now() + self._lease)}
            try:
                await self._threads.storage.write(
                    [Expect(TURNS, thread_id, {"token": token}), Put(TURNS, thread_id, mine)]
                )
            except Conflict:
                return

    async def _release(self, thread_id: str, token: str) -> None:
        try:
            await self._threads.storage.write([Expect(TURNS, thread_id, {"token": token}), Delete(TURNS, thread_id)])
        except Conflict:
            # The lease ended and somebody else has the thread: it is theirs now.
            return
