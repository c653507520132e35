"""Whatever a model does, the history stays legal, nothing runs that must not, and the books add up."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra import Agent, Limits, Memory, tool
from mastra.errors import LimitReached, MastraError, ModelError
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.message_prompt import to_prompt
from mastra.types.prompt import AssistantMessage, PromptMessage, ToolCallPart, ToolMessage, UserMessage

NAMES = ("fine", "broken", "guarded", "asks", "unknown")
calls = st.builds(
    Call,
    name=st.sampled_from(NAMES),
    arguments=st.fixed_dictionaries({"n": st.integers(0, 3) | st.text("x", max_size=2)}),
    call_id=st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"]),
    raw=st.none() | st.sampled_from(['{"n": 1', "[]", "", '{"n": NaN}', '{"n": 2}']),
)
answers = st.builds(
    Answer,
    text=st.text("ab c", max_size=12),
    reasoning=st.text("th", max_size=4),
    calls=st.lists(calls, max_size=3).map(tuple),
    finish=st.none() | st.sampled_from(["stop", "length", "content-filter", "tool-calls", "error"]),
    fail=st.none() | st.none() | st.just(ModelError("cut")),
    fail_after=st.integers(0, 6),
)
scripts = st.lists(answers, min_size=1, max_size=5)


class World:
    """An agent over a random script, and what its tools really did."""

    def __init__(self, script: list[Answer]) -> None:
        self.ran: list[tuple[str, Any]] = []
        world = self

        @tool
        async def fine(n: int) -> int:
            """Works."""
            world.ran.append(("fine", n))
            return n

        @tool
        async def broken(n: int) -> int:
            """Fails."""
            world.ran.append(("broken", n))
            raise ValueError("broken")

        @tool(require_approval=True)
        async def guarded(n: int) -> int:
            """Needs a yes."""
            world.ran.append(("guarded", n))
            return n

        @tool
        async def asks(n: int) -> int:
            """Asks another tool's question back."""
            world.ran.append(("asks", n))
            return -n

        self.model = ScriptedModel([*script, Answer(text="the end")] * 4)
        self.agent = Agent("a", model=self.model, tools=[fine, broken, guarded, asks])


def legal(prompt: list[PromptMessage]) -> None:
    """The oracle: every call is answered by the very next message, in its order, and nothing else is answered."""
    waiting: list[str] = []
    for message in prompt:
        if isinstance(message, ToolMessage):
            assert [part.call_id for part in message.parts] == waiting
            waiting = []
            continue
        assert waiting == [], "a call without its result"
        if isinstance(message, AssistantMessage):
            assert message.parts
            waiting = [part.call_id for part in message.parts if isinstance(part, ToolCallPart)]
        elif isinstance(message, UserMessage):
            assert message.parts
    assert waiting == []


@settings(max_examples=200, deadline=None)
@given(scripts, st.booleans(), st.integers(1, 6))
def test_a_random_model_leaves_a_legal_history(script, streamed, max_steps):
    async def go() -> None:
        world = World(script)
        try:
            if streamed:
                async with world.agent.stream("go", max_steps=max_steps) as run:
                    chunks = [chunk async for chunk in run]
                    result = await run.result()
                    kinds = [chunk.type for chunk in chunks]
                    assert kinds[0] == "start"
                    if result.finish_reason != "suspended":
                        assert kinds[-1] == "finish"
                        assert kinds.count("step-start") == kinds.count("step-finish") == len(result.steps)
            else:
                result = await world.agent.generate("go", max_steps=max_steps)
        except MastraError:
            result = None
        for request in world.model.requests:
            legal(list(request.messages))
        assert not any(name == "guarded" for name, _ in world.ran)
        assert all(isinstance(n, int) for _, n in world.ran)
        if result is not None:
            legal(to_prompt(result.messages))
            assert len(result.steps) <= max_steps
            assert result.usage.output_tokens == sum(step.usage.output_tokens for step in result.steps)

    asyncio.run(go())


