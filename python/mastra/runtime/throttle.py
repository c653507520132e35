"""Holds calls back before the provider has to: requests and tokens a minute, and how many at once, in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from mastra.errors import BadDefinition, RateLimited
from mastra.runtime.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from mastra.runtime.clock import Clock


class Bucket:
    """A token bucket: fills with the time, holds a minute's worth."""

    __slots__ = ("_clock", "_filled_at", "_level", "_rate", "size")

    def __init__(self, per_minute: float, clock: Clock) -> None:
        if per_minute <= 0:
            raise BadDefinition("A rate limit must be more than 0 a minute.")
        self.size = per_minute
        self._rate = per_minute / 60
        self._level = per_minute
        self._clock = clock
        self._filled_at = clock.monotonic()

    def wait_for(self, amount: float) -> float:
        """Seconds until `amount` is there; more than the bucket holds counts as all that it holds."""
        now = self._clock.monotonic()
        self._level = min(self.size, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        lacking = min(amount, self.size) - self._level
        return 0.0 if lacking <= 1e-9 else lacking / self._rate

    def take(self, amount: float) -> None:
        """Take; the level may go below zero when more was used than was asked for."""
        self._level -= amount


class Throttle:
    """A fair queue in front of a provider."""

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_concurrent: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if max_concurrent is not None and max_concurrent < 1:
            raise BadDefinition("max_concurrent must be at least 1.")
        self._requests = None if requests_per_minute is None else Bucket(requests_per_minute, clock)
        self._tokens = None if tokens_per_minute is None else Bucket(tokens_per_minute, clock)
        self._slots = max_concurrent
        self._clock = clock
        self._active = 0
        # Somebody at the head of the queue waits for the buckets to fill.
        self._busy = False
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._queue)

    @property
    def active(self) -> int:
        """How many calls are under way."""
        return self._active

    async def enter(self, tokens: int = 0, deadline: float | None = None) -> None:
        """Wait for this call's turn; `RateLimited` at once when the deadline would pass before."""
        await self._wait_for_turn(deadline)
        try:
            await self._fill(tokens, deadline)
        except BaseException:
            self._busy = False
            self.leave()
            raise
        if self._requests is not None:
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(tokens)
        # Only now may the next one look at the buckets: nobody overtakes.
        self._busy = False
        self._wake()

    async def _fill(self, tokens: int, deadline: float | None) -> None:
        """Wait until the buckets hold enough."""
        waits = [0.0]
        if self._requests is not None:
            waits.append(self._requests.wait_for(1))
        if self._tokens is not None:
            waits.append(self._tokens.wait_for(tokens))
        wait = max(waits)
        if wait <= 0:
            return
        if deadline is not None and self._clock.monotonic() + wait > deadline:
            raise RateLimited(
                f"The own rate limit asks to wait {wait:.1f} s, which is longer than the run may take.",
                retry_after=wait,
                retryable=False,
            )
        await self._clock.sleep(wait)

    async def _wait_for_turn(self, deadline: float | None) -> None:
        if not self._queue and self._is_free():
            self._take_turn()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            if deadline is None:
                await turn
            else:
                async with asyncio.timeout(max(0.0, deadline - self._clock.monotonic())):
                    await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The turn came and nobody takes it.
                self._busy = False
                self.leave()
            else:
                self._queue.remove(turn)
            if isinstance(error, TimeoutError):
                raise RateLimited("The deadline passed in the queue of the own rate limit.", retryable=False) from None
            raise

    def _is_free(self) -> bool:
        return not self._busy and (self._slots is None or self._active < self._slots)

    def _take_turn(self) -> None:
        self._active += 1
        self._busy = self._requests is not None or self._tokens is not None

    def _wake(self) -> None:
        while self._queue and self._is_free():
            turn = self._queue.popleft()
            if not turn.done():
                self._take_turn()
                turn.set_result(None)

    def leave(self) -> None:
        """The call is over."""
        self._active -= 1
        self._wake()

    def settle(self, estimated: int, used: int) -> None:
        """Correct the tokens once it is known what the call used."""
        if self._tokens is not None:
            self._tokens.take(used - estimated)
