"""Storage in this process's memory: for tests and scripts. What it answers is what every adapter must answer."""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import Any, Self

from mastra.errors import Conflict
from mastra.ports.storage import Storage
from mastra.storage.plans import plan
from mastra.storage.rows import (
    broken,
    check_batch,
    check_key,
    check_scan,
    check_table,
    decode_cursor,
    encode_cursor,
    encode_value,
)  # fmt: skip
from mastra.storage.sortkeys import SortKey, sort_key
from mastra.storage.texts import check_search, ranked
from mastra.types.filters import Matcher, compile_filter
from mastra.types.json import loads
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Page, Put, Record, Table

# A row in an index: the sort keys of its fields, then its key.
_Entry = tuple[Any, ...]


class _Rows:
    """The rows of one table of one tenant, with a sorted list for each index."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.keys: list[str] = []
        self.indexes: dict[tuple[str, ...], list[_Entry]] = {}
        # What each row has in the indexes, in their order; rows of a table without indexes have nothing here.
        self.entries: dict[str, tuple[_Entry, ...]] = {}

    def ensure(self, table: Table) -> None:
        """Indexes that a newer declaration asks for are filled from the rows that are there."""
        for entry in table.indexes:
            fields = tuple(entry.split("+"))
            if fields not in self.indexes:
                index: list[_Entry] = []
                for key, text in self.texts.items():
                    made = _entry(fields, loads(text), key)
                    self.entries[key] = (*self.entries.get(key, ()), made)
                    index.append(made)
                index.sort()
                self.indexes[fields] = index

    def put(self, key: str, value: dict[str, Any], text: str) -> None:
        self.remove(key)
        self.texts[key] = text
        insort(self.keys, key)
        if self.indexes:
            made = self.entries[key] = tuple(_entry(fields, value, key) for fields in self.indexes)
            for index, entry in zip(self.indexes.values(), made, strict=True):
                insort(index, entry)

    def remove(self, key: str) -> None:
        if self.texts.pop(key, None) is None:
            return
        del self.keys[bisect_left(self.keys, key)]
        for index, entry in zip(self.indexes.values(), self.entries.pop(key, ()), strict=True):
            del index[bisect_left(index, entry)]

    def places(self, field: str) -> Iterator[tuple[SortKey, str]]:
        """Each row's place in the order of an indexed field."""
        number, fields = next((n, fields) for n, fields in enumerate(self.indexes) if field in fields)
        position = fields.index(field)
        return ((made[number][position], key) for key, made in self.entries.items())


def _entry(fields: tuple[str, ...], value: dict[str, Any], key: str) -> _Entry:
    return (*(_shared_key(value.get(field)) for field in fields), key)


def _shared_key(value: Any) -> SortKey:
    """The sort key; many rows have the same short texts, which they then share."""
    return _text_key(value) if type(value) is str and len(value) <= _SHORT else sort_key(value)


_SHORT = 80
_text_key = functools.lru_cache(maxsize=4096)(sort_key)


