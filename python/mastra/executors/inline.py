"""The executor that carries jobs in this process, as tasks beside each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self

from mastra.errors import BadSetting, ConfigError
from mastra.ports.executor import Executor, Job

log = logging.getLogger("mastra.executors")


class InlineExecutor(Executor):
    """At most `concurrency` jobs at once. What is not begun when it stops is simply left to the journal."""

    def __init__(self, *, concurrency: int = 1_000) -> None:
        if concurrency < 1:
            raise BadSetting("An executor carries at least one job at a time.")
        self._gate = asyncio.Semaphore(concurrency)
        self._handle: Callable[[Job], Awaitable[None]] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`inline:` or `inline:50` for at most 50 jobs at once."""
        count = url.partition(":")[2].strip("/")
        if count and not count.isdigit():
            raise BadSetting(f"{url!r} does not say how many jobs may run at once.", hint="Write inline:50.")
        return cls(concurrency=int(count)) if count else cls()

    async def start(self, handle: Callable[[Job], Awaitable[None]]) -> None:
        """Begin to carry jobs to `handle`."""
        self._handle = handle

    async def submit(self, job: Job) -> None:
        """Carry a job; one with an id that is at work is the same job."""
        if self._handle is None:
            raise ConfigError("The executor was not started.", hint="Call start(handle) first.")
        if job.id in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self._carry(job, self._handle), name=f"mastra-job-{job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    async def _carry(self, job: Job, handle: Callable[[Job], Awaitable[None]]) -> None:
        if job.not_before is not None:
            pause = (job.not_before - datetime.now(UTC)).total_seconds()
            if pause > 0:
                await asyncio.sleep(pause)
        async with self._gate:
            try:
                await handle(job)
            except Exception:
                log.exception("job %s failed", job.id)

    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Take no more jobs, wait up to `grace_s` for those at work, cancel the rest."""
        self._handle = None
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=grace_s)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)
