"""Pinned messages stay in sight, in every storage, and give way to nobody but their owner."""

from __future__ import annotations

import pytest
from tests.unit.memory.conftest import say

from mastra import Agent, Memory
from mastra.agents.processors.limits import TokenLimiter
from mastra.errors import AccessDenied, InvalidInput, NotFound
from mastra.memory.pins import MOST
from mastra.providers.scripted import ScriptedModel


async def thread_of(memory, count, words=1):
    said = [say(f"m{number} " + "word " * words, id=f"m{number}", at=number) for number in range(count)]
    await memory.record(thread_id="t", resource_id="u", messages=said)


async def seen(memory):
    return [message.id for message in (await memory.recall(thread_id="t", resource_id="u")).messages]


async def test_a_pinned_message_is_recalled_beside_the_last_ones_until_it_is_unpinned(storage):
    memory = Memory(storage=storage, last_messages=2)
    await thread_of(memory, 6)
    assert await memory.pin("t", "m3", "m1", "m1", resource_id="u") == ["m3", "m1"]
    assert await seen(memory) == ["m1", "m3", "m4", "m5"]
    assert await memory.pin("t", "m5") == ["m3", "m1", "m5"]
    assert await seen(memory) == ["m1", "m3", "m4", "m5"]
    assert await memory.unpin("t", "m3", "m5", "unknown") == ["m1"]
    assert await seen(memory) == ["m1", "m4", "m5"]
    await memory.delete_messages(["m1"])
    assert await seen(memory) == ["m4", "m5"]


async def test_the_budget_is_first_for_what_is_pinned_then_for_what_is_newest(storage):
    memory = Memory(storage=storage, last_messages=10, max_tokens=120)
    await thread_of(memory, 6, words=35)
    assert await seen(memory) == ["m4", "m5"]
    await memory.pin("t", "m0")
    assert await seen(memory) == ["m0", "m5"]


async def test_a_copy_of_the_thread_has_its_own_pins(storage):
    memory = Memory(storage=storage, last_messages=1)
    await thread_of(memory, 4)
    await memory.pin("t", "m0")
    clone = await memory.clone_thread("t", new_thread_id="t2")
    assert [message.text for message in (await memory.recall(thread_id="t2")).messages] == ["m0 word ", "m3 word "]
    await memory.unpin("t", "m0")
    assert len((await memory.recall(thread_id=clone.thread.id)).messages) == 2


async def test_what_cannot_be_pinned_is_refused(storage):
    memory = Memory(storage=storage)
    await thread_of(memory, MOST + 1)
    await memory.record(thread_id="other", resource_id="u", messages=[say("x", id="x")])
    for ids in (["none"], ["x"], ["m0", "x"]):
        with pytest.raises(NotFound):
            await memory.pin("t", *ids)
    with pytest.raises(InvalidInput, match=str(MOST)):
        await memory.pin("t", *(f"m{number}" for number in range(MOST + 1)))
    with pytest.raises(AccessDenied):
        await memory.pin("t", "m0", resource_id="somebody else")
    with pytest.raises(NotFound):
        await memory.pin("nowhere", resource_id="u")
    assert await memory.pin("t") == []


async def test_a_limited_prompt_keeps_what_is_pinned(storage):
    model = ScriptedModel(["ok"] * 2)
    memory = Memory(storage=storage, last_messages=20)
    agent = Agent("a", model=model, memory=memory, input_processors=[TokenLimiter(110)])
    await thread_of(memory, 8, words=40)
    await memory.pin("t", "m1")
    await agent.generate("now", thread="t", resource="u")
    said = [message.parts[0].text.split()[0] for message in model.requests[0].messages]
    assert said == ["m1", "now"]
