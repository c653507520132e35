import asyncio
import threading
from typing import Any

import pytest

from mastra import Agent, ToolContext, tool
from mastra.errors import BadDefinition
from mastra.providers.scripted import Call, ScriptedModel
from mastra.runtime.signals import Suspend
from mastra.tools.context import AbortSignal, context_from


async def test_a_context_without_a_run_does_nothing_and_fails_nowhere():
    context = ToolContext()
    await context.write("nobody listens")
    await context.custom("data-progress", {"n": 1})
    context.write_threadsafe("nobody listens")
    assert context.messages == []
    assert context.request_context.to_wire() == {}
    assert not context.abort.aborted
    assert context_from({"run_id": "r", "tool_call_id": "c"}).idempotency_key == "r:c"


async def test_chunks_of_your_own_begin_with_data():
    with pytest.raises(BadDefinition, match="data-"):
        await ToolContext().custom("progress", 1)


def test_a_suspension_carries_json():
    with pytest.raises(Suspend) as waits:
        ToolContext().suspend({"n": (1, 2)})
    assert waits.value.payload == {"n": [1, 2]}


async def test_what_a_blocking_tool_writes_reaches_the_stream_from_its_thread():
    seen: list[Any] = []

    @tool
    def blocking(context: ToolContext) -> str:
        """Runs in a thread."""
        seen.append(threading.current_thread() is threading.main_thread())
        context.write_threadsafe({"half": True})
        return "done"

    agent = Agent("a", model=ScriptedModel([Call("blocking", {}), "ok"]), tools=[blocking])
    async with agent.stream("go") as run:
        outputs = [chunk.payload["output"] async for chunk in run if chunk.type == "tool-output"]
    assert (seen, outputs) == ([False], [{"half": True}])


async def test_data_stays_in_the_answer_unless_it_is_transient():
    @tool
    async def shows(context: ToolContext) -> str:
        """Shows something."""
        await context.custom("data-kept", {"n": 1})
        await context.custom("data-passing", {"n": 2}, transient=True)
        return "ok"

    agent = Agent("a", model=ScriptedModel([Call("shows", {}), "ok"]), tools=[shows])
    async with agent.stream("go") as run:
        kinds = [chunk.type async for chunk in run if chunk.type.startswith("data-")]
        result = await run.result()
    assert kinds == ["data-kept", "data-passing"]
    assert [part["type"] for part in result.messages[-1].parts if part["type"].startswith("data-")] == ["data-kept"]


async def test_an_abort_wakes_a_thread_that_sleeps():
    signal = AbortSignal()
    asyncio.get_running_loop().call_later(0.02, signal.set)
    assert await asyncio.to_thread(signal.wait, 20) is True
    assert signal.aborted
