import asyncio
from typing import Any

import pytest

from mastra import Agent, Processor, tool
from mastra.agents.waiting import CLAIMS, RUNS, storage_of
from mastra.errors import ApprovalInvalid, Conflict, ModelError
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.records import Delete, Put


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


async def test_a_durable_run_is_written_down_before_anything_happens_and_forgotten_at_its_end():
    seen = []

    async def looks(request):
        seen.append(await row_of(agent))
        return "done"

    agent = Agent("a", model=ScriptedModel([looks, "again"]))
    assert (await agent.generate("go", run_id="r", durable=True)).text == "done"
    (row,) = seen
    assert (row["status"], row["step"], row["pending"]) == ("running", None, {})
    assert row["input"][0]["content"]["content"] == "go"
    assert await row_of(agent) is None
    assert (await agent.generate("go", run_id="r", durable=True)).text == "again"


async def test_two_durable_runs_never_have_one_id():
    async def once_more(request):
        with pytest.raises(Conflict):
            await agent.generate("go", run_id="r", durable=True)
        return "done"

    agent = Agent("a", model=ScriptedModel([once_more]))
    assert (await agent.generate("go", run_id="r", durable=True)).text == "done"


@pytest.mark.parametrize("ending", ["fails", "aborted", "process"])
async def test_a_durable_run_that_is_over_leaves_nothing_and_one_that_was_torn_away_can_be_recovered(ending):
    inside = asyncio.Event()

    async def hangs(request):
        inside.set()
        if ending == "fails":
            raise ModelError("broken")
        await asyncio.sleep(60)

    agent = Agent("a", model=ScriptedModel([hangs, "recovered"]), default_options={"durable": True})
    async with agent.stream("go", run_id="r") as run:
        await inside.wait()
        if ending == "aborted":
            run.abort()
    if ending == "process":
        assert await agent.services.background.drain(0.01) == 1
    await agent.services.background.settle()
    if ending != "process":
        assert await row_of(agent) is None
        return
    await (await storage_of(agent.services)).write([Delete(CLAIMS, "r")])
    assert [one["runId"] for one in await agent.list_interrupted()] == ["r"]
    assert await agent.list_interrupted(resource="other") == []
    assert (await agent.recover("r").result()).text == "recovered"


async def test_a_durable_run_that_waits_for_a_person_is_answered_and_not_recovered():
    agent = Agent("a", model=ScriptedModel([Call("ask_first", {"id": "1"}, "c"), "done"]), tools=[ask_first])
    assert (await agent.generate("go", run_id="r", durable=True)).finish_reason == "suspended"
    assert await agent.list_interrupted() == []
    with pytest.raises(ApprovalInvalid, match="waits for an answer"):
        await agent.recover("r").result()
    assert (await agent.list_suspended())["total"] == 1
    assert (await agent.approve("r").result()).text == "done"
    with pytest.raises(ApprovalInvalid):
        await agent.recover("r").result()
    with pytest.raises(ApprovalInvalid):
        await agent.recover("never").result()


async def test_an_agent_whose_runs_are_durable_by_default_lets_no_reader_end_them():
    agent = Agent("a", model=ScriptedModel(["one two three"]), default_options={"detached": True})
    async with agent.stream("go", run_id="r") as run:
        await run.take()
    await agent.services.background.settle()
    log = agent.services.runs.get("r")
    assert log is not None
    assert [one.chunk.type async for one in log.observe()][-1] == "finish"
