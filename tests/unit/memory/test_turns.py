"""Two requests on one thread at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import Conflict
from mastra.memory.threads import ThreadRepo
from mastra.memory.turns import TURNS, Turns
from mastra.runtime.clock import SYSTEM_CLOCK
from mastra.types.records import Put


async def test_they_wait_for_each_other_in_order(threads):
    turns = Turns(threads, SYSTEM_CLOCK)
    seen = []

    async def request(number):
        async with turns.turn("t"):
            seen.append(("in", number))
            await asyncio.sleep(0)
            seen.append(("out", number))

    await asyncio.gather(*(request(number) for number in range(5)))
    assert seen == [(word, number) for number in range(5) for word in ("in", "out")]
    assert await threads.storage.get(TURNS, "t") is None


async def test_the_second_can_be_refused(threads):
    turns = Turns(threads, SYSTEM_CLOCK, "reject")
    elsewhere = Turns(ThreadRepo(threads.storage), SYSTEM_CLOCK, "reject")
    async with turns.turn("t"):
        for other in (turns, elsewhere):
            with pytest.raises(Conflict):
                async with other.turn("t"):
                    pass
        async with turns.turn("another"):
            pass
    async with elsewhere.turn("t"):
        pass


async def test_the_newer_can_interrupt_the_older(threads):
    turns = Turns(threads, SYSTEM_CLOCK, "interrupt")
    inside = asyncio.Event()

    async def older():
        me = asyncio.current_task()
        async with turns.turn("t", cancel=me.cancel):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(older())
    await inside.wait()
    async with turns.turn("t"):
        assert task.done() or task.cancelling()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_second_can_get_a_copy(threads):
    await threads.append("t", "u", [say("hello")])
    turns = Turns(threads, SYSTEM_CLOCK, "fork")
    async with turns.turn("t") as first, turns.turn("t") as second:
        assert (first.thread_id, first.forked) == ("t", False)
        assert second.forked
        assert len(await threads.messages.rows(second.thread_id)) == 1


async def test_the_lease_of_a_dead_process_ends(threads):
    await threads.storage.write([Put(TURNS, "t", {"token": "dead", "until": "2020-01-01T00:00:00.000Z"})])
    async with Turns(threads, SYSTEM_CLOCK, lease=timedelta(seconds=5)).turn("t"):
        assert (await threads.storage.get(TURNS, "t"))["token"] != "dead"


async def test_a_copy_of_a_thread_that_nobody_wrote_to_yet_is_a_new_one(threads):
    turns = Turns(threads, SYSTEM_CLOCK, "fork")
    async with turns.turn("t"), turns.turn("t") as other:
        assert other.forked
        assert other.thread_id != "t"


async def test_taking_a_free_thread_is_one_write(threads, monkeypatch):
    reads = []
    get = threads.storage.get

    async def counted(table, key):
        reads.append(key)
        return await get(table, key)

    monkeypatch.setattr(threads.storage, "get", counted)
    async with Turns(threads, SYSTEM_CLOCK).turn("t"):
        assert reads == []


def test_requests_of_two_event_loops_wait_for_each_other(threads):
    turns = Turns(threads, SYSTEM_CLOCK)
    seen = []

    async def request(number):
        async with turns.turn("t"):
            seen.append(("in", number))
            await asyncio.sleep(0.02)
            seen.append(("out", number))

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(asyncio.run, request(number)) for number in range(3)]:
            done.result()
    assert [word for word, _ in seen] == ["in", "out"] * 3
    assert [seen[at][1] == seen[at + 1][1] for at in (0, 2, 4)] == [True] * 3


async def test_a_turn_may_be_taken_and_given_back_by_the_writes_of_its_body(threads):
    turns = Turns(threads, SYSTEM_CLOCK)
    async with turns.turn("t", at_once=False) as turn:
        assert not await turn.busy()
        assert await threads.storage.get(TURNS, "t") is None
        await threads.storage.write(turn.taking())
        turn.taken()
        assert turn.held
        await turn.take()
        await threads.storage.write(turn.giving_back())
        turn.given_back()
        assert await threads.storage.get(TURNS, "t") is None
        await turn.take()
        assert await threads.storage.get(TURNS, "t") is None, "it is over"


async def test_a_turn_that_was_taken_by_a_write_of_unknown_outcome_is_given_back(threads):
    async with Turns(threads, SYSTEM_CLOCK).turn("t", at_once=False) as turn:
        # As when the task is cancelled while it waits for the write.
        await threads.storage.write(turn.taking())
    assert await threads.storage.get(TURNS, "t") is None


async def test_a_turn_waits_for_the_lease_of_another_process_and_takes_one_that_ended(threads):
    mine, theirs = Turns(threads, SYSTEM_CLOCK), Turns(ThreadRepo(threads.storage), SYSTEM_CLOCK)
    async with theirs.turn("t") as other, mine.turn("t", at_once=False) as turn:
        assert await turn.busy()
        taking = asyncio.create_task(turn.take())
        await asyncio.sleep(0)
        await other.end()
        await taking
        assert turn.held
    dead = {"token": "dead", "until": "2020-01-01T00:00:00.000Z"}
    await threads.storage.write([Put(TURNS, "t", dead)])
    async with mine.turn("t", at_once=False) as turn:
        assert not await turn.busy()
        await threads.storage.write(turn.taking())
