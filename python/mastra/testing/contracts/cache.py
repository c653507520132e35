"""What every cache adapter must do. `CHECKS` maps a sentence to a coroutine function that takes an opened cache."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mastra.errors import InvalidInput
from mastra.ports.cache import Cache
from mastra.testing.contracts.expectations import expect, expect_raises
from mastra.types.ids import new_id

Check = Callable[[Cache], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


@_check
async def bytes_come_back_as_they_were_set(cache: Cache) -> None:
    """Any bytes under any text, the empty ones included."""
    for key, value in ((new_id(), b""), (f"{new_id()} ø🙂:*\n", bytes(range(256)) * 40), (new_id(), b"\0")):
        expect(await cache.get(key), None)
        await cache.set(key, value)
        expect(await cache.get(key), value)


@_check
async def the_last_value_wins_and_a_deleted_one_is_gone(cache: Cache) -> None:
    """Deleting what is not there is no error."""
    key = new_id()
    await cache.delete(key)
    await cache.set(key, b"1")
    await cache.set(key, b"2")
    expect(await cache.get(key), b"2")
    await cache.delete(key)
    expect(await cache.get(key), None)


@_check
async def a_value_is_gone_after_its_time(cache: Cache) -> None:
    """The one without an end stays; a new value has a time of its own."""
    short, long, renewed = new_id(), new_id(), new_id()
    await cache.set(short, b"1", ttl_s=0.05)
    await cache.set(long, b"1", ttl_s=3600)
    await cache.set(renewed, b"1", ttl_s=0.05)
    await cache.set(renewed, b"2")
    deadline = asyncio.get_running_loop().time() + 5
    while await cache.get(short) is not None:
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("a value outlived its time by seconds")
        await asyncio.sleep(0.005)
    expect(await cache.get(long), b"1")
    expect(await cache.get(renewed), b"2")


@_check
async def a_missing_value_is_made_once(cache: Cache) -> None:
    """Ten ask, one makes."""
    key, calls = new_id(), []

    async def make() -> bytes:
        calls.append(1)
        await asyncio.sleep(0.01)
        return b"made"

    expect(await asyncio.gather(*(cache.get_or_set(key, make, ttl_s=60) for _ in range(10))), [b"made"] * 10)
    expect(await cache.get_or_set(key, make), b"made")
    expect(calls, [1])


@_check
async def a_failed_make_reaches_all_who_wait_and_keeps_nothing(cache: Cache) -> None:
    """The next one who asks tries again."""
    key = new_id()

    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise OSError("down")

    async def make() -> bytes:
        return b"up"

    results = await asyncio.gather(*(cache.get_or_set(key, fail) for _ in range(3)), return_exceptions=True)
    expect([str(result) for result in results], ["down"] * 3)
    expect(await cache.get_or_set(key, make), b"up")


@_check
async def when_the_maker_is_cancelled_another_takes_over(cache: Cache) -> None:
    """Nobody hangs and nobody else is cancelled."""
    key, started = new_id(), asyncio.Event()

    async def hang() -> bytes:
        started.set()
        await asyncio.Event().wait()
        return b""

    async def make() -> bytes:
        return b"second"

    first = asyncio.create_task(cache.get_or_set(key, hang))
    await started.wait()
    second = asyncio.create_task(cache.get_or_set(key, make))
    await asyncio.sleep(0)
    first.cancel()
    expect(await asyncio.wait_for(second, 10), b"second")


@_check
async def a_value_set_while_another_is_made_stays(cache: Cache) -> None:
    """What was set is newer than what was begun before."""
    key = new_id()

    async def make() -> bytes:
        await cache.set(key, b"new")
        return b"old"

    expect(await cache.get_or_set(key, make), b"old")
    expect(await cache.get(key), b"new")


@_check
async def wrong_input_is_refused(cache: Cache) -> None:
    """Before anything is kept."""
    key = new_id()
    for ttl_s in (0.0, -1.0, float("nan")):
        await expect_raises(InvalidInput, cache.set(key, b"1", ttl_s=ttl_s), ttl_s)
    await expect_raises(InvalidInput, cache.set(key, "text"))  # type: ignore[arg-type]  # the point of the check
    await expect_raises(InvalidInput, cache.set("\ud800", b"1"))
    await expect_raises(InvalidInput, cache.get("\ud800"))
    expect(await cache.get(key), None)


@_check
async def opening_and_closing_twice_is_no_error(cache: Cache) -> None:
    """And after the second opening it works."""
    await cache.open()
    await cache.close()
    await cache.close()
    await cache.open()
    key = new_id()
    await cache.set(key, b"1")
    expect(await cache.get(key), b"1")
