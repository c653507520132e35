"""A run of another process is observed and watched through its journal."""

import asyncio

import pytest

from mastra import StepContext, Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.workflows.worker import Worker


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request, tmp_path):
    made = MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path / "runs.db")
    await made.open()
    yield made
    await made.close()


def build(gate):
    @step
    async def first(value: dict) -> dict:
        return {"n": value["n"] + 1}

    @step(id="held")
    async def held(value: dict) -> dict:
        await gate.wait()
        return {"n": value["n"] + 1}

    @step(resume={"ok": bool})
    async def ask(value: dict, ctx: StepContext) -> dict:
        if ctx.resume_data is None:
            ctx.suspend({"why": "?"})
        return {"n": value["n"] + 1}

    return Workflow("shared").then(first).then(held).then(ask).then(step(id="last")(lambda value: value)).commit()


class Process:
    def __init__(self, storage, gate):
        self.services = Services(storage=storage)
        self.worker = self.services.workflow_worker = Worker(self.services, tick_s=0.02)
        self.flow = build(gate)
        self.flow.bind(self.services)


async def until(met):
    async with asyncio.timeout(30):
        while not met():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def test_a_run_of_another_process_is_observed_and_watched_to_its_end(storage):
    gate = asyncio.Event()
    here, there = Process(storage, gate), Process(storage, gate)
    run = await there.flow.create_run("r1")
    await run.start_async({"n": 0})
    seen = await here.flow.get_run("r1")
    watched, observed = [], []
    seen.watch(watched.append)

    async def observe():
        async for chunk in (await here.flow.get_run("r1")).observe():
            observed.append(chunk)  # noqa: PERF401 - looked at while it grows

    observing = asyncio.ensure_future(observe())
    await until(lambda: any(chunk.payload.get("id") == "first" for chunk in watched))
    assert not observing.done()
    assert not any(chunk.payload.get("id") == "held" for chunk in [*watched, *observed])
    gate.set()
    await asyncio.wait_for(observing, 30)
    assert [chunk.type for chunk in observed] == [
        "workflow-start", "workflow-step-result", "workflow-step-result", "workflow-step-suspended", "workflow-finish",
    ]  # fmt: skip
    assert observed[2].payload["output"] == {"n": 2}
    assert observed[-1].payload["workflowStatus"] == "suspended"
    assert (await run.wait()).status == "suspended"
    assert (await run.resume({"ok": True})).result == {"n": 3}
    await until(lambda: watched[-1].type == "workflow-finish" and watched[-1].payload["workflowStatus"] == "success")
    assert [chunk.payload["id"] for chunk in watched if chunk.type == "workflow-step-result"] == [
        "first", "held", "ask", "last",
    ]  # fmt: skip
    assert watched[-1].payload["finalWorkflowResult"] == {"n": 3}
    later = [chunk async for chunk in (await here.flow.get_run("r1")).observe(2)]
    assert [chunk.payload.get("id") for chunk in later] == ["held", "ask", "ask", "last", None]
    for process in (here, there):
        await process.worker.stop()


async def test_a_run_that_was_not_started_or_ended_long_ago_is_observed_too(storage):
    gate = asyncio.Event()
    gate.set()
    process = Process(storage, gate)
    fresh = await process.flow.create_run("fresh", persist=True)
    assert [chunk async for chunk in fresh.observe()] == []
    old = await process.flow.create_run("old")
    await old.start_async({"n": 0})
    await old.wait()
    types = [chunk.type async for chunk in (await process.flow.get_run("old")).observe()]
    assert types[0] == "workflow-start"
    assert types[-1] == "workflow-finish"
    await process.worker.stop()
