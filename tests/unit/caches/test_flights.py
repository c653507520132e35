"""One coroutine works, the others wait; the contract suite shows the rest through the adapters."""

import asyncio

import pytest

from mastra.caches.flights import Flights


async def test_those_who_wait_get_the_answer_of_the_one_who_works():
    flights, calls, go = Flights(), [], asyncio.Event()

    async def work():
        calls.append(1)
        await go.wait()
        return b"x"

    waiting = [asyncio.create_task(flights.once("a", work)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[3].cancel()
    await asyncio.sleep(0)
    go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results.pop(3), asyncio.CancelledError)
    assert results == [b"x"] * 4
    assert calls == [1]


async def test_an_error_is_not_kept():
    flights = Flights()

    async def fail():
        raise OSError

    async def work():
        return b"x"

    with pytest.raises(OSError):
        await flights.once("a", fail)
    assert await flights.once("a", work) == b"x"
