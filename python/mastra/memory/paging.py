"""Numbered pages over cursors, and trying again when another writer was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mastra.errors import Conflict, InvalidInput, StorageUnavailable
from mastra.ports.storage import Storage
from mastra.types.records import Filter, Order, Table

T = TypeVar("T")
MAX_TRIES = 64
CHUNK = 1000


async def retry_conflicts(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again while somebody else was faster; the attempts read afresh each time."""
    for number in range(MAX_TRIES):
        try:
            return await attempt()
        except Conflict:
            # Others get their turn; the spread grows so that many writers do not stay in step.
            await asyncio.sleep(0 if number < 3 else min(0.002 * number, 0.05))
    raise StorageUnavailable("Others changed the same thread too often.", hint="Try again.")


async def read_page(
    storage: Storage, table: Table, where: Filter | None, order: Order, page: int, per_page: int | None
) -> tuple[list[dict[str, Any]], bool]:
    """The values of page number `page` (all of them when `per_page` is None), and whether more follow."""
    if type(page) is not int or page < 0 or (per_page is not None and (type(per_page) is not int or per_page < 0)):
        raise InvalidInput("page and perPage are whole numbers of at least 0.")
    if per_page == 0:
        return [], False
    skip = 0 if per_page is None else page * per_page
    rows: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        wanted = CHUNK if per_page is None else min(CHUNK, skip + per_page - len(rows))
        found = await storage.scan(table, where, order=order, after=after, limit=wanted)
        dropped = min(skip, len(found.records))
        skip -= dropped
        rows += [record.value for record in found.records[dropped:]]
        after = found.after
        if after is None or len(rows) == per_page:
            return rows, after is not None
