import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mastra.agents.stopping import stoppable
from mastra.errors import Aborted

RUN: Any = SimpleNamespace(run_id="r")


async def stopped() -> None:
    with stoppable(RUN, "enough") as stop:
        stop()
        stop()
        await asyncio.sleep(10)


async def test_only_the_run_ends_and_the_task_goes_on():
    with pytest.raises(Aborted, match="enough") as caught:
        await stopped()
    assert caught.value.run_id == "r"
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_from_outside_stays_one():
    async def work():
        with stoppable(RUN, "enough") as stop:
            stop()
            task.cancel()
            await asyncio.sleep(10)

    task = asyncio.create_task(work())
    await asyncio.wait([task])
    assert task.cancelled()
