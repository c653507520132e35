"""What one running server keeps: its application, options, table, limits, counters and open streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from mastra.memory.memory import Memory
from mastra.server.limits import Limiter, Rate
from mastra.server.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mastra.mastra import Mastra
    from mastra.server.audit import AuditLog
    from mastra.server.log_ring import LogRing
    from mastra.server.options import ServerOptions
    from mastra.server.siblings import Siblings
    from mastra.server.table import Table


class RunOwners:
    """Whose the detached runs of this process are; the oldest are forgotten first."""

    def __init__(self, keep: int = 20_000) -> None:
        self._owners: OrderedDict[str, str | None] = OrderedDict()
        self._keep = keep

    def remember(self, run_id: str, resource: str | None) -> None:
        """Note the owner of a run."""
        self._owners[run_id] = resource
        if len(self._owners) > self._keep:
            self._owners.popitem(last=False)

    def owner(self, run_id: str) -> str | None:
        """The owner of a run; None when nobody owns it or it is forgotten."""
        return self._owners.get(run_id)


def _limiter(there: Limiter | None, rate: Rate | None) -> Limiter | None:
    if there is not None and there.rate == rate:
        return there
    return Limiter(rate) if rate else None


class OpenStream:
    """A stream at work: when it last wrote, so that quiet ones get a heartbeat, and stalled readers are let go."""

    __slots__ = ("beat", "last", "stalled", "task", "writing")

    def __init__(self, beat: Callable[[], Awaitable[None]] | None, task: asyncio.Task[Any] | None = None) -> None:
        self.beat = beat
        self.last = time.monotonic()
        self.task = task
        # Since when a piece is being written; 0 while none is.
        self.writing = 0.0
        self.stalled = False


class State:
    """The server's own state, shared by all requests of one process."""

    def __init__(self, mastra: Mastra, options: ServerOptions, table: Table, audit: AuditLog | None) -> None:
        self.mastra = mastra
        self.options = options
        self.table = table
        self.audit = audit
        self.metrics = Metrics()
        self.started = time.monotonic()
        self.keys: Limiter | None = None
        self.addresses: Limiter | None = None
        self.guesses = Limiter(options.guess_rate)
        self.reconfigure(options)
        self.runs = RunOwners()
        self.logs: LogRing | None = None
        # The other workers, where there are several.
        self.siblings: Siblings | None = None
        self._memory: Memory | None = None
        self.streams: set[OpenStream] = set()
        self.stopping = False
        self._heart: asyncio.Task[None] | None = None

    def reconfigure(self, options: ServerOptions) -> None:
        """Take other options; what callers have used of a limit that stays the same is not forgotten."""
        self.options = options
        self.keys = _limiter(self.keys, options.rate_per_key)
        self.addresses = _limiter(self.addresses, options.rate_per_address)
        self.guesses = _limiter(self.guesses, options.guess_rate) or self.guesses

    @property
    def memory(self) -> Memory:
        """The application's memory: the registered one, or one over its storage."""
        if self._memory is None:
            registered = self.mastra.services.memories
            made: Memory = next(iter(registered.values())) if registered else Memory()
            if not registered:
                made.bind(self.mastra.services)
            self._memory = made
        return self._memory

    async def all_metrics(self) -> Metrics:
        """The counters of all workers together."""
        if self.siblings is None:
            return self.metrics
        theirs = [values[0] for values in await self.siblings.ask("metrics")]
        return Metrics.together([self.metrics.snapshot(), *theirs])

    async def find_logs(self, **wanted: Any) -> list[dict[str, Any]]:
        """The log records of all workers that fit, newest first."""
        rows = self.logs.find(**wanted) if self.logs is not None else []
        if self.siblings is None:
            return rows
        theirs = await self.siblings.ask("logs", wanted)
        return sorted((row for found in (rows, *theirs) for row in found), key=lambda row: row["time"], reverse=True)

    def opened(self, stream: OpenStream) -> None:
        """A stream began; the first one starts the heart."""
        self.streams.add(stream)
        self.metrics.streams = len(self.streams)
        if self._heart is None or self._heart.done():
            self._heart = asyncio.get_running_loop().create_task(self._beat(), name="mastra-heartbeats")

    def closed(self, stream: OpenStream) -> None:
        """A stream ended."""
        self.streams.discard(stream)
        self.metrics.streams = len(self.streams)

    async def _beat(self) -> None:
        pause, stall = self.options.heartbeat_s, self.options.stall_s
        while self.streams:
            await asyncio.sleep(min(pause, stall) / 3)
            now = time.monotonic()
            for stream in self.streams:
                # One look at all streams: a timer for each piece that is written would cost more than writing it.
                if stream.writing and now - stream.writing > stall and stream.task is not None:
                    stream.stalled = True
                    stream.task.cancel()
            horizon = now - pause
            for stream in [stream for stream in self.streams if stream.last < horizon and stream.beat is not None]:
                stream.last = time.monotonic()
                if stream.beat is not None:
                    with contextlib.suppress(Exception):
                        await asyncio.wait_for(stream.beat(), 1.0)

    async def stop(self) -> None:
        """Stop the heart."""
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.wait({self._heart})
