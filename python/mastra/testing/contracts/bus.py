"""What every event bus must do. `CHECKS` maps a sentence to a coroutine function that takes an opened bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from mastra.errors import InvalidInput
from mastra.ports.bus import BusEvent, EventBus
from mastra.testing.contracts.expectations import expect, expect_raises
from mastra.types.ids import new_id

Check = Callable[[EventBus], Awaitable[None]]
CHECKS: dict[str, Check] = {}
_PATIENCE_S = 10


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


async def _take(events: AsyncIterator[BusEvent], count: int) -> list[BusEvent]:
    found: list[BusEvent] = []
    async with asyncio.timeout(_PATIENCE_S):
        while len(found) < count:
            found.append(await anext(events))
    return found


@_check
async def events_come_in_the_order_they_were_published(bus: EventBus) -> None:
    """To a reader that was there before them."""
    topic = new_id()
    async with bus.subscribe(topic) as events:
        cursors = [await bus.publish(topic, {"n": number, "text": "ø🙂"}) for number in range(50)]
        found = await _take(events, 50)
    expect([event.data for event in found], [{"n": number, "text": "ø🙂"} for number in range(50)])
    expect([event.cursor for event in found], cursors)


@_check
async def a_reader_without_a_cursor_sees_only_what_is_new(bus: EventBus) -> None:
    """What was published before it came is not for it."""
    topic = new_id()
    await bus.publish(topic, {"old": True})
    async with bus.subscribe(topic) as events:
        await bus.publish(topic, {"old": False})
        expect([event.data for event in await _take(events, 1)], [{"old": False}])


@_check
async def a_reader_goes_on_after_its_cursor(bus: EventBus) -> None:
    """`"0"` is the beginning of all that is kept."""
    topic = new_id()
    cursors = [await bus.publish(topic, {"n": number}) for number in range(10)]
    async with bus.subscribe(topic, after="0") as events:
        expect([event.data["n"] for event in await _take(events, 10)], list(range(10)))
    async with bus.subscribe(topic, after=cursors[6]) as events:
        await bus.publish(topic, {"n": 10})
        expect([event.data["n"] for event in await _take(events, 4)], [7, 8, 9, 10])


@_check
async def every_reader_sees_every_event_of_its_topic_and_no_other(bus: EventBus) -> None:
    """Readers do not take events from each other."""
    mine, other = new_id(), new_id()
    async with bus.subscribe(mine) as first, bus.subscribe(mine) as second:
        await bus.publish(other, {"n": -1})
        for number in range(5):
            await bus.publish(mine, {"n": number})
        for events in (first, second):
            expect([event.data["n"] for event in await _take(events, 5)], list(range(5)))


@_check
async def events_published_at_once_are_all_delivered_once(bus: EventBus) -> None:
    """And every reader sees them in the same order."""
    topic = new_id()
    async with bus.subscribe(topic) as first, bus.subscribe(topic) as second:
        await asyncio.gather(*(bus.publish(topic, {"n": number}) for number in range(40)))
        seen = [[event.data["n"] for event in await _take(events, 40)] for events in (first, second)]
    expect(sorted(seen[0]), list(range(40)))
    expect(seen[1], seen[0])


@_check
async def a_reader_that_waits_is_woken(bus: EventBus) -> None:
    """Without being asked again."""
    topic = new_id()
    async with bus.subscribe(topic) as events:
        waiting = asyncio.ensure_future(_take(events, 1))
        await asyncio.sleep(0.02)
        await bus.publish(topic, {"now": True})
        expect((await waiting)[0].data, {"now": True})


@_check
async def what_cannot_be_sent_is_refused(bus: EventBus) -> None:
    """Topics, data and cursors that are none."""
    for topic in ("", "a b", "x" * 300, "a\nb"):
        await expect_raises(InvalidInput, bus.publish(topic, {}), topic)
    for data in ([1], {"a": object()}, {"a": float("nan")}, {"a": "x" * 1_100_000}):
        await expect_raises(InvalidInput, bus.publish("topic", data), data)  # type: ignore[arg-type]  # on purpose

    async def subscribe(cursor: str) -> None:
        async with bus.subscribe("topic", after=cursor) as events:
            await _take(events, 1)

    for cursor in ("x", "-1", "1; DROP TABLE"):
        await expect_raises(InvalidInput, subscribe(cursor), cursor)


@_check
async def the_data_is_a_copy(bus: EventBus) -> None:
    """Changing it after publishing changes nothing."""
    topic, data = new_id(), {"list": [1]}
    async with bus.subscribe(topic) as events:
        await bus.publish(topic, data)
        data["list"].append(2)
        expect((await _take(events, 1))[0].data, {"list": [1]})
