"""Threads and messages read through a cache that all processes share; a change takes them out of it.

A key that is being changed is marked for a while, and what was read before the mark is not kept; so a reader that is
slower than a writer does not bring the old row back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra.errors import CacheError, MastraError
from mastra.memory.tables import MESSAGES, THREADS
from mastra.ports.storage import Storage
from mastra.types.json import dumps, loads

if TYPE_CHECKING:
    from mastra.ports.cache import Cache
    from mastra.types.records import Filter, Operation, Order, Page, Table

log = logging.getLogger("mastra.memory")
CACHED = frozenset({MESSAGES.name, THREADS.name})
# How long a row may stay, and how long a key that was changed is read from storage only.
TTL_S, MARK_S = 300.0, 10.0
MARK = b"!"
# Larger rows are read from storage.
MAX_BYTES = 256 * 1024


class ReadThrough(Storage):
    """Storage whose threads and messages are looked for in a cache first. Scans and counts never are."""

    def __init__(self, storage: Storage, cache: Cache) -> None:
        self.storage = storage
        self._cache = cache

    async def open(self) -> None:
        """Open both."""
        await self.storage.open()
        await self._cache.open()

    async def close(self) -> None:
        """Close the storage; the cache is its owner's."""
        await self.storage.close()

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        return (await self.get_many(table, [key])).get(key)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist: those that the cache has, then the others."""
        if table.name not in CACHED:
            return await self.storage.get_many(table, keys)
        wanted = list(dict.fromkeys(keys))
        kept = await asyncio.gather(*(self._kept(table, key) for key in wanted))
        pairs = list(zip(wanted, kept, strict=True))
        found = {key: loads(text) for key, text in pairs if text is not None and text != MARK}
        missing = [key for key in wanted if key not in found]
        if missing:
            rows = await self.storage.get_many(table, missing)
            marked = {key for key, text in pairs if text == MARK}
            await asyncio.gather(*(self._keep(table, key, row) for key, row in rows.items() if key not in marked))
            found.update(rows)
        return {key: found[key] for key in wanted if key in found}

    async def _kept(self, table: Table, key: str) -> bytes | None:
        try:
            return await self._cache.get(_name(table, key))
        except CacheError as error:
            log.info("the cache is away, rows are read from storage: %s", error)
            return None

    async def _keep(self, table: Table, key: str, row: dict[str, Any]) -> None:
        text = dumps(row).encode()
        if len(text) > MAX_BYTES or await self._kept(table, key) is not None:
            return
        try:
            await self._cache.set(_name(table, key), text, ttl_s=TTL_S)
        except MastraError as error:
            log.info("a row was not put into the cache: %s", error)

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """From storage."""
        return await self.storage.scan(table, where, order=order, after=after, limit=limit)

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """From storage."""
        return await self.storage.count(table, where)

    async def write(self, batch: Sequence[Operation]) -> None:
        """Mark what changes, write, mark again: whoever read between the two does not keep what it read."""
        names = {_name(item.table, item.key) for item in batch if item.table.name in CACHED}
        if names:
            await self._mark(names)
        try:
            await self.storage.write(batch)
        finally:
            # Also after an error: the write may have happened.
            if names:
                await self._mark(names)

    async def _mark(self, names: set[str]) -> None:
        marks = (self._cache.set(name, MARK, ttl_s=MARK_S) for name in names)
        for failure in await asyncio.gather(*marks, return_exceptions=True):
            if isinstance(failure, CacheError):
                log.warning("the cache is away: rows that change may be seen as they were until it forgets them")
                return
            if isinstance(failure, BaseException):
                raise failure


def _name(table: Table, key: str) -> str:
    digest = hashlib.sha256(f"{table.tenant}\0{key}".encode()).hexdigest()
    return f"memory:{table.name}:{digest}"
