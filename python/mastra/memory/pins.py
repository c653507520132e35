"""Pinned messages: the model sees them for as long as they are pinned, however long the thread has become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mastra.memory.threads import ThreadRepo
from mastra.types.ids import check_id

Row = dict[str, Any]
# All of them are read with every turn.
MOST = 50


async def pin(threads: ThreadRepo, thread_id: str, ids: Sequence[str], resource_id: str | None) -> list[str]:
    """Pin messages of the thread; all that are pinned now, in the order in which they were."""
    check_id(thread_id, "thread id")
    found = await threads.messages.get_many([check_id(one, "message id") for one in ids])
    for message_id in ids:
        # Somebody else's message is as unknown as one that is not there.
        if message_id not in found or found[message_id]["threadId"] != thread_id:
            raise NotFound(f"There is no message {message_id[:80]!r} in the thread.")

    def change(row: Row) -> Row:
        row["pinned"] = list(dict.fromkeys([*row.get("pinned", ()), *ids]))
        if len(row["pinned"]) > MOST:
            raise InvalidInput(f"A thread can have {MOST} pinned messages.", hint="Unpin some first.")
        return row

    return await _changed(threads, thread_id, resource_id, change)


async def unpin(threads: ThreadRepo, thread_id: str, ids: Sequence[str], resource_id: str | None) -> list[str]:
    """Let messages go with the others again; those that are still pinned. Ids that are not are no mistake."""

    def change(row: Row) -> Row:
        row["pinned"] = [one for one in row.get("pinned", ()) if one not in ids]
        return row

    return await _changed(threads, thread_id, resource_id, change)


async def _changed(threads: ThreadRepo, thread_id: str, resource_id: str | None, change: Any) -> list[str]:
    await threads.change(thread_id, resource_id, change)
    row = await threads.require(thread_id, resource_id)
    return list(row.get("pinned", ()))


async def pinned_rows(threads: ThreadRepo, thread: Row, known: Sequence[Row]) -> tuple[list[Row], frozenset[str]]:
    """The pinned messages that are not among the known ones, and the ids of all; deleted ones are gone."""
    ids = thread["pinned"]
    here = {row["id"] for row in known}
    found = await threads.messages.get_many([one for one in ids if one not in here])
    return [row for row in found.values() if row["threadId"] == thread["id"]], frozenset(ids)
