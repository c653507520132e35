"""Scans that a server answers a page at a time, over a server that is a sorted list."""

import pytest

from mastra.errors import InvalidInput
from mastra.storage import keyset
from mastra.storage.keyset import KeysetStorage, place_of
from mastra.storage.sortkeys import sort_key
from mastra.types.records import Order, Record, Table

TABLE = Table("rows", ("at", "kind"))


class ListStorage(KeysetStorage):
    """Meets no condition of a plan but the order, so everything is left to the shared part."""

    def __init__(self, rows):
        self.rows, self.pages, self.readied = rows, [], 0

    async def ready(self, table):
        self.readied += 1

    async def find(self, table, chosen, order, place, limit):
        self.pages.append(limit)

        def at(record):
            value = record.value.get(order.field) if order else None
            return (sort_key(value) if order else 0, record.key)

        found = sorted((Record(key, value) for key, value in self.rows.items()), key=at)
        if order is not None and order.descending:
            found.reverse()
        if place is not None:
            edge = (sort_key(place[1]) if order else 0, place[0])
            further = (lambda r: at(r) < edge) if order is not None and order.descending else (lambda r: at(r) > edge)
            found = [record for record in found if further(record)]
        return found[:limit]

    async def count_exact(self, table, chosen):
        return len(self.rows)

    async def open(self): ...
    async def close(self): ...
    async def get(self, table, key): ...
    async def write(self, batch): ...


@pytest.fixture
def storage():
    return ListStorage({f"k{n:03}": {"at": n % 7, "n": n, "kind": "ab"[n % 2]} for n in range(100)})


@pytest.mark.parametrize("order", [None, Order("at"), Order("at", descending=True)])
async def test_pages_cover_every_row_once_whatever_a_page_of_the_server_holds(storage, order, monkeypatch):
    monkeypatch.setattr(keyset, "CHUNK", 5)
    where = {"n": {"$gte": 30}}
    seen, after = [], None
    while True:
        page = await storage.scan(TABLE, where, order=order, after=after, limit=9)
        seen += [record.value["n"] for record in page.records]
        after = page.after
        if after is None:
            break
    assert sorted(seen) == list(range(30, 100))
    assert set(storage.pages) == {5}
    assert await storage.count(TABLE, where) == 70


async def test_an_exact_plan_reads_one_row_more_than_the_page(storage):
    page = await storage.scan(TABLE, limit=10)
    assert (len(page.records), storage.pages) == (10, [11])
    assert await storage.count(TABLE) == 100
    assert storage.readied == 2


async def test_what_is_wrong_is_refused_before_anything_is_read(storage):
    for wrong in ({"limit": 0}, {"order": Order("nothing")}, {"after": "x"}):
        with pytest.raises(InvalidInput):
            await storage.scan(TABLE, **wrong)
    assert storage.pages == []


def test_a_place_is_a_key_and_what_was_ordered_by():
    record = Record("k", {"at": 3})
    assert place_of(record, None) == ("k", None)
    assert place_of(record, Order("at")) == ("k", 3)
    assert place_of(record, Order("gone")) == ("k", None)
