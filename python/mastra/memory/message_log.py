"""Messages in storage: written in a fixed order within their thread, read from either end in pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mastra.errors import InvalidInput
from mastra.memory.paging import read_page
from mastra.memory.tables import MESSAGES
from mastra.ports.storage import Storage
from mastra.types.ids import check_id
from mastra.types.messages import Message
from mastra.types.records import Filter, Order
from mastra.types.times import from_wire, to_wire

Row = dict[str, Any]
MAX_NEIGHBOURS = 200
_NEIGHBOURS = ("withPreviousMessages", "withNextMessages")


class MessagePage(NamedTuple):
    """One page of messages, oldest first unless asked otherwise, and how many there are."""

    messages: list[Message]
    total: int
    page: int
    per_page: int | None
    has_more: bool

    def to_wire(self) -> Row:
        """The JSON of the HTTP protocol."""
        return {
            "messages": [message.to_wire() for message in self.messages],
            "total": self.total,
            "page": self.page,
            "perPage": False if self.per_page is None else self.per_page,
            "hasMore": self.has_more,
            "uiMessages": None,
        }


def stored_message(
    message: Row, thread: Row, known: Row | None, run_id: str | None, step: int, *, keep_time: bool
) -> Row | None:
    """The row of a message; counts up the thread's sequence for a new one. None when it is there already, or newer."""
    if known is not None and known.get("threadId") != thread["id"]:
        raise InvalidInput(
            f"A message with the id {message['id']!r} exists in another thread.", hint="Give each message its own id."
        )
    if known is not None and run_id is not None and known.get("run") == run_id and known["step"] > step:
        return None
    if known is not None:
        order, created = known["order"], known["createdAt"]
        step = max(step, known["step"]) if known.get("run") == run_id else known["step"] + 1
    else:
        thread["seq"] += 1
        created = message["createdAt"]
        # A clock that goes back does not reorder a conversation.
        time = created if keep_time else max(created, thread["last"])
        thread["last"] = max(time, thread["last"])
        order = f"{time}/{thread['seq']:010d}"
    return {
        **message,
        "threadId": thread["id"],
        "resourceId": thread["resourceId"],
        "createdAt": created,
        "order": order,
        "run": run_id,
        "step": step,
    }


def range_filter(start: str | None, end: str | None) -> Filter:
    """Messages between two moments, both included."""
    bounds: Filter = {}
    if start is not None:
        bounds["$gte"] = to_wire(from_wire(start, "start"))
    if end is not None:
        # "~" sorts after every digit, so all messages of the last millisecond are in.
        bounds["$lt"] = to_wire(from_wire(end, "end")) + "/~"
    return {"order": bounds} if bounds else {}


class MessageLog:
    """Reading messages; `ThreadRepo.append` writes them."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def last(self, where: Filter, limit: int) -> list[Row]:
        """The newest `limit` messages, oldest first."""
        page = await self._storage.scan(MESSAGES, where, order=Order("order", True), limit=limit)
        return [record.value for record in reversed(page.records)]

    async def rows(self, thread_id: str, *, start: str | None = None, end: str | None = None) -> list[Row]:
        """All messages of a thread, oldest first."""
        where: Filter = {"threadId": thread_id, **range_filter(start, end)}
        rows: list[Row] = []
        after: str | None = None
        while True:
            page = await self._storage.scan(MESSAGES, where, order=Order("order"), after=after, limit=1000)
            rows += [record.value for record in page.records]
            after = page.after
            if after is None:
                return rows

    async def around(self, place: Mapping[str, Any], before: int, after: int) -> list[Row]:
        """The message at the `order` of a `threadId` with its neighbours, oldest first; both sides read at once."""
        thread, order = place["threadId"], place["order"]
        newer: Filter = {"threadId": thread, "order": {"$gt": order}}
        older, page = await asyncio.gather(
            self.last({"threadId": thread, "order": {"$lte": order}}, min(before, MAX_NEIGHBOURS) + 1),
            self._storage.scan(MESSAGES, newer, order=Order("order"), limit=min(max(after, 1), MAX_NEIGHBOURS)),
        )
        return [*older, *(record.value for record in page.records[:after])]

    async def get_many(self, ids: Sequence[str]) -> dict[str, Row]:
        """The messages of these ids that exist."""
        return await self._storage.get_many(MESSAGES, ids)

    async def page(
        self,
        where: Filter,
        *,
        owner: str,
        page: int,
        per_page: int | None,
        direction: Literal["ASC", "DESC"] = "ASC",
        start: str | None = None,
        end: str | None = None,
        include: Sequence[Mapping[str, Any]] = (),
    ) -> MessagePage:
        """A page, ordered by time; oldest first where messages around the included ones of the owner are put in."""
        condition: Filter = {**where, **range_filter(start, end)}
        order = Order("order", direction == "DESC")
        rows, more = await read_page(self._storage, MESSAGES, condition, order, page, per_page)
        total = await self._storage.count(MESSAGES, condition)
        extra = await self._included(owner, include)
        if extra:
            merged = {row["id"]: row for row in [*rows, *extra]}
            # What was put in belongs to no page: all of it reads in the order in which it was said.
            rows = sorted(merged.values(), key=lambda row: str(row["order"]))
        return MessagePage([Message.from_wire(row) for row in rows], total, page, per_page, more)

    async def _included(self, owner: str, include: Sequence[Mapping[str, Any]]) -> list[Row]:
        wanted = {item["id"]: item for item in map(_checked, include)}
        found = await self.get_many(list(wanted)) if wanted else {}
        rows: list[Row] = []
        for message_id, row in found.items():
            # Somebody else's message is not shown because you know its id.
            if row["resourceId"] != owner:
                continue
            item = wanted[message_id]
            rows += await self.around(row, item.get("withPreviousMessages") or 0, item.get("withNextMessages") or 0)
        return rows


def _checked(item: Any) -> Mapping[str, Any]:
    """An included message: its id and how many neighbours come with it."""
    counts = [item.get(name) or 0 for name in _NEIGHBOURS] if isinstance(item, Mapping) else []
    fits = all(type(count) is int and count >= 0 for count in counts)
    if not counts or not fits or not isinstance(item.get("id"), str):
        raise InvalidInput(
            "An included message names its id and how many neighbours come with it.",
            hint="Use {id, withPreviousMessages, withNextMessages}.",
        )
    check_id(item["id"], "message id")
    checked: Mapping[str, Any] = item
    return checked
