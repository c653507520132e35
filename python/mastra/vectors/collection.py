"""One index in memory: vectors, metadata, texts, and the look-ups that let a filter choose rows before the search."""

from __future__ import annotations

from collections.abc import Collection as Collected
from typing import Any

import numpy as np

from mastra.errors import NotFound
from mastra.native import VectorIndex
from mastra.ports.vectors import IndexInfo, Match, Metric
from mastra.types.filters import compile_filter, conditions
from mastra.types.json import dumps, loads
from mastra.types.records import Filter
from mastra.vectors.engine import Engine
from mastra.vectors.rows import Vector, score_of

# Of all rows, a search along the graph looks at about one in so many.
GRAPH_SHARE = 20


class _Row:
    """What is kept of a row beside its vector; JSON as text, so that nobody shares it."""

    __slots__ = ("document", "id", "metadata", "number")

    def __init__(self, number: int, id: str, metadata: str | None, document: str | None) -> None:
        self.number = number
        self.id = id
        self.metadata = metadata
        self.document = document


class Collection:
    """Rows by id and by number. Texts, numbers and booleans at the top of metadata can be looked up."""

    def __init__(
        self, name: str, dimension: int, metric: Metric, index: VectorIndex | None = None, following: int = 0
    ) -> None:
        # With an `index` that was built before, `keep` says which of its rows still are; `settle` drops the others.
        self.name = name
        self.dimension = dimension
        self.metric: Metric = metric
        self._rows: dict[int, _Row] = {}
        self._numbers: dict[str, int] = {}
        self._next = following
        self._engine = Engine(dimension, metric, index)
        # field -> value -> numbers of rows; fields that ever held a list or an object are not looked up.
        self._values: dict[str, dict[Any, set[int]]] = {}
        self._unlisted: set[str] = set()

    def info(self) -> IndexInfo:
        """What the index is."""
        return IndexInfo(self.name, self.dimension, self.metric, len(self._rows))

    def put(self, rows: list[tuple[str, Vector, dict[str, Any] | None, str | None]]) -> None:
        """Add rows or replace them."""
        numbers: list[int] = []
        for row_id, _, metadata, document in rows:
            number = self._numbers.get(row_id)
            if number is None:
                number = self._numbers[row_id] = self._next
                self._next += 1
            else:
                self._unlist(number)
            text = None if metadata is None else dumps(metadata)
            self._rows[number] = _Row(number, row_id, text, document)
            self._list(number, metadata)
            numbers.append(number)
        self._engine.add(numbers, [vector for _, vector, _, _ in rows])

    def keep(self, row_id: str, number: int, metadata: dict[str, Any] | None, document: str | None) -> None:
        """A row whose vector is in the index already, under this number."""
        self._numbers[row_id] = number
        self._rows[number] = _Row(number, row_id, None if metadata is None else dumps(metadata), document)
        self._list(number, metadata)

    def settle(self) -> None:
        """Out of the index goes what no row has."""
        self._engine.remove([number for number in self._engine.numbers() if number not in self._rows])

    def numbers(self) -> tuple[VectorIndex, dict[str, int], int]:
        """The index, the number of each row in it, and the next free one."""
        return self._engine.index, self._numbers, self._next

    def remove(self, ids: list[str]) -> int:
        """Remove rows; how many were there."""
        numbers = [self._numbers[row_id] for row_id in dict.fromkeys(ids) if row_id in self._numbers]
        for number in numbers:
            self._unlist(number)
            del self._numbers[self._rows.pop(number).id]
        self._engine.remove(numbers)
        return len(numbers)

    def known(self, ids: list[str]) -> list[str]:
        """Those of `ids` that are there."""
        return [row_id for row_id in ids if row_id in self._numbers]

    def row(self, row_id: str) -> tuple[Vector, dict[str, Any] | None, str | None]:
        """Vector, metadata and document of a row; `NotFound` without it."""
        number = self._numbers.get(row_id)
        if number is None:
            raise NotFound(f"The index {self.name!r} has no vector {row_id!r}.")
        row = self._rows[number]
        return self._engine.get(number), None if row.metadata is None else loads(row.metadata), row.document

    def matching(self, where: Filter) -> list[str]:
        """The ids of the rows whose metadata match."""
        return [self._rows[number].id for number in sorted(self._allowed(where))]

    def effort(self, where: Filter | None) -> int:
        """About how many numbers a query compares: few where look-ups tell the rows that match."""
        rows = least = len(self._rows)
        if where:
            listed, exact = self._listed(where)
            if not listed or not exact:
                return rows * self.dimension
            # No set is made: the query makes them.
            least = min(sum(map(len, groups)) for groups in listed)
        return (least if least < rows else rows // GRAPH_SHARE) * self.dimension

    def query(self, vector: Vector, k: int, where: Filter | None, *, include_vector: bool) -> list[Match]:
        """The best rows that match, best first."""
        allowed = None
        if where:
            chosen = self._allowed(where)
            if not chosen:
                return []
            # What everybody has, the thread of the only conversation, say, is no filter.
            if len(chosen) < len(self._rows):
                allowed = np.fromiter(chosen, dtype=np.uint64, count=len(chosen))
        found = self._engine.search(vector, k, allowed)
        matches = []
        for number, raw in found:
            row = self._rows[number]
            metadata = None if row.metadata is None else loads(row.metadata)
            kept = self._engine.get(number).tolist() if include_vector else None
            matches.append(Match(row.id, score_of(raw, self.metric), metadata, kept, row.document))
        return matches

    # ---------------------------------------------------------------- filters

    def _list(self, number: int, metadata: dict[str, Any] | None) -> None:
        for field, value in (metadata or {}).items():
            if isinstance(value, list | dict):
                self._unlisted.add(field)
            elif value is not None:
                self._values.setdefault(field, {}).setdefault(_lookup(value), set()).add(number)

    def _unlist(self, number: int) -> None:
        row = self._rows[number]
        for field, value in (loads(row.metadata) if row.metadata else {}).items():
            if value is not None and not isinstance(value, list | dict):
                numbers = self._values[field][_lookup(value)]
                numbers.discard(number)
                if not numbers:
                    del self._values[field][_lookup(value)]

    def _allowed(self, where: Filter) -> Collected[int]:
        """The numbers of the rows that match: by look-up where fields allow it, then row by row what is left."""
        matcher = compile_filter(where)
        candidates, exact = self._looked_up(where)
        if candidates is not None and exact:
            return candidates
        rows = self._rows
        return [
            number
            for number in (rows if candidates is None else candidates)
            if matcher(loads(rows[number].metadata or "{}"))
        ]

    def _looked_up(self, where: Filter) -> tuple[set[int] | None, bool]:
        """Rows among which all that match are (None: all rows), and whether these are they."""
        listed, exact = self._listed(where)
        candidates: set[int] | None = None
        for groups in listed:
            found = groups[0] if len(groups) == 1 else set().union(*groups)
            candidates = found if candidates is None else candidates & found
        return candidates, exact

    def _listed(self, where: Filter) -> tuple[list[list[set[int]]], bool]:
        """For each field that look-ups tell of, the rows by wanted value; and whether that is all the filter asks."""
        fields = frozenset(self._values.keys() - self._unlisted)
        demanded, exact = conditions(where, fields)
        listed = []
        for condition in demanded:
            if condition.op not in {"$eq", "$in"}:
                exact = False
                continue
            rows = self._values[condition.field]
            wanted = condition.operand if condition.op == "$in" else [condition.operand]
            listed.append([rows[_lookup(value)] for value in wanted if _lookup(value) in rows])
        return listed, exact


def _lookup(value: Any) -> Any:
    """A key under which true is not 1, but 1.0 is."""
    return (value,) if isinstance(value, bool) else value
