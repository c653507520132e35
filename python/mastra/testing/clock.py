"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta


class HandClock:
    """Time moved by hand: `await clock.advance(5)` wakes who slept until then, in order.

    With `jump=True` a sleep does not wait at all: it moves the clock. `slept` lists what was asked for.
    """

    def __init__(self, *, jump: bool = False, start: datetime | None = None, monotonic: float = 1000.0) -> None:
        self.jump = jump
        self.slept: list[float] = []
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = monotonic
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """The wall clock."""
        return self._now

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody moves the clock far enough."""
        self.slept.append(seconds)
        if self.jump:
            self._move(seconds)
            await asyncio.sleep(0)
            return
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, waiter))
        await waiter

    @property
    def sleepers(self) -> int:
        """How many wait."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move the clock; everybody whose time has come runs before this returns."""
        end = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, waiter = heapq.heappop(self._sleepers)
            self._move(max(0.0, at - self._monotonic))
            if not waiter.done():
                waiter.set_result(None)
            # Let it run, and what it wakes, before the time goes on.
            for _ in range(5):
                await asyncio.sleep(0)
        self._move(end - self._monotonic)

    def set_off(self, seconds: float) -> None:
        """Move only the wall clock, forward or back, as a time server or an administrator does."""
        self._now += timedelta(seconds=seconds)

    def _move(self, seconds: float) -> None:
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)
