"""Rows of storage and their paging; what a batch may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Filter: TypeAlias = dict[str, Any]
"""A condition in the Mongo-like filter language; its meaning in Python is `types.filters.matches`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of row: its name and the top-level fields that filters and orders may use quickly.

    An entry of `indexes` is a field, or fields joined by `+` that are looked up together: with `"threadId+seq"` the
    rows of one thread are read in the order of `seq` without touching others. Indexed fields hold a text of at
    most 768 bytes, a number (whole ones within 2**53), a boolean or nothing. Rows of different tenants never meet.
    """

    name: str
    indexes: tuple[str, ...] = ()
    tenant: str = ""


class Record(NamedTuple):
    """A row: its key and its JSON object."""

    key: str
    value: dict[str, Any]


class Order(NamedTuple):
    """Sort by one indexed field; equal values are sorted by key in the same direction.

    Missing values come first, then numbers (false as 0, true as 1), then texts by their characters' numbers.
    """

    field: str
    descending: bool = False


class Page(NamedTuple):
    """Some rows, and the cursor that continues after them (None at the end)."""

    records: list[Record]
    after: str | None = None


class Layout(NamedTuple):
    """How rows are laid out where they are (0: nothing is there yet), and how this release lays them out."""

    found: int
    known: int


class Put(NamedTuple):
    """Write a row, replacing what is there."""

    table: Table
    key: str
    value: dict[str, Any]


class Delete(NamedTuple):
    """Remove a row; a missing one is no error."""

    table: Table
    key: str


class Expect(NamedTuple):
    """A precondition: the row is absent (`where=None`), or is there and matches `where`, before the batch begins."""

    table: Table
    key: str
    where: Filter | None = None


Operation: TypeAlias = Put | Delete | Expect
