"""The clock that is moved by hand."""

from __future__ import annotations

import asyncio

from mastra.testing import HandClock


async def test_sleepers_wake_in_their_order_when_their_time_comes():
    clock = HandClock()
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await asyncio.sleep(0)
    assert clock.sleepers == 3
    await clock.advance(2)
    assert woken == [1, 2]
    before = clock.now()
    await clock.advance(1)
    assert woken == [1, 2, 3]
    assert (clock.now() - before).total_seconds() == 1
    assert clock.monotonic() == 1003
    await asyncio.gather(*tasks)


async def test_a_jumping_clock_does_not_wait():
    clock = HandClock(jump=True)
    await clock.sleep(3600)
    assert (clock.slept, clock.monotonic()) == ([3600], 4600)
    await HandClock().sleep(0)
