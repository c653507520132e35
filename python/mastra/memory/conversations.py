"""Threads and messages as the outside asks for them: by person and by HTTP, each call with its owner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.memory.message_log import MessagePage
from mastra.memory.pins import pin, unpin
from mastra.memory.search import SearchPage, search_messages
from mastra.memory.tables import ROLES, are_parts, cleaned
from mastra.memory.threads import Clone, Direction, ThreadPage, ThreadRepo
from mastra.types.ids import check_id
from mastra.types.messages import Message

if TYPE_CHECKING:
    from mastra.memory.observations import Observer
    from mastra.memory.options import MemoryOptions
    from mastra.memory.semantic import SemanticIndex
    from mastra.runtime.models import ModelSpec
    from mastra.types.records import Filter
    from mastra.types.threads import Thread

Row = dict[str, Any]


class Conversations(ABC):
    """The part of `Memory` that does not need a run. With `resource_id`, what belongs to others is refused."""

    options: MemoryOptions
    _semantic: SemanticIndex | None
    _observer: Observer | None

    @property
    @abstractmethod
    def threads(self) -> ThreadRepo:
        """The threads in storage."""

    @abstractmethod
    async def open(self) -> None:
        """Open what is needed. Idempotent."""

    @abstractmethod
    def _after_write(self, rows: list[Row], thread_id: str) -> None:
        """Start the work that new messages leave for later."""

    @abstractmethod
    def _start_due(self) -> None:
        """Start the work that is left."""

    async def create_thread(
        self,
        *,
        resource_id: str,
        thread_id: str | None = None,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Thread:
        """A new thread, or the one of this id with the new title and metadata."""
        await self.open()
        return await self.threads.create(resource_id=resource_id, thread_id=thread_id, title=title, metadata=metadata)

    async def get_thread(self, thread_id: str, *, resource_id: str | None = None) -> Thread | None:
        """The thread, or None."""
        await self.open()
        return await self.threads.get(thread_id, resource_id=resource_id)

    async def list_threads(
        self, *, resource_id: str | None = None, metadata: Mapping[str, Any] | None = None, **paging: Any
    ) -> ThreadPage:
        """Threads in pages: `page`, `per_page`, `order_by`, `direction`."""
        await self.open()
        return await self.threads.find(resource_id=resource_id, metadata=metadata, **paging)

    async def update_thread(
        self,
        thread_id: str,
        *,
        resource_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Thread:
        """Change title or metadata."""
        await self.open()
        return await self.threads.update(thread_id, resource_id=resource_id, title=title, metadata=metadata)

    async def delete_thread(self, thread_id: str, *, resource_id: str | None = None) -> None:
        """Remove the thread and all that belongs to it."""
        await self.open()
        await self.threads.delete(thread_id, resource_id=resource_id)
        self._start_due()

    async def clone_thread(self, thread_id: str, *, resource_id: str | None = None, **options: Any) -> Clone:
        """A copy: `new_thread_id`, `to_resource_id`, `title`, `metadata`, `message_limit`, `message_ids`, ..."""
        await self.open()
        clone = await self.threads.clone(thread_id, resource_id=resource_id, **options)
        if self._semantic is not None:
            rows = await self.threads.messages.rows(clone.thread.id)
            for at in range(0, len(rows), 500):
                await self.threads.storage.write(self._semantic.due(rows[at : at + 500]))
            self._start_due()
        return clone

    async def transfer_thread(self, thread_id: str, to_resource_id: str, *, resource_id: str | None = None) -> Thread:
        """Give the thread to another resource."""
        await self.open()
        thread = await self.threads.transfer(thread_id, to_resource_id, resource_id=resource_id)
        self._start_due()
        return thread

    async def list_clones(self, thread_id: str, *, resource_id: str | None = None, **paging: Any) -> ThreadPage:
        """The copies that were made of a thread, in pages: `page`, `per_page`, `order_by`, `direction`."""
        await self.open()
        await self.threads.require(thread_id, resource_id)
        where: Filter = {"metadata.clone.sourceThreadId": thread_id}
        return await self.threads.find(resource_id=resource_id, where=where, **paging)

    async def summarize_thread(self, thread_id: str, *, model: ModelSpec, resource_id: str | None = None) -> str:
        """A summary of what was said, kept in the thread's metadata and continued by the next call."""
        from mastra.memory.summaries import summarize  # noqa: PLC0415 - only who asks for one needs it

        await self.open()
        return (await summarize(self.threads, thread_id, resource_id, model)).text

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
        """Messages in pages, between two moments, with the neighbours of the included ones."""
        await self.open()
        return await self.threads.list_messages(
            thread_id,
            resource_id=resource_id,
            page=page,
            per_page=per_page,
            direction=direction,
            start=start,
            end=end,
            include=include,
        )

    async def save_messages(
        self, messages: Sequence[Message | Mapping[str, Any]], *, resource_id: str | None = None
    ) -> list[Message]:
        """Keep messages that came from outside; each names its thread and is sorted by its own time."""
        await self.open()
        parsed = [item if isinstance(item, Message) else parse_message(item) for item in messages]
        by_thread: dict[str, list[Message]] = {}
        for message in parsed:
            if not message.thread_id:
                raise InvalidInput(f"The message {message.id!r} names no thread.", hint="Set threadId.")
            by_thread.setdefault(message.thread_id, []).append(message)
        for thread_id, group in by_thread.items():
            owner = resource_id or group[0].resource_id
            rows = await self.threads.append(
                thread_id, owner, group, keep_time=True, extra=self._semantic.due if self._semantic else None
            )
            self._after_write(rows, thread_id)
        return parsed

    async def update_messages(
        self, changes: Sequence[Mapping[str, Any]], *, resource_id: str | None = None
    ) -> list[Message]:
        """Change messages by their ids."""
        await self.open()
        rows = await self.threads.update_messages(changes, resource_id=resource_id)
        if self._semantic is not None:
            await self.threads.storage.write(self._semantic.due(rows))
            self._start_due()
        return [Message.from_wire(row) for row in rows]

    async def pin(self, thread_id: str, *message_ids: str, resource_id: str | None = None) -> list[str]:
        """Keep messages in sight of the model, beside the last ones and before them when tokens are scarce."""
        await self.open()
        return await pin(self.threads, thread_id, message_ids, resource_id)

    async def unpin(self, thread_id: str, *message_ids: str, resource_id: str | None = None) -> list[str]:
        """Let messages go with the others again; those that are still pinned."""
        await self.open()
        return await unpin(self.threads, thread_id, message_ids, resource_id)

    async def delete_messages(self, ids: Sequence[str], *, resource_id: str | None = None) -> int:
        """Remove messages by their ids; how many there were."""
        await self.open()
        removed = await self.threads.delete_messages(ids, resource_id=resource_id)
        self._start_due()
        return len(removed)

    async def observations(
        self,
        *,
        resource_id: str,
        thread_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
        start: str | None = None,
        end: str | None = None,
        settle: bool = False,
    ) -> tuple[Row | None, list[Row]]:
        """The notes of observational memory and their earlier forms, newest first; `settle` waits for the observer."""
        await self.open()
        if type(limit) is not int or type(offset) is not int or not 1 <= limit <= 1_000 or not 0 <= offset <= 9_000:
            raise InvalidInput("The limit is between 1 and 1,000, the offset at most 9,000.")
        if thread_id is not None:
            await self.threads.row(thread_id, resource_id=resource_id)
        observer = self._observer
        if observer is None:
            return None, []
        thread = thread_id or ""
        if settle:
            await observer.settled(thread, resource_id)
        record = await observer.read(thread, resource_id)
        if record is None or record["resourceId"] not in {None, resource_id}:
            return None, []
        earlier = await observer.history(thread, resource_id, limit=limit, offset=offset, start=start, end=end)
        return observer.shown(record, resource_id), [observer.shown(row, resource_id) for row in earlier]

    async def search(
        self, query: str, *, resource_id: str, thread_id: str | None = None, limit: int = 20
    ) -> SearchPage:
        """Messages of a resource that fit a text: by meaning with semantic recall, else by its words."""
        check_id(resource_id, "resource id")
        await self.open()
        return await search_messages(
            self.threads,
            self._semantic,
            self.options.semantic_recall,
            query,
            resource_id=resource_id,
            thread_id=thread_id,
            limit=limit,
            indexed=self.options.text_search,
        )


