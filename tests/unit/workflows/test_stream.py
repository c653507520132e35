"""A slow reader slows nothing but itself, and catches up from what is recorded."""

import asyncio

from mastra import StepContext, Workflow, step
from mastra.runtime.broadcast import RunLog
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage

KEPT = 50


@step
async def first(value: dict) -> dict:
    return {"n": value["n"] + 1}


@step
async def talk(value: dict, ctx: StepContext) -> dict:
    for number in range(10 * KEPT):
        await ctx.writer.write({"number": number})
        if number % 10 == 0:
            await asyncio.sleep(0)
    return {"n": value["n"] + 1}


async def test_a_slow_reader_slows_nothing_but_itself_and_catches_up_from_the_journal():
    services = Services(storage=MemoryStorage())
    flow = Workflow("talks").then(first).then(talk).then(step(id="last")(lambda value: value)).commit()
    flow.bind(services)
    run = await flow.create_run("r1")
    # A small buffer, so that the slow one falls behind it at once.
    services.runs._logs["r1"] = RunLog("r1", keep=KEPT)
    stream = run.stream({"n": 0})
    slow = stream.__aiter__()
    assert (await anext(slow)).type == "workflow-start"

    fast = [chunk async for chunk in run.observe()]
    numbers = [chunk.payload["output"]["number"] for chunk in fast if chunk.type == "workflow-step-output"]
    assert numbers == list(range(10 * KEPT))
    # The run is over, though the slow reader has read one chunk.
    assert (await stream.result()).result == {"n": 2}

    rest = [chunk async for chunk in slow]
    results = {chunk.payload["id"]: chunk.payload["output"] for chunk in rest if chunk.type == "workflow-step-result"}
    assert results == {"first": {"n": 1}, "talk": {"n": 2}, "last": {"n": 2}}
    assert rest[-1].type == "workflow-finish"
    assert len(rest) <= KEPT
    await services.workflow_worker.stop()


async def test_a_reader_that_keeps_up_with_the_buffer_misses_nothing():
    services = Services()
    flow = Workflow("talks").then(first).then(talk).commit()
    flow.bind(services)
    stream = (await flow.create_run()).stream({"n": 0})
    numbers = []
    async for chunk in stream:
        if chunk.type == "workflow-step-output":
            numbers.append(chunk.payload["output"]["number"])
            await asyncio.sleep(0)
    assert numbers == list(range(10 * KEPT))


async def test_who_followed_the_first_part_of_a_run_does_not_end_the_second():
    @step(id="ask")
    async def ask(value: dict, ctx: StepContext) -> dict:
        if ctx.resume_data is None:
            ctx.suspend({"why": "?"})
        return ctx.resume_data

    services = Services(storage=MemoryStorage())
    flow = Workflow("asks").then(ask).commit()
    flow.bind(services)
    run = await flow.create_run("r1")
    first_part = [chunk.type async for chunk in run.stream({"n": 0})]
    # At once, before the task of the first stream has ended.
    second_part = [chunk.type async for chunk in run.resume_stream({"n": 1})]
    assert "workflow-step-suspended" in first_part
    assert second_part[-1] == "workflow-finish"
    await services.workflow_worker.stop()
