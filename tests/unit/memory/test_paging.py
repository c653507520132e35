"""Numbered pages over cursors, and trying again after a conflict."""

import pytest

from mastra.errors import Conflict, InvalidInput, StorageUnavailable
from mastra.memory import paging
from mastra.memory.paging import read_page, retry_conflicts
from mastra.types.records import Order, Put, Table

TABLE = Table("pages", ("n",))
UP = Order("n")


@pytest.fixture
async def filled(storage):
    await storage.write([Put(TABLE, f"k{n:02d}", {"n": n}) for n in range(10)])
    return storage


@pytest.mark.parametrize(
    ("page", "per_page", "numbers", "more"),
    [(0, 4, [0, 1, 2, 3], True), (1, 4, [4, 5, 6, 7], True), (2, 4, [8, 9], False), (9, 4, [], False),
     (0, 10, list(range(10)), False), (0, 0, [], False), (0, None, list(range(10)), False)],
)  # fmt: skip
async def test_a_page_has_its_rows_and_says_whether_more_follow(filled, page, per_page, numbers, more):
    rows, found = await read_page(filled, TABLE, None, UP, page, per_page)
    assert ([row["n"] for row in rows], found) == (numbers, more)


async def test_pages_that_span_many_reads_are_put_together(filled, monkeypatch):
    monkeypatch.setattr(paging, "CHUNK", 3)
    assert [row["n"] for row in (await read_page(filled, TABLE, None, UP, 1, 5))[0]] == [5, 6, 7, 8, 9]
    assert len((await read_page(filled, TABLE, {"n": {"$gte": 2}}, UP, 0, None))[0]) == 8


async def test_the_filter_and_the_order_hold(filled):
    rows, more = await read_page(filled, TABLE, {"n": {"$lt": 5}}, Order("n", descending=True), 0, 2)
    assert ([row["n"] for row in rows], more) == ([4, 3], True)


@pytest.mark.parametrize(("page", "per_page"), [(-1, 4), (0, -1), (1.0, 4), (True, 4), (0, "4")])
async def test_numbers_that_cannot_be_are_refused(filled, page, per_page):
    with pytest.raises(InvalidInput):
        await read_page(filled, TABLE, None, UP, page, per_page)


async def test_a_conflict_is_tried_again_and_other_errors_are_not():
    tries = []

    async def third_time():
        tries.append(1)
        if len(tries) < 3:
            raise Conflict("taken")
        return "done"

    assert await retry_conflicts(third_time) == "done"
    assert len(tries) == 3

    async def wrong():
        tries.append(1)
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        await retry_conflicts(wrong)
    assert len(tries) == 4


async def test_endless_conflicts_end(monkeypatch):
    monkeypatch.setattr(paging, "MAX_TRIES", 3)

    async def taken():
        raise Conflict("taken")

    with pytest.raises(StorageUnavailable) as caught:
        await retry_conflicts(taken)
    assert caught.value.retryable
