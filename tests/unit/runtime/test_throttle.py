"""Holding calls back: rates, slots, and the order of the queue."""

from __future__ import annotations

import asyncio

import pytest

from mastra.errors import BadDefinition, RateLimited
from mastra.runtime.throttle import Throttle
from mastra.testing import HandClock


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_minutes_worth_passes_at_once_and_then_at_the_rate():
    clock = HandClock()
    throttle = Throttle(requests_per_minute=60, clock=clock)
    for _ in range(60):
        await throttle.enter()
        throttle.leave()
    passed: list[int] = []

    async def call(number: int) -> None:
        await throttle.enter()
        passed.append(number)
        throttle.leave()

    tasks = [asyncio.create_task(call(number)) for number in range(3)]
    await settle()
    assert passed == []
    for expected in ([0], [0, 1], [0, 1, 2]):
        await clock.advance(1)
        await settle()
        assert passed == expected
    await asyncio.gather(*tasks)


async def test_tokens_are_counted_and_corrected():
    clock = HandClock()
    throttle = Throttle(tokens_per_minute=600, clock=clock)
    await throttle.enter(600)
    throttle.settle(600, 300)
    throttle.leave()
    await throttle.enter(300)
    throttle.leave()
    task = asyncio.create_task(throttle.enter(100))
    await settle()
    assert not task.done()
    await clock.advance(10)
    await task


async def test_more_than_the_bucket_holds_waits_for_a_full_one():
    clock = HandClock()
    throttle = Throttle(tokens_per_minute=60, clock=clock)
    await throttle.enter(1_000_000)


async def test_slots_are_given_in_order_and_given_back():
    throttle = Throttle(max_concurrent=2)
    order: list[int] = []
    gates = [asyncio.Event() for _ in range(4)]

    async def call(number: int) -> None:
        await throttle.enter()
        order.append(number)
        try:
            await gates[number].wait()
        finally:
            throttle.leave()

    tasks = [asyncio.create_task(call(number)) for number in range(4)]
    await settle()
    assert (order, throttle.active, throttle.waiting) == ([0, 1], 2, 2)
    gates[1].set()
    await settle()
    assert order == [0, 1, 2]
    tasks[3].cancel()
    await settle()
    gates[0].set()
    gates[2].set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (throttle.active, throttle.waiting) == (0, 0)


async def test_a_cancelled_head_of_the_queue_lets_the_next_one_pass():
    clock = HandClock()
    throttle = Throttle(requests_per_minute=60, max_concurrent=5, clock=clock)
    for _ in range(60):
        await throttle.enter()
        throttle.leave()
    head = asyncio.create_task(throttle.enter())
    second = asyncio.create_task(throttle.enter())
    await settle()
    head.cancel()
    await settle()
    await clock.advance(1)
    await second
    assert throttle.active == 1


async def test_somebody_leaving_does_not_let_the_queue_overtake_its_head():
    clock = HandClock()
    throttle = Throttle(requests_per_minute=60, clock=clock)
    await throttle.enter()
    for _ in range(59):
        await throttle.enter()
        throttle.leave()
    head = asyncio.create_task(throttle.enter())
    second = asyncio.create_task(throttle.enter())
    await settle()
    throttle.leave()
    await settle()
    assert clock.sleepers == 1
    await clock.advance(1)
    await head
    assert not second.done()
    await clock.advance(1)
    await second


async def test_a_wait_past_the_deadline_is_refused_at_once():
    clock = HandClock()
    throttle = Throttle(requests_per_minute=1, clock=clock)
    await throttle.enter()
    throttle.leave()
    with pytest.raises(RateLimited, match=r"60\.0 s"):
        await throttle.enter(deadline=clock.monotonic() + 5)
    assert throttle.active == 0
    busy = Throttle(max_concurrent=1, clock=clock)
    await busy.enter()
    with pytest.raises(RateLimited, match="queue"):
        await busy.enter(deadline=clock.monotonic() + 0.01)


def test_an_impossible_limit_is_refused():
    with pytest.raises(BadDefinition):
        Throttle(requests_per_minute=0)
    with pytest.raises(BadDefinition):
        Throttle(max_concurrent=0)
