"""What the holder of a run can do with it: watch it over its waits."""

import asyncio

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import InvalidInput, NotSuspended
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage


@step(resume={"ok": bool})
async def ask(value: dict, ctx: StepContext):
    if ctx.resume_data is None:
        ctx.suspend({"why": "?"})
    return ctx.resume_data


async def until(met):
    async with asyncio.timeout(30):
        while not met():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)


async def test_a_watcher_hears_the_whole_run_over_its_waits_and_stops_when_told():
    for services in (Services(), Services(storage=MemoryStorage())):
        flow = Workflow("watched").then(ask).then(lambda value: value).commit()
        flow.bind(services)
        run = await flow.create_run()
        heard, awaited, stopped = [], [], []

        async def hear(chunk, awaited=awaited):
            await asyncio.sleep(0)
            awaited.append(chunk.type)

        def broken(chunk):
            raise ValueError("a watcher of the user fails")

        run.watch(lambda chunk, heard=heard: heard.append(chunk.type))
        run.watch(hear)
        run.watch(broken)
        stop = run.watch(lambda chunk, stopped=stopped: stopped.append(chunk.type))
        assert (await run.start({})).status == "suspended"
        await until(lambda one=awaited: one.count("workflow-finish") == 1)
        stop()
        assert (await run.resume({"ok": True})).status == "success"
        await until(lambda one=awaited: one.count("workflow-finish") == 2)
        assert heard == awaited
        assert [heard.count(kind) for kind in ("workflow-start", "workflow-step-suspended", "workflow-finish")] == [
            2,
            1,
            2,
        ]
        assert stopped == heard[: len(stopped)]
        assert len(stopped) < len(heard)
        if services.workflow_worker is not None:
            await services.workflow_worker.stop()


@pytest.mark.parametrize("storage", [None, MemoryStorage()], ids=["in memory", "stored"])
async def test_what_a_run_cannot_do_is_a_typed_error_and_changes_nothing(storage):
    services = Services(storage=storage)
    flow = Workflow("careful").then(step(id="same")(lambda value: value)).commit()
    flow.bind(services)
    run = await flow.create_run("r1")
    with pytest.raises(InvalidInput, match="request context"):
        await run.start({}, request_context="x")  # type: ignore[arg-type]  # what is tried
    assert (await run.start({"n": 1})).status == "success"
    with pytest.raises(InvalidInput):
        await run.time_travel(None)
    with pytest.raises(TypeError):
        await run.start_async({}, unknown=1)  # type: ignore[call-arg]  # what is tried
    with pytest.raises(InvalidInput):
        await flow.list_runs(page="1")  # type: ignore[arg-type]  # what is tried
    with pytest.raises(InvalidInput, match="'finished'"):
        await flow.list_runs(status="finished")
    with pytest.raises(InvalidInput) as refused:
        await flow.count_runs("sucess")
    assert "success" in str(refused.value.hint)
    assert (await flow.get_run("r1")).state.result == {"n": 1}
    if storage is not None:
        with pytest.raises(NotSuspended, match="not started"):
            await (await flow.create_run("r2")).time_travel("same")
        await services.workflow_worker.stop()
