"""Threads in storage: made, found, changed and removed, always with the owner as part of the condition."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mastra.errors import AccessDenied, Conflict, InvalidInput, NotFound
from mastra.memory.message_log import MessageLog, MessagePage, stored_message
from mastra.memory.paging import read_page, retry_conflicts
from mastra.memory.tables import DUE, MESSAGES, ROLES, THREADS, WORKING_MEMORY, are_parts, cleaned
from mastra.ports.storage import Storage
from mastra.runtime.clock import SYSTEM_CLOCK, Clock
from mastra.types.ids import check_id, new_id
from mastra.types.messages import Message
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Put
from mastra.types.threads import Thread
from mastra.types.times import to_wire

Row = dict[str, Any]
Direction = Literal["ASC", "DESC"]

MAX_CACHED = 2048
DELETE_BATCH = 500


class ThreadPage(NamedTuple):
    """One page of threads and how many there are."""

    threads: list[Thread]
    total: int
    page: int
    per_page: int | None
    has_more: bool

    def to_wire(self) -> Row:
        """The JSON of the HTTP protocol."""
        return {
            "threads": [thread.to_wire() for thread in self.threads],
            "total": self.total,
            "page": self.page,
            "perPage": False if self.per_page is None else self.per_page,
            "hasMore": self.has_more,
        }


class Clone(NamedTuple):
    """A cloned thread, its messages, and which message became which."""

    thread: Thread
    messages: list[Message]
    message_ids: dict[str, str]

    def to_wire(self) -> Row:
        """The JSON of the HTTP protocol."""
        return {
            "thread": self.thread.to_wire(),
            "messageIdMap": self.message_ids,
            "clonedMessages": [message.to_wire() for message in self.messages],
        }


class ThreadRepo:
    """Threads and their messages over any storage.

    A thread's row carries a revision; every change expects the one it read, so two writers never mix. The rows last
    seen are kept in memory: appending a step is one write, and a stale row only costs a second try.
    """

    def __init__(self, storage: Storage, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.storage = storage
        self.messages = MessageLog(storage)
        # Whether somebody keeps vectors of the messages and must hear of what was moved and removed.
        self.has_vectors = False
        self._clock = clock
        self._seen: OrderedDict[str, Row] = OrderedDict()
        # Message id -> (run, step, order): what this process wrote, to write it again without reading.
        self._written: OrderedDict[str, Row] = OrderedDict()

    # ---------------------------------------------------------------- threads

    async def create(
        self,
        *,
        resource_id: str,
        thread_id: str | None = None,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Thread:
        """A new thread; one that exists and belongs to the same resource gets the title and metadata."""
        thread_id = new_id() if thread_id is None else check_id(thread_id, "thread id")
        row = self._new_row(thread_id, check_id(resource_id, "resource id"), title, metadata)
        try:
            await self.storage.write([Expect(THREADS, thread_id), Put(THREADS, thread_id, row)])
        except Conflict:
            return await self.update(thread_id, resource_id=resource_id, title=title or None, metadata=metadata)
        self._remember(row)
        return Thread.from_wire(row)

    def _new_row(self, thread_id: str, resource_id: str, title: str, metadata: Mapping[str, Any] | None) -> Row:
        now = self._clock.now()
        thread = Thread(
            id=thread_id,
            resource_id=resource_id,
            title=cleaned(title),
            metadata=None if metadata is None else cleaned(dict(metadata)),
            created_at=now,
            updated_at=now,
        )
        return {**thread.to_wire(), "rev": 1, "seq": 0, "last": ""}

    async def get(self, thread_id: str, *, resource_id: str | None = None) -> Thread | None:
        """The thread or None; `AccessDenied` when it belongs to another resource than `resource_id`."""
        row = await self.row(thread_id, resource_id=resource_id)
        return None if row is None else Thread.from_wire(row)

    async def row(self, thread_id: str, *, resource_id: str | None = None) -> Row | None:
        """The stored row, remembered for the next append."""
        row = await self.storage.get(THREADS, check_id(thread_id, "thread id"))
        if row is None:
            self._seen.pop(thread_id, None)
            return None
        check_owner(row, resource_id)
        self._remember(row)
        return row

    async def find(
        self,
        *,
        resource_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        where: Filter | None = None,
        page: int = 0,
        per_page: int | None = 100,
        order_by: Literal["createdAt", "updatedAt"] = "createdAt",
        direction: Direction = "DESC",
    ) -> ThreadPage:
        """Threads of a resource (or of all), by metadata, in pages; `per_page=None` lists all."""
        conditions: list[Filter] = []
        if resource_id is not None:
            conditions.append({"resourceId": check_id(resource_id, "resource id")})
        for key, value in (metadata or {}).items():
            # The pairs of an object in an object: the key is data, whatever characters it has.
            conditions.append({"metadata": {"$contains": {key: value}}})
        if where:
            conditions.append(where)
        condition: Filter | None = {"$and": conditions} if conditions else None
        order = Order(order_by, direction == "DESC")
        rows, more = await read_page(self.storage, THREADS, condition, order, page, per_page)
        total = await self.storage.count(THREADS, condition)
        return ThreadPage([Thread.from_wire(row) for row in rows], total, page, per_page, more)

    async def update(
        self,
        thread_id: str,
        *,
        resource_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        merge: bool = False,
    ) -> Thread:
        """Change title and metadata (replaced, or merged with `merge`); None leaves a part as it is."""

        def change(row: Row) -> Row:
            if title is not None:
                row["title"] = cleaned(title)
            if metadata is not None:
                old = row.get("metadata") or {}
                row["metadata"] = cleaned({**old, **metadata} if merge else dict(metadata))
            return row

        return await self.change(thread_id, resource_id, change)

    async def change(
        self,
        thread_id: str,
        resource_id: str | None,
        change: Callable[[Row], Row],
        extra: Callable[[Row], list[Operation]] | None = None,
    ) -> Thread:
        """Change the row of a thread as one step, however many others do the same."""

        async def attempt() -> Thread:
            row = await self.require(thread_id, resource_id)
            rev = row["rev"]
            changed = {**change(dict(row)), "rev": rev + 1, "updatedAt": to_wire(self._clock.now())}
            batch: list[Operation] = [Expect(THREADS, thread_id, {"rev": rev}), Put(THREADS, thread_id, changed)]
            await self.storage.write(batch + (extra(changed) if extra else []))
            self._remember(changed)
            return Thread.from_wire(changed)

        return await retry_conflicts(attempt)

    async def require(self, thread_id: str, resource_id: str | None) -> Row:
        """The stored row of a thread that must be there."""
        row = await self.row(thread_id, resource_id=resource_id)
        if row is None:
            raise NotFound("Thread not found", details={"thread_id": thread_id})
        return row

    async def transfer(self, thread_id: str, to_resource_id: str, *, resource_id: str | None = None) -> Thread:
        """Give the thread and its messages to another resource; a crash half-way is finished by doing it again."""
        check_id(to_resource_id, "resource id")
        thread = await self.change(
            thread_id,
            resource_id,
            lambda row: {**row, "resourceId": to_resource_id},
            lambda _row: [Put(DUE, f"move/{thread_id}", {"kind": "move", "threadId": thread_id, "at": ""})],
        )
        await self.finish_transfer(thread_id)
        return thread

    async def finish_transfer(self, thread_id: str) -> None:
        """Bring the messages to the resource of their thread."""
        row = await self.storage.get(THREADS, thread_id)
        owner = None if row is None else row["resourceId"]
        while row is not None:
            where: Filter = {"threadId": thread_id, "resourceId": {"$ne": owner}}
            page = await self.storage.scan(MESSAGES, where, order=Order("order"), limit=DELETE_BATCH)
            if not page.records:
                break
            await self.storage.write(
                [Put(MESSAGES, record.key, {**record.value, "resourceId": owner}) for record in page.records]
            )
        done: list[Operation] = [Delete(DUE, f"move/{thread_id}")]
        if self.has_vectors and row is not None:
            done.append(Put(DUE, f"reindex/{thread_id}", {"kind": "reindex", "threadId": thread_id, "at": ""}))
        await self.storage.write(done)

    async def delete(self, thread_id: str, *, resource_id: str | None = None) -> None:
        """Remove the thread, its messages and its working memory. What is running on it cannot bring it back."""

        async def attempt() -> None:
            row = await self.require(thread_id, resource_id)
            due = {"threadId": thread_id, "at": to_wire(self._clock.now())}
            batch: list[Operation] = [
                Expect(THREADS, thread_id, {"rev": row["rev"]}),
                Delete(THREADS, thread_id),
                Delete(WORKING_MEMORY, f"thread/{thread_id}"),
                Put(DUE, f"sweep/{thread_id}", {"kind": "sweep", **due}),
            ]
            if self.has_vectors:
                batch.append(Put(DUE, f"forget/{thread_id}", {"kind": "forget", **due}))
            await self.storage.write(batch)

        await retry_conflicts(attempt)
        if thread_id in self._seen:
            # A run that still appends finds this mark and is refused.
            self._seen[thread_id] = {**self._seen[thread_id], "deleted": True}
        await self.finish_delete(thread_id)

    async def finish_delete(self, thread_id: str) -> None:
        """Remove the messages of a thread that is gone, some at a time so that nobody waits long."""
        while await self.storage.get(THREADS, thread_id) is None:
            page = await self.storage.scan(MESSAGES, {"threadId": thread_id}, order=Order("order"), limit=DELETE_BATCH)
            if not page.records:
                break
            await self.storage.write([Delete(MESSAGES, record.key) for record in page.records])
        await self.storage.write([Delete(DUE, f"sweep/{thread_id}")])

    async def finish_due(self) -> None:
        """Finish the moves and removals that a crash interrupted."""
        for kind, finish in (("move", self.finish_transfer), ("sweep", self.finish_delete)):
            page = await self.storage.scan(DUE, {"kind": kind}, order=Order("at"), limit=1000)
            for record in page.records:
                await finish(record.value["threadId"])

    async def clone(
        self,
        thread_id: str,
        *,
        resource_id: str | None = None,
        new_thread_id: str | None = None,
        to_resource_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        message_limit: int | None = None,
        message_ids: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> Clone:
        """A copy of the thread with copies of its messages: the last `message_limit`, named ones, or of some time."""
        source = await self.require(thread_id, resource_id)
        new_thread_id = new_id() if new_thread_id is None else check_id(new_thread_id, "thread id")
        owner = source["resourceId"] if to_resource_id is None else check_id(to_resource_id, "resource id")
        rows = await self.messages.rows(thread_id, start=start, end=end)
        if message_ids is not None:
            wanted = set(message_ids)
            rows = [row for row in rows if row["id"] in wanted]
        if message_limit is not None:
            rows = rows[-message_limit:] if message_limit > 0 else []
        renamed = {row["id"]: new_id() for row in rows}
        made = self._new_row(new_thread_id, owner, source["title"] if title is None else title, metadata)
        mark = {"sourceThreadId": thread_id, "clonedAt": made["createdAt"]}
        if rows:
            mark["lastMessageId"] = rows[-1]["id"]
        made["metadata"] = {**(made["metadata"] or source.get("metadata") or {}), "clone": mark}
        copies = []
        for number, row in enumerate(rows, 1):
            copy = {**row, "id": renamed[row["id"]], "threadId": new_thread_id, "resourceId": owner}
            copy["order"] = f"{row['order'].partition('/')[0]}/{number:010d}"
            copies.append(copy)
        if source.get("pinned"):
            made["pinned"] = [renamed[one] for one in source["pinned"] if one in renamed]
        made["seq"] = len(copies)
        made["last"] = max((copy["order"].partition("/")[0] for copy in copies), default="")
        await self._write_clone(made, copies)
        self._remember(made)
        return Clone(Thread.from_wire(made), [Message.from_wire(copy) for copy in copies], renamed)

    async def _write_clone(self, made: Row, copies: list[Row]) -> None:
        """All in one batch when it fits; else the messages first, so that the thread appears whole."""
        puts: list[Operation] = [Put(MESSAGES, copy["id"], copy) for copy in copies]
        last: list[Operation] = [Expect(THREADS, made["id"]), Put(THREADS, made["id"], made)]
        while len(puts) > 2 * DELETE_BATCH:
            await self.storage.write(puts[:DELETE_BATCH])
            puts = puts[DELETE_BATCH:]
        await self.storage.write(last + puts)

    # ---------------------------------------------------------------- messages

    async def append(
        self,
        thread_id: str,
        resource_id: str | None,
        messages: Sequence[Message],
        *,
        run_id: str | None = None,
        step: int = 0,
        create: bool = True,
        keep_time: bool = False,
        extra: Callable[[list[Row]], list[Operation]] | None = None,
        seen: Row | tuple[()] | None = (),
        once: bool = False,
    ) -> list[Row]:
        """Add messages to a thread (made when `create`), or write the same ones again, in one batch.

        A message that a later step of the same run wrote already is left alone, so a retry changes nothing.
        `keep_time` sorts the messages by their own time instead of after all that is there. `seen` is the thread's row
        as the caller knows it (None: there is none); with `once` a `Conflict` is the caller's, not tried again.
        """
        check_id(thread_id, "thread id")
        plain = [cleaned(message.to_wire()) for message in messages]
        for message in plain:
            check_id(message["id"], "message id")
        first = True

        async def attempt() -> list[Row]:
            nonlocal first
            fresh, first = not first, False
            return await self._append_once(
                thread_id, resource_id, plain, run_id=run_id, step=step, create=create, keep_time=keep_time,
                extra=extra, fresh=fresh, seen=seen,
            )  # fmt: skip

        return await (attempt() if once else retry_conflicts(attempt))

    async def _append_once(
        self,
        thread_id: str,
        resource_id: str | None,
        plain: list[Row],
        *,
        run_id: str | None,
        step: int,
        create: bool,
        keep_time: bool,
        extra: Callable[[list[Row]], list[Operation]] | None,
        fresh: bool,
        seen: Row | tuple[()] | None,
    ) -> list[Row]:
        known_row = self._seen.get(thread_id)
        if seen != () and not fresh:
            row = seen or None
        else:
            row = await self.storage.get(THREADS, thread_id) if fresh or known_row is None else known_row
        if row is None and (known_row is not None or not create):
            raise NotFound("Thread not found", hint="It was deleted.", details={"thread_id": thread_id})
        if row is not None and row.get("deleted"):
            if await self.storage.get(THREADS, thread_id) is None:
                self._seen.pop(thread_id, None)
                raise NotFound("Thread not found", hint="It was deleted.", details={"thread_id": thread_id})
            raise Conflict("The thread was deleted and made again.")
        batch: list[Operation] = []
        if row is None:
            owner = thread_id if resource_id is None else check_id(resource_id, "resource id")
            row = self._new_row(thread_id, owner, "", None)
            batch.append(Expect(THREADS, thread_id))
        else:
            check_owner(row, resource_id)
            batch.append(Expect(THREADS, thread_id, {"rev": row["rev"]}))
        known = await self._known([message["id"] for message in plain], read=fresh)
        changed = {**row, "rev": row["rev"] + 1, "updatedAt": to_wire(self._clock.now())}
        rows: list[Row] = []
        for message in plain:
            made = stored_message(message, changed, known.get(message["id"]), run_id, step, keep_time=keep_time)
            if made is None:
                continue
            old = known.get(message["id"])
            guard = None if old is None else {"threadId": thread_id, "step": old["step"]}
            batch += [Expect(MESSAGES, message["id"], guard), Put(MESSAGES, message["id"], made)]
            rows.append(made)
        if not rows and len(plain) > 0:
            return []
        batch.append(Put(THREADS, thread_id, changed))
        await self.storage.write(batch + (extra(rows) if extra else []))
        self._remember(changed)
        for made in rows:
            self._written[made["id"]] = {
                key: made.get(key) for key in ("threadId", "run", "step", "order", "createdAt")
            }
            self._written.move_to_end(made["id"])
        while len(self._written) > MAX_CACHED:
            self._written.popitem(last=False)
        return rows

    async def _known(self, ids: list[str], *, read: bool) -> dict[str, Row]:
        if read:
            return await self.storage.get_many(MESSAGES, ids)
        return {message_id: self._written[message_id] for message_id in ids if message_id in self._written}

    async def list_messages(
        self,
        thread_id: str,
        *,
        resource_id: str | None = None,
        page: int = 0,
        per_page: int | None = 40,
        direction: Direction = "ASC",
        start: str | None = None,
        end: str | None = None,
        include: Sequence[Mapping[str, Any]] = (),
    ) -> MessagePage:
        """A page of a thread's messages, with neighbours of the ones named in `include`."""
        row = await self.require(thread_id, resource_id)
        return await self.messages.page(
            {"threadId": thread_id},
            owner=row["resourceId"],
            page=page,
            per_page=per_page,
            direction=direction,
            start=start,
            end=end,
            include=include,
        )

    async def update_messages(
        self, changes: Sequence[Mapping[str, Any]], *, resource_id: str | None = None
    ) -> list[Row]:
        """Change messages by id: `content` is merged part by part, role and type are replaced. The changed rows."""
        for change in changes:
            _check_change(change)

        async def attempt() -> list[Row]:
            found = await self.messages.get_many([change["id"] for change in changes])
            batch: list[Operation] = []
            rows: list[Row] = []
            for change in changes:
                old = found.get(change["id"])
                if old is None:
                    raise NotFound("Message not found", details={"message_id": change["id"]})
                check_owner(old, resource_id)
                new = {**old, **{key: change[key] for key in ("role", "type") if key in change}}
                new["content"] = cleaned({**old["content"], **change.get("content", {})})
                new["step"] = old["step"] + 1
                batch += [Expect(MESSAGES, old["id"], {"step": old["step"], **_owned(old)})]
                batch += [Put(MESSAGES, old["id"], new)]
                rows.append(new)
            await self.storage.write(batch)
            for row in rows:
                self._written.pop(row["id"], None)
            return rows

        return await retry_conflicts(attempt)

    async def delete_messages(self, ids: Sequence[str], *, resource_id: str | None = None) -> list[str]:
        """Remove messages by id; the ids that were there. One of another resource refuses the whole call."""
        wanted = [check_id(message_id, "message id") for message_id in ids]

        async def attempt() -> list[str]:
            found = await self.messages.get_many(wanted)
            batch: list[Operation] = []
            for message_id, row in found.items():
                check_owner(row, resource_id)
                batch += [Expect(MESSAGES, message_id, _owned(row)), Delete(MESSAGES, message_id)]
            if self.has_vectors and found:
                due = {"kind": "drop", "messageIds": list(found), "at": to_wire(self._clock.now())}
                batch.append(Put(DUE, f"drop/{new_id()}", due))
            await self.storage.write(batch)
            for message_id in found:
                self._written.pop(message_id, None)
            return list(found)

        return await retry_conflicts(attempt)

    def revision(self, thread_id: str) -> int | None:
        """The revision of the thread that was last read or written here, or None."""
        row = self._seen.get(thread_id)
        return None if row is None or row.get("deleted") else int(row["rev"])

    def _remember(self, row: Row) -> None:
        self._seen[row["id"]] = row
        self._seen.move_to_end(row["id"])
        while len(self._seen) > MAX_CACHED:
            self._seen.popitem(last=False)


