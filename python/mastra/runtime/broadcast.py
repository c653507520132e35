"""RunLog: the chunks of a run as a log with offsets, so that a reader who lost the connection can go on."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from mastra.errors import InvalidInput, NotFound
from mastra.runtime.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mastra.types.chunks import Chunk


class Observed(NamedTuple):
    """A chunk and its place in the log; observe from `offset + 1` to go on after it."""

    offset: int
    chunk: Chunk


class RunLog:
    """What one run emitted, bounded: the oldest chunks are forgotten first and asking for them is an error."""

    def __init__(self, run_id: str, *, keep: int = 20_000, clock: Clock = SYSTEM_CLOCK) -> None:
        self.run_id = run_id
        self._chunks: deque[Chunk] = deque()
        self._first = 0
        self._keep = keep
        self._clock = clock
        self._changed: asyncio.Future[None] | None = None
        self.closed_at: float | None = None
        # How often it has been opened: a run that is resumed goes on in the same log.
        self.turn = 1

    def __len__(self) -> int:
        return self._first + len(self._chunks)

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self.closed_at is not None

    def append(self, chunk: Chunk) -> None:
        """Add a chunk; called by the run's stream."""
        self._chunks.append(chunk)
        if len(self._chunks) > self._keep:
            self._chunks.popleft()
            self._first += 1
        self._wake()

    def close(self, turn: int | None = None) -> None:
        """Nothing more will come. Who followed a `turn` that is over closes nothing."""
        if turn is not None and turn != self.turn:
            return
        if self.closed_at is None:
            self.closed_at = self._clock.monotonic()
        self._wake()

    def _wake(self) -> None:
        changed = self._changed
        if changed is not None:
            self._changed = None
            if not changed.done():
                changed.set_result(None)

    async def observe(self, offset: int = 0, *, over_pauses: bool = False) -> AsyncIterator[Observed]:
        """The chunks from `offset` on: first those that are there, then as they come, until the run ends.

        `over_pauses`: go on after that too, because a run that waits for somebody is resumed into the same log.
        """
        if offset < 0:
            raise InvalidInput("An offset cannot be negative.")
        while True:
            while offset < len(self):
                if offset < self._first:
                    raise NotFound(
                        f"The chunks before {self._first} of run {self.run_id} are no longer kept.",
                        hint="Read the thread's messages instead.",
                    )
                chunk = self._chunks[offset - self._first]
                yield Observed(offset, chunk)
                offset += 1
            if self.closed_at is not None and not over_pauses:
                return
            if self._changed is None:
                self._changed = asyncio.get_running_loop().create_future()
            # Shared by all observers: one that is cancelled must not take it from the others.
            await asyncio.shield(self._changed)


class RunLogs:
    """The logs of the runs at work and of those that ended a short while ago."""

    def __init__(self, *, keep_s: float = 300.0, max_runs: int = 10_000, clock: Clock = SYSTEM_CLOCK) -> None:
        self._logs: OrderedDict[str, RunLog] = OrderedDict()
        self._keep_s = keep_s
        self._max_runs = max_runs
        self._clock = clock
        self._next_sweep = 0.0

    def open(self, run_id: str) -> RunLog:
        """A new log for a run; one that is there already goes on when the run is resumed."""
        if self._clock.monotonic() >= self._next_sweep or len(self._logs) >= self._max_runs:
            self._expire()
        log = self._logs.get(run_id)
        if log is None:
            log = self._logs[run_id] = RunLog(run_id, clock=self._clock)
        else:
            log.closed_at = None
            log.turn += 1
            self._logs.move_to_end(run_id)
        return log

    def get(self, run_id: str) -> RunLog | None:
        """The log of a run, or None when it is unknown or forgotten."""
        log = self._logs.get(run_id)
        if log is not None and log.closed_at is not None and log.closed_at < self._clock.monotonic() - self._keep_s:
            return None
        return log

    def active(self) -> list[str]:
        """The ids of the runs at work."""
        return [run_id for run_id, log in self._logs.items() if not log.closed]

    def _expire(self) -> None:
        self._next_sweep = self._clock.monotonic() + self._keep_s / 10  # a sweep reads every log
        horizon = self._clock.monotonic() - self._keep_s
        over = len(self._logs) - self._max_runs
        gone = []
        for run_id, log in self._logs.items():
            if log.closed_at is not None and (log.closed_at < horizon or over > 0):
                gone.append(run_id)
                over -= 1
        for run_id in gone:
            del self._logs[run_id]
