"""Vectors in this process's memory, searched by the compiled core; gone with the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from mastra.errors import IndexMissing, near_miss
from mastra.ports.vectors import IndexInfo, Match, Metric, VectorRow, VectorStore
from mastra.types.filters import check
from mastra.types.records import Filter
from mastra.vectors.collection import Collection
from mastra.vectors.rows import (
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


class MemoryVectors(VectorStore):
    """Named indexes in memory: for tests, scripts and data that is loaded at start."""

    def __init__(self) -> None:
        self._collections: dict[str, Collection] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:  # noqa: ARG003 - there is nothing to say about memory
        """`memory:`; each call makes a new, empty one."""
        return cls()

    def _collection(self, index: str) -> Collection:
        found = self._collections.get(check_index(index))
        if found is None:
            raise IndexMissing(
                f"There is no index {index!r}.", hint=near_miss(index, self._collections), adapter="memory"
            )
        return found

    async def create(self, index: str, dimension: int, metric: Metric = "cosine") -> None:
        """Make the index."""
        check_shape(dimension, metric)
        known = self._collections.get(check_index(index))
        if known is None:
            self._collections[index] = Collection(index, dimension, metric)
        else:
            check_same(index, (known.dimension, known.metric), (dimension, metric), "memory")

    async def drop(self, index: str) -> None:
        """Remove the index and all its rows."""
        self._collection(index)
        del self._collections[index]

    async def describe(self, index: str) -> IndexInfo:
        """Dimension, metric and number of rows."""
        return self._collection(index).info()

    async def names(self) -> list[str]:
        """The indexes there are, sorted."""
        return sorted(self._collections)

    async def upsert(self, index: str, rows: Sequence[VectorRow]) -> None:
        """Add or replace rows, all or none."""
        collection = self._collection(index)
        checked = check_rows(rows, collection.dimension, collection.metric)
        if checked:
            collection.put([(row.id, vector, row.metadata, row.document) for row, vector in checked])

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
        collection = self._collection(index)
        check_query(k, where)
        wanted = check_vector(vector, collection.dimension, collection.metric)
        return collection.query(wanted, k, where, include_vector=include_vector)

    async def delete(self, index: str, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> int:
        """Remove rows by id or by filter; the number removed."""
        collection = self._collection(index)
        check_delete(ids, where)
        check(where)
        if where is not None:
            return collection.remove(collection.matching(where))
        return collection.remove([check_row_id(row_id) for row_id in ids or ()])

    async def update(
        self,
        index: str,
        row_id: str,
        *,
        vector: Sequence[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Change a row's vector, metadata or both."""
        collection = self._collection(index)
        check_metadata(metadata)
        old_vector, old_metadata, document = collection.row(check_row_id(row_id))
        new = old_vector if vector is None else check_vector(vector, collection.dimension, collection.metric)
        collection.put([(row_id, new, old_metadata if metadata is None else metadata, document)])