def _owned(row: Row) -> Filter:
    """What a write expects of a message: it has not changed hands since it was looked at."""
    return {"threadId": row["threadId"], "resourceId": row["resourceId"]}


def _check_change(change: Mapping[str, Any]) -> None:
    """A change of a message, or an `InvalidInput` that names what is wrong with it."""
    if not isinstance(change, Mapping):
        raise InvalidInput("A change of a message is an object.")
    check_id(change.get("id"), "message id")
    problems = []
    if change.get("role", "user") not in ROLES:
        problems.append({"field": "role", "message": "user, assistant, system, tool or signal"})
    if not isinstance(change.get("type"), str | None):
        problems.append({"field": "type", "message": "a text"})
    content = change.get("content", {})
    if not isinstance(content, Mapping) or not are_parts(content.get("parts", [])):
        problems.append({"field": "content", "message": "an object; its parts are objects with a type"})
    if problems:
        raise InvalidInput("The change of a message is not valid.", issues=problems)


def check_owner(row: Row, resource_id: str | None) -> None:
    """`AccessDenied` when a resource is named and the row belongs to another."""
    if resource_id is not None and row.get("resourceId") != resource_id:
        raise AccessDenied(
            "Access denied: thread belongs to a different resource", details={"thread_id": row.get("id")}
        )
