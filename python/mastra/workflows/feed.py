"""The chunks of one run, kept so that any number of readers follow at their own pace, from any offset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mastra.types.chunks import Chunk

MAX_KEPT = 20_000


class Feed:
    """An append-only list with a bell. Writing never waits; who reads slowly holds up nobody but himself."""

    def __init__(self, on_chunk: Callable[[Chunk], None] | None = None) -> None:
        self._chunks: list[Chunk] = []
        self._dropped = 0
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []
        self.on_chunk = on_chunk

    def __len__(self) -> int:
        return self._dropped + len(self._chunks)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    def append(self, chunk: Chunk) -> None:
        """Add a chunk."""
        self._chunks.append(chunk)
        if len(self._chunks) > MAX_KEPT:
            cut = MAX_KEPT // 4
            del self._chunks[:cut]
            self._dropped += cut
        if self.on_chunk is not None:
            self.on_chunk(chunk)
        if self._waiters:
            self._wake()

    def close(self) -> None:
        """Nothing more will come until `reopen`."""
        self._closed = True
        self._wake()

    def reopen(self) -> None:
        """The run goes on: it was resumed."""
        self._closed = False

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def read(self, offset: int = 0) -> AsyncIterator[Chunk]:
        """Chunks from `offset` on, as they come, until the feed is closed."""
        position = max(offset, self._dropped)
        while True:
            position = max(position, self._dropped)
            index = position - self._dropped
            if index < len(self._chunks):
                yield self._chunks[index]
                position += 1
                continue
            if self._closed:
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