def parse_message(data: Mapping[str, Any]) -> Message:
    """A message from outside, or an `InvalidInput` that names what is wrong with it."""
    if not isinstance(data, Mapping):
        raise InvalidInput("A message is an object.")
    content = data.get("content")
    if isinstance(content, str):
        content = {"format": 2, "parts": [{"type": "text", "text": content}], "content": content}
    problems = []
    if not isinstance(data.get("id"), str):
        problems.append({"field": "id", "message": "a text is needed"})
    if data.get("role") not in ROLES:
        problems.append({"field": "role", "message": "user, assistant, system, tool or signal"})
    if not isinstance(content, Mapping) or not isinstance(content.get("parts"), list):
        problems.append({"field": "content", "message": "a text or an object with parts"})
    elif not are_parts(content["parts"]):
        problems.append({"field": "content.parts", "message": "each part is an object with a type"})
    names = [name for name in ("threadId", "resourceId") if not isinstance(data.get(name, ""), str)]
    problems += [{"field": name, "message": "a text"} for name in names]
    if problems:
        raise InvalidInput("The message is not valid.", issues=problems)
    from mastra.runtime.clock import SYSTEM_CLOCK  # noqa: PLC0415 - only a message without a time needs it

    created = data.get("createdAt") or SYSTEM_CLOCK.now()
    return Message.from_wire({**data, "content": cleaned(dict(content or {})), "createdAt": created})
