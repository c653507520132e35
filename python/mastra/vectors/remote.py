"""What stores that are asked over a wire share: the door, filters that they can say in part, removal by filter.

An adapter says how rows are written, fetched, found and removed there. What it keeps of metadata is made by `payload`:
the exact JSON as a text, and beside it the texts that the store compares itself.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from mastra.errors import NotFound
from mastra.ports.vectors import IndexInfo, Match, Metric, VectorRow, VectorStore
from mastra.types.filters import check, compile_filter, conditions
from mastra.types.json import dumps, loads
from mastra.types.records import Filter
from mastra.vectors.growing import search_growing
from mastra.vectors.rows import (
    Vector,
    check_delete,
    check_index,
    check_metadata,
    check_query,
    check_row_id,
    check_rows,
    check_same,
    check_shape,
    check_vector,
)  # fmt: skip

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MAX_COMPARED = 512


class Stored(NamedTuple):
    """A row as the store gives it back."""

    id: str
    metadata: dict[str, Any] | None
    document: str | None
    vector: Sequence[float] | None = None


class RemoteVectors(VectorStore):
    """Checks what comes in, asks the store, and tries on its answers what it could not be asked."""

    adapter = ""

    # ---------------------------------------------------------------- a store's own part

    @abstractmethod
    async def make(self, index: str, dimension: int, metric: Metric) -> tuple[int, Metric]:
        """Make the index if it is not there; the shape that it has now."""

    @abstractmethod
    async def shape(self, index: str) -> tuple[int, Metric]:
        """Dimension and metric; `IndexMissing` without the index."""

    @abstractmethod
    async def size(self, index: str) -> int:
        """The number of rows."""

    @abstractmethod
    async def remove_index(self, index: str) -> None:
        """Remove an index that is there."""

    @abstractmethod
    async def put(self, index: str, rows: Sequence[tuple[VectorRow, Vector]]) -> None:
        """Write checked rows."""

    @abstractmethod
    async def nearest(
        self, index: str, vector: Vector, metric: Metric, count: int, texts: dict[str, list[str]], *, with_vector: bool
    ) -> list[Match]:
        """The `count` best of the rows that have one of the texts in each of these fields, best first."""

    @abstractmethod
    async def fetch(self, index: str, ids: Sequence[str]) -> list[Stored]:
        """The rows of these ids that exist, with their vectors."""

    @abstractmethod
    def every(self, index: str, texts: dict[str, list[str]]) -> AsyncIterator[Stored]:
        """The rows that have one of the texts in each of these fields."""

    @abstractmethod
    async def remove(self, index: str, ids: Sequence[str]) -> None:
        """Remove rows by id."""

    # ---------------------------------------------------------------- the port

    async def create(self, index: str, dimension: int, metric: Metric = "cosine") -> None:
        """Make the index."""
        check_index(index)
        check_shape(dimension, metric)
        check_same(index, await self.make(index, dimension, metric), (dimension, metric), self.adapter)

    async def drop(self, index: str) -> None:
        """Remove the index and all its rows."""
        await self.shape(check_index(index))
        await self.remove_index(index)

    async def describe(self, index: str) -> IndexInfo:
        """Dimension, metric and number of rows."""
        dimension, metric = await self.shape(check_index(index))
        return IndexInfo(index, dimension, metric, await self.size(index))

    async def upsert(self, index: str, rows: Sequence[VectorRow]) -> None:
        """Add or replace rows."""
        dimension, metric = await self.shape(check_index(index))
        checked = check_rows(rows, dimension, metric)
        if checked:
            await self.put(index, checked)

    async def query(
        self,
        index: str,
        vector: Sequence[float],
        *,
        k: int = 10,
        where: Filter | None = None,
        include_vector: bool = False,
    ) -> list[Match]:
        """The `k` best rows whose metadata match, best first."""
        check_index(index)
        check_query(k, where)
        dimension, metric = await self.shape(index)
        wanted = check_vector(vector, dimension, metric)
        texts = demanded_texts(where)

        async def fetch(count: int) -> list[Match]:
            return await self.nearest(index, wanted, metric, count, texts, with_vector=include_vector)

        return await search_growing(fetch, k, where)

    async def delete(self, index: str, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> int:
        """Remove rows by id or by filter; the number removed."""
        await self.shape(check_index(index))
        check_delete(ids, where)
        check(where)
        if ids is not None:
            wanted = [check_row_id(row_id) for row_id in dict.fromkeys(ids)]
            there = [row.id for row in await self.fetch(index, wanted)] if wanted else []
        else:
            matcher = compile_filter(where)
            there = [row.id async for row in self.every(index, demanded_texts(where)) if matcher(row.metadata or {})]
        if there:
            await self.remove(index, there)
        return len(there)

    async def update(
        self,
        index: str,
        row_id: str,
        *,
        vector: Sequence[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Change a row's vector, metadata or both."""
        dimension, metric = await self.shape(check_index(index))
        check_metadata(metadata)
        check_row_id(row_id)
        new = None if vector is None else check_vector(vector, dimension, metric)
        found = await self.fetch(index, [row_id])
        if not found:
            raise NotFound(f"The index {index!r} has no vector {row_id!r}.")
        old = found[0]
        kept = check_vector(old.vector, dimension, metric) if new is None else new
        row = VectorRow(row_id, (), old.metadata if metadata is None else metadata, old.document)
        await self.put(index, [(row, kept)])


def payload(metadata: dict[str, Any] | None) -> tuple[str, dict[str, list[str]]]:
    """Metadata as an exact text, and the texts of its plain fields, alone or in a list."""
    texts: dict[str, list[str]] = {}
    for field, value in (metadata or {}).items():
        if _PLAIN.fullmatch(field):
            items = value if isinstance(value, list) else [value]
            short = [item for item in items if isinstance(item, str) and len(item) <= MAX_COMPARED]
            if short:
                texts[field] = short
    return dumps(metadata), texts


def stored_metadata(text: str) -> dict[str, Any] | None:
    """The metadata that `payload` made a text of."""
    metadata: dict[str, Any] | None = loads(text)
    return metadata


def demanded_texts(where: Filter | None) -> dict[str, list[str]]:
    """The fields that must hold one of some texts for a row to match: what a store can look for itself."""
    names = {key for key in _keys(where) if _PLAIN.fullmatch(key)}
    texts: dict[str, list[str]] = {}
    for condition in conditions(where, names)[0]:
        wanted = condition.operand if condition.op == "$in" else [condition.operand]
        if condition.op not in {"$eq", "$in"} or condition.field in texts:
            continue
        if wanted and all(isinstance(item, str) and len(item) <= MAX_COMPARED for item in wanted):
            texts[condition.field] = list(wanted)
    return texts


def _keys(where: Filter | None) -> set[str]:
    """Every field that a filter names at its top or below `$and`."""
    found: set[str] = set()
    for key, value in (where or {}).items():
        if key == "$and":
            for part in value:
                found |= _keys(part)
        elif not key.startswith("$"):
            found.add(key)
    return found
