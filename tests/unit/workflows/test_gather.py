"""Coroutines side by side: their order, their limit, and what a failure among them means."""

import asyncio

import pytest

from mastra.errors import StepFailed
from mastra.runtime.signals import Bail
from mastra.workflows.gather import gather
from mastra.workflows.stops import Waiting


async def give(value, pause=0.0):
    await asyncio.sleep(pause)
    return value


async def fail(fault, pause=0.0):
    await asyncio.sleep(pause)
    raise fault


async def test_outputs_come_in_the_order_of_what_was_given():
    assert await gather([give(n, 0.01 * (3 - n)) for n in range(4)], "fail_fast", None) == [0, 1, 2, 3]
    assert await gather([], "collect", 3) == []


async def test_no_more_than_the_limit_are_at_work():
    at_work = most = 0

    async def work(number):
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        return number

    assert await gather([work(n) for n in range(20)], "fail_fast", 3) == list(range(20))
    assert most == 3


async def test_the_first_failure_stops_the_others_and_nothing_is_left_running():
    stopped = []

    async def long():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(1)
            raise

    with pytest.raises(StepFailed, match="broken"):
        await gather([long(), fail(StepFailed("broken"), 0.01), long()], "fail_fast", None)
    assert stopped == [1, 1]


async def test_all_are_waited_for_and_failures_become_results():
    cause = StepFailed("outer")
    cause.__cause__ = ValueError("mine")
    found = await gather([give(1), fail(cause), fail(StepFailed("plain")), give(2, 0.01)], "collect", None)
    assert found == [
        1, {"error": {"message": "mine", "name": "ValueError"}},
        {"error": {"message": "plain", "name": "StepFailed"}}, 2,
    ]  # fmt: skip


@pytest.mark.parametrize("order", [0, 1, 2])
async def test_a_bail_wins_over_a_failure_and_a_failure_over_waiting(order):
    faults = [Waiting(), StepFailed("broken"), Bail("early")]
    turned = faults[order:] + faults[:order]
    with pytest.raises(Bail):
        await gather([fail(fault) for fault in turned], "wait", None)
    with pytest.raises(StepFailed):
        await gather([fail(fault) for fault in turned if not isinstance(fault, Bail)], "wait", None)
    with pytest.raises(Waiting):
        await gather([fail(Waiting()), give(1)], "collect", None)


async def test_who_is_cancelled_takes_all_along():
    begun = asyncio.Event()

    async def long():
        begun.set()
        await asyncio.sleep(60)

    task = asyncio.ensure_future(gather([long(), long()], "collect", None))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
