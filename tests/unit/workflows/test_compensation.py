"""What succeeded of a failed run is undone: newest first, once, whatever else fails, also after a crash."""

import asyncio

import pytest

from mastra import StepContext, Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put, Table
from mastra.workflows.worker import Worker

UNDONE = Table("undone")


def flow_of(undone, *, broken=()):
    def part(name):
        async def undo(output, ctx: StepContext):
            undone.append((name, output["n"]))
            if name in broken:
                raise ValueError(f"{name} stays")
            ctx.write_with_result(Put(UNDONE, f"{ctx.run_id}-{name}", {"key": ctx.idempotency_key}))

        def act(value: dict) -> dict:
            return {"n": value["n"] + 1}

        return step(id=name, compensate=undo)(act)

    def fail(value: dict) -> dict:
        raise RuntimeError("no")

    inner = Workflow("inner").then(part("c")).commit()
    return Workflow("undoes").then(part("a")).then(part("b")).then(inner).then(step(id="fail")(fail)).commit()


@pytest.mark.parametrize("stored", [True, False])
async def test_steps_are_undone_newest_first_with_what_they_gave(stored):
    undone = []
    flow, storage = flow_of(undone), MemoryStorage()
    services = Services(storage=storage if stored else None)
    flow.bind(services)
    result = await (await flow.create_run("r1")).start({"n": 0})
    assert result.status == "failed"
    assert undone == [("c", 3), ("b", 2), ("a", 1)]
    if stored:
        # What an undoing writes is part of its record.
        assert await storage.count(UNDONE) == 3
        await services.workflow_worker.stop()


async def test_one_that_cannot_be_undone_keeps_nobody_else_from_it():
    undone = []
    flow = flow_of(undone, broken={"b"})
    run = await flow.create_run("r1")
    result = await run.start({"n": 0})
    assert (result.status, [name for name, _ in undone]) == ("failed", ["c", "b", "a"])
    assert run.state.records["b!undo"].status == "failed"
    assert (run.state.records["b!undo"].error or {})["message"] == "b stays"
    # It is no step of the run.
    assert "b!undo" not in result.steps


async def test_what_was_undone_before_a_crash_is_not_undone_again():
    undone, storage, begun = [], MemoryStorage(), asyncio.Event()

    def build(hangs):
        def part(name):
            async def undo(output, ctx):
                if name == "a" and hangs:
                    begun.set()
                    await asyncio.Event().wait()
                undone.append(name)

            return step(id=name, compensate=undo)(lambda value: value)

        def fail(value: dict) -> dict:
            raise RuntimeError("no")

        return Workflow("undoes").then(part("a")).then(part("b")).then(step(id="fail")(fail)).commit()

    first, flow = Services(storage=storage), build(hangs=True)
    worker = first.workflow_worker = Worker(first)
    flow.bind(first)
    await (await flow.create_run("r1")).start_async({"n": 0})
    await asyncio.wait_for(begun.wait(), 10)
    await worker.stop(grace_s=0)
    second, again = Services(storage=storage), build(hangs=False)
    other = second.workflow_worker = Worker(second, tick_s=0.02)
    again.bind(second)
    await other.start()
    result = await asyncio.wait_for((await again.get_run("r1")).wait(), 10)
    assert (result.status, undone) == ("failed", ["b", "a"])
    await other.stop()
