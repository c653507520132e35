"""A run is cancelled at each moment of its beginning, and always ends."""

from __future__ import annotations

import asyncio

import pytest

from mastra import Workflow, step
from mastra.errors import RunMissing
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage


@step
async def never(value: dict) -> dict:
    await asyncio.Event().wait()
    return value


async def pause(run):
    await asyncio.sleep(0)


async def canceled(run) -> bool:
    """Whether the run could be cancelled; one whose first row is being written is not there yet."""
    try:
        await run.cancel()
    except RunMissing:
        return False
    return True


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
            while not await canceled(run):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            ends.append((await starting).status)
        assert run.status == "canceled"
    assert set(ends) == {"canceled"}
    if services.workflow_worker is not None:
        await services.workflow_worker.stop()
