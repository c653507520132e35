import asyncio

import pytest

from mastra import Agent, tool
from mastra.errors import Aborted, ModelError
from mastra.providers.scripted import Answer, Call, ScriptedModel


async def test_a_run_that_is_left_says_what_it_has_used():
    told = asyncio.Event()
    heard = []

    @tool
    async def forever() -> str:
        """Never comes back."""
        await asyncio.sleep(60)
        return "never"

    def aborted(result):
        heard.append(result)
        told.set()

    agent = Agent("a", model=ScriptedModel([Call("forever", {})]), tools=[forever])
    chunks = []
    async with agent.stream("go", on_chunk=chunks.append, on_abort=aborted) as run:
        async for chunk in run:
            if chunk.type == "tool-call":
                run.abort("enough")
        with pytest.raises(Aborted, match="enough"):
            await run.result()
    await asyncio.wait_for(told.wait(), 5)
    assert chunks[-1].type == "abort"
    assert chunks[-1].payload["steps"] == 1
    assert chunks[-1].payload["usage"]["outputTokens"] == heard[0].usage.output_tokens > 0


async def test_an_error_keeps_what_was_said_before_it():
    agent = Agent("a", model=ScriptedModel([Answer(text="one two", fail=ModelError("cut"), fail_after=3)]))
    async with agent.stream("go") as run:
        kinds = [chunk.type async for chunk in run]
        with pytest.raises(ModelError):
            await run.result()
    assert kinds[-3:] == ["error", "step-finish", "finish"]
