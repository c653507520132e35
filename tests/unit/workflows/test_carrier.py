"""A run is cancelled at each moment of its beginning, and always ends."""

from __future__ import annotations

import asyncio

import pytest

from mastra import Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.workflows.worker import Worker


@step
async def never(value: dict) -> dict:
    await asyncio.Event().wait()
    return value


async def ask(value, ctx):
    if ctx.resume_data is None:
        ctx.suspend({})
    return value


async def pause(run):
    await asyncio.sleep(0)


@pytest.mark.parametrize("hooks", [{}, {"on_start": pause}], ids=["", "with a hook"])
@pytest.mark.parametrize("stored", [False, True])
async def test_a_cancel_that_comes_while_a_run_begins_ends_it(stored, hooks):
    services = Services(storage=MemoryStorage()) if stored else Services()
    flow = Workflow("begun", **hooks).then(never).commit()
    flow.bind(services)
    ends = []
    for turns in range(1, 40):
        run = await flow.create_run()
        starting = asyncio.ensure_future(run.start({}))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await run.cancel()
            ends.append((await starting).status)
        assert run.status == "canceled"
    assert set(ends) == {"canceled"}
    if services.workflow_worker is not None:
        await services.workflow_worker.stop()


@pytest.mark.parametrize("stored", [False, True])
async def test_a_caller_that_is_cancelled_at_any_moment_leaves_no_run_that_nobody_carries(stored, tmp_path):
    storage = SqliteStorage(tmp_path / "runs.db") if stored else MemoryStorage()
    flow = Workflow("left").then(step(id="ask", resume={"ok": bool})(ask)).commit()
    services = Services(storage=storage)
    worker = services.workflow_worker = Worker(services, tick_s=0.02)
    flow.bind(services)
    await storage.open()
    for turns in range(1, 30):
        starting = asyncio.ensure_future((await flow.create_run(f"r{turns}")).start({}))
        for _ in range(turns):
            await asyncio.sleep(0.0002 if stored else 0)
        starting.cancel()
        await asyncio.wait({starting})
    known = [one["runId"] for one in (await flow.list_runs())["runs"]]
    assert len(known) > 5
    for number, run_id in enumerate(known):
        run = await flow.get_run(run_id)
        async with asyncio.timeout(20):
            assert (await run.wait()).status == "suspended"
        resuming = asyncio.ensure_future(run.resume({"ok": True}))
        for _ in range(number):
            await asyncio.sleep(0.0002 if stored else 0)
        resuming.cancel()
        await asyncio.wait({resuming})
        async with asyncio.timeout(20):
            ended = await (await flow.get_run(run_id)).wait()
        assert ended.status in ("suspended", "success")
    await worker.stop()
    await storage.close()
