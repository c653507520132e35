"""On every backend: who is not the owner gets and changes nothing, whatever ids they know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.conformance.backends import STORAGES, StorageFactory

from mastra import Memory
from mastra.errors import AccessDenied, InvalidInput, NotFound
from mastra.memory.options import WorkingMemory
from mastra.memory.tables import MESSAGES, THREADS, WORKING_MEMORY
from mastra.ports.storage import Storage
from mastra.runtime.tenancy import scoped
from mastra.types.ids import new_id
from mastra.types.messages import Message

REFUSALS = (AccessDenied, NotFound, InvalidInput)


def said(text: str, message_id: str) -> Message:
    parts = ({"type": "text", "text": text},)
    return Message(id=message_id, role="user", parts=parts, created_at=datetime(2026, 1, 1, tzinfo=UTC))


async def rows_of(storage: Storage, owner: str) -> list[object]:
    """Everything that belongs to an owner, as it lies in storage."""
    where = {"resourceId": owner}
    return [
        [(record.key, record.value) for record in (await storage.scan(table, where, limit=100)).records]
        for table in (THREADS, MESSAGES, WORKING_MEMORY)
    ]


def attempts(memory: Memory, thread: str, message: str, mine: str, me: str):
    """Every operation on a thread or message, by somebody who knows the ids of another's."""
    wire = {"id": message, "role": "user", "content": "mine now", "threadId": thread, "resourceId": me}
    return {
        "get": lambda: memory.get_thread(thread, resource_id=me),
        "update": lambda: memory.update_thread(thread, resource_id=me, title="mine"),
        "delete": lambda: memory.delete_thread(thread, resource_id=me),
        "clone": lambda: memory.clone_thread(thread, resource_id=me),
        "transfer": lambda: memory.transfer_thread(thread, me, resource_id=me),
        "list clones": lambda: memory.list_clones(thread, resource_id=me),
        "messages": lambda: memory.list_messages(thread, resource_id=me),
        "recall": lambda: memory.recall(thread_id=thread, resource_id=me),
        "record": lambda: memory.record(thread_id=thread, resource_id=me, messages=[said("x", f"{message}x")]),
        "record over": lambda: memory.record(thread_id=mine, resource_id=me, messages=[said("x", message)]),
        "save": lambda: memory.save_messages([wire]),
        "save over": lambda: memory.save_messages([{**wire, "threadId": mine}]),
        "change": lambda: memory.update_messages([{"id": message, "role": "assistant"}], resource_id=me),
        "remove": lambda: memory.delete_messages([message], resource_id=me),
        "search": lambda: memory.search("secret", resource_id=me, thread_id=thread),
        "read page": lambda: memory.get_working_memory(thread_id=thread, resource_id=me),
        "write page": lambda: memory.update_working_memory("mine", thread_id=thread, resource_id=me),
        "summarize": lambda: memory.summarize_thread(thread, model="scripted/x", resource_id=me),
    }


@pytest.mark.parametrize("backend", STORAGES)
async def test_who_is_not_the_owner_gets_and_changes_nothing(backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        ada, eve, thread, mine, message = (f"{kind}-{new_id()}" for kind in ("ada", "eve", "t", "e", "m"))
        memory = Memory(storage=storage, working_memory=WorkingMemory(scope="resource"))
        await memory.record(thread_id=thread, resource_id=ada, messages=[said("a secret", message)])
        await memory.update_working_memory("# Ada", thread_id=thread, resource_id=ada)
        await memory.record(thread_id=mine, resource_id=eve, messages=[said("hello", f"{message}-eve")])
        before = await rows_of(storage, ada)
        for what, attempt in attempts(memory, thread, message, mine, eve).items():
            with pytest.raises(REFUSALS):
                pytest.fail(f"{what}: {await attempt()!r}")
            assert await rows_of(storage, ada) == before, what
        include = [{"id": message, "withPreviousMessages": 5, "withNextMessages": 5}]
        page = await memory.list_messages(mine, resource_id=eve, include=include)
        assert [item.text for item in page.messages] == ["hello"], "a known id brings nobody else's message along"
        assert (await memory.list_threads(resource_id=eve)).total == 1
        assert (await memory.search("secret", resource_id=eve)).results == []
        await memory.close()


@pytest.mark.parametrize("backend", STORAGES)
async def test_another_tenant_is_another_world(backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        ours, theirs = (Memory(storage=scoped(storage, f"t{new_id()}")) for _ in range(2))
        await ours.record(thread_id="t", resource_id="ada", messages=[said("a secret", "m")])
        assert await theirs.get_thread("t", resource_id="ada") is None
        assert (await theirs.list_threads(resource_id="ada")).total == 0
        assert (await theirs.recall(thread_id="t", resource_id="ada")).messages == ()
        await theirs.record(thread_id="t", resource_id="ada", messages=[said("of theirs", "m")])
        assert (await theirs.delete_messages(["m"], resource_id="ada")) == 1
        assert [item.text for item in (await ours.recall(thread_id="t", resource_id="ada")).messages] == ["a secret"]
        await ours.close()
        await theirs.close()
