"""Messages in storage: their order, pages, bounds in time and neighbours."""

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import InvalidInput
from mastra.memory.message_log import range_filter, stored_message

THREAD = {"id": "t", "resourceId": "u", "seq": 0, "last": ""}


def stored(message, thread, known=None, run_id=None, step=0, *, keep_time=False):
    return stored_message(message, thread, known, run_id, step, keep_time=keep_time)


def texts(page):
    return [message.text for message in page.messages]


def ids(rows):
    return [row["id"] for row in rows]


def test_a_clock_that_goes_back_does_not_reorder_a_conversation():
    thread = dict(THREAD)
    late = stored({"id": "a", "createdAt": "2026-01-02"}, thread)
    early = stored({"id": "b", "createdAt": "2026-01-01"}, thread)
    assert late["order"] < early["order"]
    assert early["createdAt"] == "2026-01-01"
    kept = stored({"id": "c", "createdAt": "2025-12-31"}, thread, keep_time=True)
    assert kept["order"] < late["order"]
    assert (thread["seq"], thread["last"]) == (3, "2026-01-02")


def test_a_message_written_again_keeps_its_place_and_an_older_step_changes_nothing():
    thread = dict(THREAD)
    first = stored({"id": "a", "createdAt": "2026-01-01"}, thread, run_id="r", step=2)
    again = stored({"id": "a", "createdAt": "2027-01-01"}, thread, first, "r", 3)
    assert (again["order"], again["createdAt"], again["step"]) == (first["order"], "2026-01-01", 3)
    assert stored({"id": "a", "createdAt": "2026-01-01"}, thread, again, "r", 2) is None
    assert thread["seq"] == 1


def test_the_id_of_a_message_in_another_thread_is_refused():
    with pytest.raises(InvalidInput):
        stored({"id": "a", "createdAt": "2026-01-01"}, dict(THREAD), {"threadId": "other"})


def test_bounds_include_the_whole_last_millisecond():
    bounds = range_filter("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.005Z")["order"]
    assert bounds["$gte"] <= "2026-01-01T00:00:00.000Z/0000000001"
    assert bounds["$lt"] > "2026-01-01T00:00:00.005Z/9999999999"
    assert range_filter(None, None) == {}
    with pytest.raises(InvalidInput):
        range_filter("yesterday", None)


@pytest.fixture
async def log(threads):
    await threads.append("t", "u", [say(f"{n}", at=n) for n in range(6)])
    await threads.append("x", "v", [say("secret", at=9)])
    return threads.messages


async def test_the_newest_come_oldest_first(log):
    assert ids(await log.last({"threadId": "t"}, 2)) == ["m-4", "m-5"]
    assert ids(await log.rows("t")) == [f"m-{n}" for n in range(6)]
    assert ids(await log.rows("t", start="2026-01-01T00:00:02Z", end="2026-01-01T00:00:03Z")) == ["m-2", "m-3"]


@pytest.mark.parametrize(("before", "after", "found"), [(1, 1, "123"), (0, 0, "2"), (9, 0, "012"), (0, 2, "234")])
async def test_the_neighbours_of_a_message_are_of_its_thread(log, before, after, found):
    row = (await log.get_many(["m-2"]))["m-2"]
    assert ids(await log.around(row, before, after)) == [f"m-{n}" for n in found]


async def test_a_page_counts_all_and_can_go_backwards(log):
    page = await log.page({"threadId": "t"}, owner="u", page=0, per_page=4, direction="DESC")
    assert (texts(page), page.total, page.has_more) == (list("5432"), 6, True)
    wire = page.to_wire()
    assert (wire["total"], wire["perPage"], wire["hasMore"]) == (6, 4, True)
    whole = await log.page({"threadId": "t"}, owner="u", page=0, per_page=None)
    assert (len(whole.messages), whole.to_wire()["perPage"]) == (6, False)


async def test_included_messages_come_with_their_neighbours_and_never_somebody_elses(log):
    include = [{"id": "m-4", "withPreviousMessages": 1, "withNextMessages": 1}, {"id": "m-secret"}, {"id": "m-none"}]
    page = await log.page({"threadId": "t"}, owner="u", page=0, per_page=1, include=include)
    assert (texts(page), page.total) == (list("0345"), 6)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"id": 3}, {"id": "m-4", "withNextMessages": "many"}, {"id": "m-4", "withPreviousMessages": -1}, "m-4"],
)
async def test_an_inclusion_that_is_none_is_refused(log, wrong):
    with pytest.raises(InvalidInput):
        await log.page({"threadId": "t"}, owner="u", page=0, per_page=1, include=[wrong])
