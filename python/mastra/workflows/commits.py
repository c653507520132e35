"""Writes that are repeated while storage is away, and looked up first when one of them may have happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from mastra.errors import Conflict, StorageUnavailable
from mastra.workflows import crashpoints

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.runtime.clock import Clock
    from mastra.types.records import Operation

TRIES = 5


async def commit(
    storage: Storage, clock: Clock, batch: Sequence[Operation], is_written: Callable[[], Awaitable[bool]]
) -> None:
    """Write `batch` once. `Conflict`: it is surely not written; `StorageUnavailable`: nobody can tell.

    A batch whose commit broke is not simply written again: its own first copy would break its preconditions.
    """
    is_unsure = False
    for attempt in range(TRIES):
        try:
            if is_unsure and await is_written():
                return
            crashpoints.reach("before-commit")
            await storage.write(batch)
            crashpoints.reach("after-commit")
        except Conflict:
            # The server may have been at work on the first copy when it was looked for.
            if is_unsure and await is_written():
                return
            raise
        except StorageUnavailable:
            is_unsure = True
            if attempt == TRIES - 1:
                raise
            await clock.sleep(0.05 * 2**attempt)
        else:
            return
