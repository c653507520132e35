"""Durable functions: recorded calls are not made again."""

import pytest

from mastra.errors import BadDefinition
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.workflows.functions import durable
from mastra.workflows.worker import Worker


def application(*workflows):
    services = Services(storage=MemoryStorage())
    services.workflow_worker = Worker(services, park_after_s=0.0, tick_s=0.01)
    for workflow in workflows:
        workflow.bind(services)
    return services


async def test_a_function_is_called_again_and_its_calls_are_not():
    bodies, calls = [], []

    async def book(city: str) -> str:
        calls.append(city)
        return f"booked {city}"

    async def broken(city: str) -> str:
        calls.append("broken")
        raise ValueError("no")

    @durable
    async def trip(city, ctx):
        bodies.append(city)
        there = await ctx.run(book, city)
        try:
            await ctx.run(broken, city)
        except Exception as error:
            there += f" ({type(error).__name__})"
        await ctx.sleep(0.02)
        both = await ctx.gather((book, "a"), (book, "b"))
        code = await ctx.wait_for_event("code")
        return [there, *both, code]

    services = application(trip)
    run = await trip.create_run("t1")
    await run.start_async("Oslo")
    await run.send_event("code", 7)
    result = await run.wait()
    assert result.result == ["booked Oslo (StepFailed)", "booked a", "booked b", 7]
    assert calls == ["Oslo", "broken", "a", "b"]
    assert len(bodies) > 1
    await services.workflow_worker.stop(grace_s=0)


async def test_a_function_that_calls_something_else_than_before_fails():
    turn = []

    async def one(value):
        return 1

    async def two(value):
        return 2

    @durable
    async def wavering(value, ctx):
        turn.append(1)
        await ctx.run(one if len(turn) == 1 else two)
        await ctx.sleep(0.01)

    services = application(wavering)
    result = await (await wavering.create_run()).start({})
    assert result.error["name"] == "HistoryMismatch"
    await services.workflow_worker.stop(grace_s=0)


def test_only_async_functions_can_be_durable():
    with pytest.raises(BadDefinition):
        durable(lambda value, ctx: value)
