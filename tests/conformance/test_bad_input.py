"""What no backend can hold is refused at the door of every one of them by a typed error, and of memory over them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.backends import STORAGES, StorageFactory

from mastra.errors import InvalidFilter, InvalidId, InvalidInput, NotFound
from mastra.memory.memory import Memory
from mastra.testing.contracts.bad_input import CHECKS, NUL, SURROGATE, deep
from mastra.types.ids import new_id
from mastra.types.messages import Message

WRONG_IDS: list[Any] = ["", "a b", "x" * 129, "../a", "ключ", NUL, SURROGATE, "a\n", "'", "$a", 7, ["a"], {"$gt": ""}]
Call = Callable[[Memory, str, Any], Awaitable[Any]]


def said(id: Any = "m1", text: Any = "hello") -> Message:
    return Message(id=id, role="user", parts=({"type": "text", "text": text},), created_at=datetime.now(UTC))


WITH_AN_ID: dict[str, Call] = {
    "create_thread": lambda memory, _, bad: memory.create_thread(resource_id="ada", thread_id=bad),
    "create_thread of": lambda memory, _, bad: memory.create_thread(resource_id=bad),
    "get_thread": lambda memory, _, bad: memory.get_thread(bad),
    "list_threads": lambda memory, _, bad: memory.list_threads(resource_id=bad),
    "update_thread": lambda memory, _, bad: memory.update_thread(bad, title="x"),
    "delete_thread": lambda memory, _, bad: memory.delete_thread(bad),
    "clone_thread": lambda memory, _, bad: memory.clone_thread(bad),
    "clone_thread to": lambda memory, thread, bad: memory.clone_thread(thread, new_thread_id=bad),
    "clone_thread for": lambda memory, thread, bad: memory.clone_thread(thread, to_resource_id=bad),
    "transfer_thread": lambda memory, thread, bad: memory.transfer_thread(thread, bad),
    "list_clones": lambda memory, _, bad: memory.list_clones(bad),
    "list_messages": lambda memory, _, bad: memory.list_messages(bad),
    "list_messages with": lambda memory, thread, bad: memory.list_messages(thread, include=[{"id": bad}]),
    "delete_messages": lambda memory, _, bad: memory.delete_messages([bad]),
    "update_messages": lambda memory, _, bad: memory.update_messages([{"id": bad, "role": "user"}]),
    "pin": lambda memory, thread, bad: memory.pin(thread, bad),
    "pin in": lambda memory, _, bad: memory.pin(bad, "m1"),
    "search": lambda memory, _, bad: memory.search("x", resource_id=bad),
    "search in": lambda memory, _, bad: memory.search("x", resource_id="ada", thread_id=bad),
    "recall": lambda memory, _, bad: memory.recall(thread_id=bad, resource_id="ada"),
    "recall of": lambda memory, _, bad: memory.recall(thread_id=f"t{new_id()}", resource_id=bad),
    "record": lambda memory, _, bad: memory.record(thread_id=bad, resource_id="ada", messages=[said()]),
    "record of": lambda memory, _, bad: memory.record(thread_id=f"t{new_id()}", resource_id=bad, messages=[said()]),
    "record a": lambda memory, thread, bad: memory.record(thread_id=thread, resource_id="ada", messages=[said(bad)]),
    "get_working_memory": lambda memory, _, bad: memory.get_working_memory(thread_id=bad),
    "get_working_memory of": lambda memory, _, bad: memory.get_working_memory(
        thread_id=f"t{new_id()}", resource_id=bad
    ),
    "update_working_memory": lambda memory, _, bad: memory.update_working_memory("x", thread_id=bad),
    "observations": lambda memory, _, bad: memory.observations(resource_id="ada", thread_id=bad),
    "forget": lambda memory, _, bad: memory.forget(resource_id=bad),
    "forget in": lambda memory, _, bad: memory.forget(thread_id=bad),
    "turn": lambda memory, _, bad: _turn(memory, bad),
}


async def _refused(work: Awaitable[Any], number: int) -> None:
    try:
        await work
    except (InvalidId, InvalidInput, InvalidFilter):
        return
    pytest.fail(f"number {number} was not refused")


async def _turn(memory: Memory, bad: Any) -> None:
    async with memory.turn(bad, resource_id="ada"):
        pass


@pytest.mark.parametrize("backend", STORAGES)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_storage(sentence: str, backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        await CHECKS[sentence](storage)


@pytest.mark.parametrize("backend", STORAGES)
async def test_memory_refuses_wrong_ids(backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        memory = Memory(storage=storage, working_memory=True)
        thread = (await memory.create_thread(resource_id="ada", thread_id=f"t{new_id()}")).id
        wrongly: list[str] = []
        for name, call in WITH_AN_ID.items():
            for bad in WRONG_IDS:
                try:
                    found = await call(memory, thread, bad)
                except (InvalidId, InvalidInput, InvalidFilter):
                    continue
                except Exception as error:
                    wrongly.append(f"{name} with {bad!r:.30}: {type(error).__name__}: {error}"[:200])
                else:
                    wrongly.append(f"{name} with {bad!r:.30}: {found!r}"[:200])
        assert wrongly == []
        assert (await memory.list_messages(thread)).total == 0
        await memory.close()


@pytest.mark.parametrize("backend", STORAGES)
async def test_memory_keeps_what_was_said_and_refuses_what_was_made_up(backend: StorageFactory, tmp_path) -> None:
    """A model may say a NUL or half a character: it is replaced. Depth, size and strange content are refused."""
    async with backend(tmp_path) as storage:
        memory = Memory(storage=storage, working_memory=True)
        thread = (await memory.create_thread(resource_id="ada", thread_id=f"t{new_id()}", title=NUL)).id
        one = f"m{new_id()}"
        await memory.record(thread_id=thread, resource_id="ada", messages=[said(one, f"{NUL} {SURROGATE}")])
        assert (await memory.list_messages(thread)).messages[0].text == "a\ufffdb a\ufffdb"
        assert (await memory.update_thread(thread, metadata={"a": SURROGATE})).metadata == {"a": "a\ufffdb"}
        await memory.update_working_memory(f"page {NUL} {SURROGATE}", thread_id=thread, resource_id="ada")
        page = await memory.get_working_memory(thread_id=thread, resource_id="ada")
        assert page == "page a\ufffdb a\ufffdb"
        known = {"id": one, "role": "user", "threadId": thread, "resourceId": "ada"}
        far = "0001-01-01T00:00:00+14:00"
        refused: list[Callable[[], Awaitable[Any]]] = [
            lambda: memory.update_thread(thread, metadata={"a": deep()}),
            lambda: memory.update_thread(thread, metadata={"a": float("nan")}),
            lambda: memory.create_thread(resource_id="ada", metadata={"a": deep()}),
            lambda: memory.list_threads(metadata={"a": NUL}),
            lambda: memory.list_threads(metadata={NUL: 1}),
            lambda: memory.list_threads(page=-1),
            lambda: memory.list_messages(thread, per_page=-1),
            lambda: memory.list_messages(thread, start="yesterday"),
            lambda: memory.list_messages(thread, start=far),
            lambda: memory.list_messages(thread, end="9999-12-31T23:59:59-14:00"),
            lambda: memory.save_messages([{**known, "content": "x", "createdAt": far}]),
            lambda: memory.save_messages(
                [{**known, "content": {"format": 2, "parts": [{"type": "text", "text": deep()}]}}]
            ),
            lambda: memory.save_messages([{**known, "content": {"parts": "x"}}]),
            lambda: memory.save_messages([{**known, "role": "root", "content": "x"}]),
            lambda: memory.update_messages([{"role": "user"}]),
            lambda: memory.update_messages([{"id": one, "role": "root"}]),
            lambda: memory.update_messages([{"id": one, "type": 7}]),
            lambda: memory.update_messages([{"id": one, "content": "text"}]),
            lambda: memory.update_messages([{"id": one, "content": {"parts": "x"}}]),
            lambda: memory.update_messages([{"id": one, "content": {"metadata": deep()}}]),
            lambda: memory.update_working_memory("x" * (64 * 1024 * 1024), thread_id=thread, resource_id="ada"),
        ]
        for number, work in enumerate(refused):
            await _refused(work(), number)
        with pytest.raises(NotFound):
            await memory.update_messages([{"id": f"m{new_id()}", "role": "user"}])
        assert (await memory.list_messages(thread)).messages[0].text == "a\ufffdb a\ufffdb"
        await memory.close()
