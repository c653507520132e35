"""Background: work that outlives a request. Every task has an owner, a name and a logged end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = logging.getLogger("mastra.background")


class Background:
    """A group of tasks whose errors are logged and never reach the run that started them."""

    def __init__(self, *, max_tasks: int = 10_000) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._max_tasks = max_tasks
        self._closing = False

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any] | None:
        """Run `coro` beside everything else; None (and a log line) when there is no room for it."""
        if self._closing or len(self._tasks) >= self._max_tasks:
            log.warning("background task %s was dropped: %s", name, "closing" if self._closing else "too many tasks")
            coro.close()
            return None
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self.adopt(task)
        return task

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Look after a task that exists already."""
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("background task %s failed: %s", task.get_name(), error, exc_info=error)

    async def settle(self) -> None:
        """Wait until nothing is left to do, including what the tasks themselves start."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def drain(self, deadline: float = 5.0) -> int:
        """Take no more work, give what runs `deadline` seconds, cancel the rest; how many were cancelled."""
        self._closing = True
        try:
            async with asyncio.timeout(deadline):
                await self.settle()
        except TimeoutError:
            left = set(self._tasks)
            for task in left:
                log.warning("background task %s was cancelled: no time left", task.get_name())
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=1.0)
            return len(left)
        finally:
            self._closing = False
        return 0
