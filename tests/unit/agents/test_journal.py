import asyncio
from typing import Any

import pytest

from mastra import Agent, Processor, tool
from mastra.agents.waiting import RUNS, storage_of
from mastra.errors import ApprovalInvalid
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.records import Put


@tool(require_approval=True)
async def ask_first(id: str) -> str:
    """Needs a yes."""
    return f"did {id}"


async def row_of(agent, run_id="r") -> Any:
    return await (await storage_of(agent.services)).get(RUNS, run_id)


async def approved(*lines, tools, **options):
    agent = Agent("a", model=ScriptedModel([Call("ask_first", {"id": "1"}, "c"), *lines]), tools=[ask_first, *tools],
                  **options)  # fmt: skip
    assert (await agent.generate("go", run_id="r")).finish_reason == "suspended"
    return agent


async def test_every_call_is_written_down_before_it_runs_and_when_it_is_over():
    seen = []
    hold = asyncio.Event()

    @tool
    async def quick() -> str:
        """Ends at once."""
        return "q"

    @tool
    async def slow() -> str:
        """Looks at what is written while it runs."""
        for _ in range(50):
            await asyncio.sleep(0)
        seen.append((await row_of(agent))["pending"])
        hold.set()
        return "s"

    agent = await approved([Call("quick", {}, "q"), Call("slow", {}, "s")], "done", tools=[quick, slow])
    assert (await agent.approve("r").result()).text == "done"
    (pending,) = seen
    assert pending["q"]["started"]
    assert pending["q"]["settled"] == "done"
    assert pending["s"]["started"]
    assert "settled" not in pending["s"]
    assert await row_of(agent) is None


async def test_many_calls_that_end_side_by_side_are_all_noted():
    @tool
    async def quick(n: int) -> int:
        """Ends at once."""
        await asyncio.sleep(0)
        return n

    agent = await approved([Call("quick", {"n": n}, f"q{n}") for n in range(10)], "done", tools=[quick])
    result = await agent.approve("r").result()
    assert [one["result"] for one in result.tool_results if one["toolName"] == "quick"] == list(range(10))


async def test_a_run_that_was_taken_over_runs_no_call_more():
    ran = []

    @tool
    async def quick() -> str:
        """Ends at once."""
        ran.append(1)
        return "q"

    async def stolen(request):
        storage = await storage_of(agent.services)
        row: Any = await storage.get(RUNS, "r")
        await storage.write([Put(RUNS, "r", {**row, "version": row["version"] + 1})])
        return Call("quick", {}, "q")

    agent = await approved(stolen, tools=[quick])
    with pytest.raises(ApprovalInvalid, match="taken up"):
        await agent.approve("r").result()
    assert ran == []


async def test_what_processors_change_after_the_calls_is_what_is_kept():
    class Loud(Processor):
        async def process_output_step(self, step, context):
            step.parts[:] = [
                {**part, "text": part["text"].upper()} if part["type"] == "text" else part for part in step.parts
            ]

    @tool
    async def quick() -> str:
        """Ends at once."""
        return "q"

    answer = Answer(text="calling", calls=(Call("quick", {}, "q"),))
    agent = await approved(answer, "done", tools=[quick], output_processors=[Loud()])
    result = await agent.approve("r").result()
    texts = [part["text"] for message in result.messages for part in message.parts if part["type"] == "text"]
    assert texts[-2:] == ["CALLING", "DONE"]


async def test_a_run_that_never_waited_writes_nothing():
    @tool
    async def look() -> str:
        """Looks for a row."""
        return str(await row_of(agent))

    agent = Agent("a", model=ScriptedModel([Call("look", {}), "done"]), tools=[look])
    result = await agent.generate("go", run_id="r")
    assert result.tool_results[0]["result"] == "None"