@settings(max_examples=100, deadline=None)
@given(scripts, st.lists(st.booleans(), min_size=8, max_size=8))
def test_approvals_in_any_order_run_each_call_at_most_once(script, yes):
    async def go() -> None:
        world = World(script)
        approved = 0
        try:
            result = await world.agent.generate("go", run_id="r", max_steps=8)
            for answer in yes:
                if result.finish_reason != "suspended":
                    break
                call_id = result.pending[-1]["toolCallId"]
                if answer:
                    approved += 1
                    result = await world.agent.approve("r", call_id).result()
                else:
                    result = await world.agent.decline("r", call_id, "no").result()
        except MastraError:
            pass
        for request in world.model.requests:
            legal(list(request.messages))
        assert sum(name == "guarded" for name, _ in world.ran) <= approved

    asyncio.run(go())


@settings(max_examples=60, deadline=None)
@given(scripts, st.integers(0, 30))
def test_leaving_at_any_chunk_leaves_a_legal_history(script, leave_at):
    async def go() -> None:
        world = World(script)
        kept: list[Any] = []
        async with world.agent.stream("go") as run:
            seen = 0
            async for chunk in run:
                kept.append(chunk)
                seen += 1
                if seen > leave_at:
                    break
        for request in world.model.requests:
            legal(list(request.messages))
        assert len(kept) <= leave_at + 1

    asyncio.run(go())


@settings(max_examples=60, deadline=None)
@given(scripts, st.integers(1, 5), st.integers(0, 5))
def test_a_model_that_never_stops_is_stopped_at_its_budget(script, model_calls, tool_calls):
    async def go() -> None:
        world = World(script)
        endless = ScriptedModel([Answer(calls=(Call("fine", {"n": 1}),))], per_run=True)
        agent = Agent("a", model=endless, tools=world.agent.tools)
        limits = Limits(model_calls=model_calls, tool_calls=tool_calls)
        with pytest.raises(LimitReached):
            await agent.generate("go", max_steps=100, limits=limits)
        assert len(world.ran) <= min(model_calls, tool_calls)

    asyncio.run(go())


class Speaking(ScriptedModel):
    """While it answers, somebody says something on its thread."""

    def __init__(self, script: list[Answer], ways: list[str]) -> None:
        super().__init__([*script, Answer(text="the end")] * 4)
        self.ways, self.said = ways, list[str]()
        self.agent: Agent | None = None

    async def stream(self, request):
        way = self.ways.pop() if self.ways else "nothing"
        if self.agent is not None and way != "nothing":
            self.said.append(f"word {len(self.said)}")
            await getattr(self.agent.signals, way)(self.said[-1], thread="t", resource="u")
        async for delta in super().stream(request):
            yield delta


@settings(max_examples=80, deadline=None)
@given(scripts, st.lists(st.sampled_from(["send_message", "queue_message", "nothing"]), max_size=6), st.integers(1, 6))
def test_words_into_a_random_run_are_all_heard_in_a_legal_history(script, ways, max_steps):
    async def go() -> None:
        model = Speaking(script, ways)
        memory = Memory()
        agent = model.agent = Agent("a", model=model, tools=World(script).agent.tools, memory=memory)
        with suppress(MastraError):
            await agent.generate("go", thread="t", resource="u", max_steps=max_steps)
        for _ in range(10):  # each run may begin the next one
            await agent.services.background.settle()
        for request in model.requests:
            legal(list(request.messages))
        kept = (await memory.list_messages("t", per_page=200)).messages
        legal(to_prompt(kept))
        # What a run that waits for a person has not heard yet is still there for it.
        places = (agent.services.threads or {}).values()
        waiting = [one.message.text for place in places for one in (*place.arrived, *place.queued)]
        heard = [message.text for message in kept if message.role == "user"][1:]
        assert sorted([*heard, *waiting]) == sorted(model.said)

    asyncio.run(go())
