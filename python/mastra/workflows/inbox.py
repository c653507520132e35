"""Events that were sent to a run and wait to be taken."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, NamedTuple


class RunEvent(NamedTuple):
    """An event sent to a run; `key` is its row in storage, empty without storage."""

    name: str
    data: Any
    key: str = ""


class Inbox:
    """The events of one run in this process: kept in order, taken once."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[RunEvent]] = {}
        self._bell = asyncio.Event()

    async def put(self, name: str, data: Any) -> None:
        """Accept an event."""
        self._kept.setdefault(name, deque()).append(RunEvent(name, data))
        self.ring()

    async def next(self, name: str) -> RunEvent | None:
        """Take the oldest event of this name."""
        kept = self._kept.get(name)
        return kept.popleft() if kept else None

    def ring(self) -> None:
        """Wake whoever waits: something may have come."""
        self._bell.set()
        self._bell = asyncio.Event()

    async def wait(self, name: str, seconds: float | None) -> None:  # noqa: ARG002 - one bell serves all names
        """Return when something may have come, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return