class MemoryStorage(Storage):
    """Rows in memory, gone with the process. Values are copied on the way in and out."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], _Rows] = {}
        self._declared: dict[str, tuple[str, ...]] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:  # noqa: ARG003 - there is nothing to say about memory
        """`memory:`; each call makes a new, empty one."""
        return cls()

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """The rows stay: a closed and reopened one is the same. They go with the object."""

    def _rows(self, table: Table) -> _Rows:
        check_table(table)
        rows = self._tables.get((table.tenant, table.name))
        if rows is None:
            rows = self._tables[table.tenant, table.name] = _Rows()
        known = self._declared.setdefault(table.name, table.indexes)
        if not set(table.indexes) <= set(known):
            self._declared[table.name] = tuple(dict.fromkeys(known + table.indexes))
        rows.ensure(table)
        return rows

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        text = self._rows(table).texts.get(check_key(key))
        return None if text is None else loads(text)

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Rows that match `where`, ordered, from the cursor on."""
        check_scan(table, order, limit)
        matcher = compile_filter(where)
        records: list[Record] = []
        for key, value in self._matching(table, where, matcher, order, after):
            if len(records) == limit:
                last = records[-1]
                return Page(records, encode_cursor(order, last.value.get(order.field) if order else None, last.key))
            records.append(Record(key, value))
        return Page(records)

    def _matching(
        self, table: Table, where: Filter | None, matcher: Matcher, order: Order | None, after: str | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        rows = self._rows(table)
        for key in self._ordered_keys(rows, table, where, order, after):
            value = loads(rows.texts[key])
            if matcher(value):
                yield key, value

    def _ordered_keys(
        self, rows: _Rows, table: Table, where: Filter | None, order: Order | None, after: str | None
    ) -> Iterator[str]:
        chosen = plan(table, where, order)
        cursor = None if after is None else decode_cursor(order, after)
        if chosen.fields is None and order is None:
            first = 0 if cursor is None else bisect_right(rows.keys, cursor[0])
            yield from rows.keys[first:]
            return
        if chosen.fields is None or not chosen.ordered:
            yield from _sorted_keys(rows, order, cursor)
            return
        index = rows.indexes[chosen.fields]
        prefix = tuple(sort_key(value) for value in chosen.fixed)
        # What sorts after every sort key, or after every key when all fields of the index are fixed.
        beyond: Any = "\U0010ffff" if len(prefix) == len(chosen.fields) else (3,)
        low, high = bisect_left(index, prefix), bisect_left(index, (*prefix, beyond))
        if cursor is not None:
            place = (*prefix, sort_key(cursor[1]), cursor[0])
            if len(prefix) == len(chosen.fields):
                place = (*prefix, cursor[0])
            if order is not None and order.descending:
                high = max(low, min(high, bisect_left(index, place)))
            else:
                low = min(high, max(low, bisect_right(index, place)))
        # By number: the part may be long, and few of it are asked for.
        numbers = range(low, high)
        for number in reversed(numbers) if order is not None and order.descending else numbers:
            yield index[number][-1]

    async def search_text(
        self, table: Table, field: str, query: str, *, where: Filter | None = None, limit: int = 10
    ) -> list[Record]:
        """The rows whose texts at `field` have every word of `query`, best first."""
        search = check_search(table, field, query, limit)
        matching = self._matching(table, where, compile_filter(where), None, None)
        return ranked(search, (Record(key, value) for key, value in matching), limit) if search.words else []

    async def write(self, batch: Sequence[Operation]) -> None:
        """All or nothing; there is nothing that could interrupt it."""
        checked = check_batch(batch)
        for operation, _ in checked:
            if isinstance(operation, Expect):
                text = self._rows(operation.table).texts.get(operation.key)
                if (operation.where is None) is not (text is None) or (
                    text is not None and not compile_filter(operation.where)(loads(text))
                ):
                    raise Conflict(broken(operation), adapter="memory")
        for operation, text in checked:
            rows = self._rows(operation.table)
            if isinstance(operation, Put):
                rows.put(operation.key, operation.value, text)
            elif isinstance(operation, Delete):
                rows.remove(operation.key)

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """How many rows match."""
        matcher = compile_filter(where)
        if not where:
            return len(self._rows(table).texts)
        return sum(1 for _ in self._matching(table, where, matcher, None, None))

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Take rows: nothing runs between looking and changing."""
        page = await self.scan(table, where, order=order, limit=limit)
        claimed = [Record(record.key, {**record.value, **changes}) for record in page.records]
        texts = [encode_value(table, record.value) for record in claimed]
        for record, text in zip(claimed, texts, strict=True):
            self._rows(table).put(record.key, record.value, text)
        return claimed

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        return [
            Table(name, self._declared[name], tenant)
            for (tenant, name), rows in sorted(self._tables.items())
            if rows.texts
        ]


def _sorted_keys(rows: _Rows, order: Order | None, cursor: tuple[str, Any] | None) -> Iterator[str]:
    if order is None:
        for key in rows.keys:
            if cursor is None or key > cursor[0]:
                yield key
        return
    places = sorted(rows.places(order.field))
    place = None if cursor is None else (sort_key(cursor[1]), cursor[0])
    if order.descending:
        places.reverse()
    for item in places:
        if place is None or (item < place if order.descending else item > place):
            yield item[1]
