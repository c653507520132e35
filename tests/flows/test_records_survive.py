"""What a run has acknowledged is in its thread, whichever write fails; what failed leaves a legal history."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flows.test_random_models import legal

from mastra import Agent, Memory, tool
from mastra.errors import MastraError, NotFound, StorageError
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.message_prompt import to_prompt


class Failing(MemoryStorage):
    """Fails the writes whose numbers are given: before anything is written, or after all is."""

    def __init__(self, before: set[int], after: set[int]) -> None:
        super().__init__()
        self.before, self.after = before, after
        self.writes = 0
        self.batches: list[int] = []

    async def write(self, batch: Any) -> None:
        self.writes += 1
        self.batches.append(len(batch))
        if self.writes in self.before:
            raise StorageError("The disk is full.")
        await super().write(batch)
        if self.writes in self.after:
            raise StorageError("The connection was lost; whether it is written is not known.")


@tool
async def add(n: int) -> int:
    """Add one."""
    return n + 1


steps = st.lists(st.sampled_from(["say", "call", "two"]), min_size=1, max_size=3)
LINES = {
    "say": Answer(text="well"),
    "call": Answer(text="so", calls=(Call("add", {"n": 1}),)),
    "two": Answer(calls=(Call("add", {"n": 1}), Call("add", {"n": 2}))),
}


@settings(max_examples=15, deadline=None)
@given(st.lists(steps, min_size=1, max_size=3), st.sets(st.integers(1, 14), max_size=3),
       st.sets(st.integers(1, 14), max_size=2))  # fmt: skip
def test_an_acknowledged_message_is_never_lost(runs, before, after):
    async def go() -> None:
        storage = Failing(before, after)
        memory = Memory(concurrency=None)
        kept: list[str] = []
        for script in runs:
            model = ScriptedModel([*(LINES[one] for one in script), *["the end"] * 3])
            agent = Agent("a", model=model, tools=[add], memory=memory).bind(Services(storage=storage))
            try:
                result = await agent.generate("go", thread="t", resource="u")
            except MastraError:
                await agent.services.background.drain()
                continue
            # The end of a run is its word that all of it is kept.
            kept += [message.id for message in result.messages]
        storage.before, storage.after = set(), set()
        reader = Memory()
        reader.bind(Services(storage=storage))
        try:
            page = await reader.list_messages("t", resource_id="u", per_page=None)
        except NotFound:  # nothing was ever written
            assert kept == []
            return
        found = [message.id for message in page.messages]
        assert len(found) == len(set(found))
        assert [one for one in found if one in set(kept)] == kept
        legal(to_prompt(page.messages))

    asyncio.run(go())


async def test_a_step_is_one_write_however_much_it_did():
    storage = Failing(set(), set())
    model = ScriptedModel([LINES["two"], "the end"])
    agent = Agent("a", model=model, tools=[add], memory=Memory()).bind(Services(storage=storage))
    await agent.generate("go", thread="t", resource="u")
    # What was said, the step with its two calls and results, and the end with the thread given back.
    assert storage.writes == 3
