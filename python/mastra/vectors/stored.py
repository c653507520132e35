"""Vectors in storage, as durable as its rows, searched in memory by the compiled core.

Every change gets the next revision of its index in the same batch. A process that finds a newer revision than the
one it holds reads what changed since; so all processes see each other's rows at their next query. Beside a database in
a file the graph is kept in one, too, so that a process that starts does not build it again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from mastra.errors import Conflict, IndexMissing, StorageUnavailable, near_miss
from mastra.ports.storage import Storage, SupportsBeside
from mastra.ports.vectors import IndexInfo, Match, Metric, VectorRow, VectorStore
from mastra.registry import open_url
from mastra.types.filters import check
from mastra.types.ids import new_id
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Put, Table
from mastra.vectors.collection import Collection
from mastra.vectors.graph_file import Graph, GraphFile
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

INDEXES = Table("vector_indexes")
ROWS = Table("vector_rows", ("index+rev",))

MAX_TRIES = 50
# Searches over more numbers than this leave the event loop free.
INLINE_NUMBERS = 2_000_000
LOAD = 2_000
# A graph of fewer rows is built faster than it is worth a file; it is saved after this many changes or a fifth of it.
SAVE = 1_000
# Marks of removed rows are swept once they are this many and more than half of all.
SWEEP = 5_000
# Rows removed in one batch.
MAX_REMOVED = 4_000


class _Held:
    """What this process holds of one index."""

    def __init__(self, meta: dict[str, Any], name: str) -> None:
        self.uid: str = meta["uid"]
        self.shape = (name, meta["dimension"], meta["metric"])
        self.rev = 0
        self.collection = Collection(*self.shape)
        # The write that each row came with, to tell a graph in a file from another one.
        self.writes: dict[str, str] = {}
        self.loaded: dict[str, tuple[int, str]] = {}
        self.unsaved = 0
        self.lock = asyncio.Lock()

    def begin(self, graph: Graph | None) -> None:
        """Start again from no rows, with the graph that a file holds."""
        self.rev = 0
        self.writes = {}
        self.loaded = {} if graph is None else graph.rows
        if graph is None:
            self.collection = Collection(*self.shape)
        else:
            self.collection = Collection(*self.shape, index=graph.index, following=graph.following)

    def apply(self, values: list[dict[str, Any]]) -> None:
        """Bring rows of storage into the collection."""
        gone = [value["id"] for value in values if value.get("gone")]
        self.collection.remove(gone)
        rows = []
        for value in values:
            row_id, write = value["id"], value.get("write", "")
            if value.get("gone"):
                self.writes.pop(row_id, None)
                continue
            self.writes[row_id] = write
            number, known = self.loaded.pop(row_id, (0, ""))
            if write and write == known:
                self.collection.keep(row_id, number, value.get("metadata"), value.get("document"))
            else:
                rows.append((row_id, _decode(value["vector"]), value.get("metadata"), value.get("document")))
        if rows:
            self.collection.put(rows)
        self.unsaved += len(rows) + len(gone)

    def save(self, file: GraphFile) -> None:
        """Write the graph into its file."""
        index, numbers, following = self.collection.numbers()
        file.save(index, {row_id: (numbers[row_id], self.writes[row_id]) for row_id in numbers}, following)
        self.unsaved = 0

    @property
    def is_worth_saving(self) -> bool:
        """Whether enough has changed since it was saved."""
        return self.unsaved >= max(SAVE, self.collection.info().row_count // 5)


class StoredVectors(VectorStore):
    """Named indexes whose rows live in any storage. `sqlite:///vectors.db` keeps them in a file of their own."""

    def __init__(self, storage: Storage, *, owned: bool = False) -> None:
        self._storage = storage
        self._owned = owned
        self._held: dict[str, _Held] = {}
        # A database in a file has its graphs beside it; with others every process builds its own.
        self._folder = storage.beside("vectors") if isinstance(storage, SupportsBeside) else None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`sqlite:///vectors.db`, or `stored:` before the URL of any storage."""
        return cls(open_url("mastra.storage", url.removeprefix("stored:")), owned=True)

    async def open(self) -> None:
        """Open the storage."""
        await self._storage.open()

    async def close(self) -> None:
        """Close the storage when it is this store's own."""
        for held in self._held.values():
            async with held.lock:
                if held.unsaved and held.collection.info().row_count >= SAVE:
                    await self._save(held)
        self._held.clear()
        if self._owned:
            await self._storage.close()

    # ---------------------------------------------------------------- indexes

    async def create(self, index: str, dimension: int, metric: Metric = "cosine") -> None:
        """Make the index."""
        check_index(index)
        check_shape(dimension, metric)
        meta = {"name": index, "uid": new_id(), "dimension": dimension, "metric": metric, "rev": 0, "removed": 0}
        try:
            await self._storage.write([Expect(INDEXES, _key(index)), Put(INDEXES, _key(index), meta)])
        except Conflict:
            known = await self._meta(index)
            check_same(index, (known["dimension"], known["metric"]), (dimension, metric), "stored")

    async def drop(self, index: str) -> None:
        """Remove the index at once, then its rows some at a time."""
        meta = await self._meta(index)
        await self._storage.write([Delete(INDEXES, _key(index))])
        self._held.pop(index, None)
        if self._folder is not None:
            await asyncio.to_thread(GraphFile(self._folder, meta["uid"]).remove)
        while True:
            page = await self._storage.scan(ROWS, {"index": meta["uid"]}, limit=500)
            if not page.records:
                return
            await self._storage.write([Delete(ROWS, record.key) for record in page.records])

    async def describe(self, index: str) -> IndexInfo:
        """Dimension, metric and number of rows."""
        return (await self._synced(index)).collection.info()

    async def names(self) -> list[str]:
        """The indexes there are, sorted."""
        names: list[str] = []
        after: str | None = None
        while True:
            page = await self._storage.scan(INDEXES, after=after, limit=1000)
            names += [record.value["name"] for record in page.records]
            after = page.after
            if after is None:
                return sorted(names)

    async def _meta(self, index: str) -> dict[str, Any]:
        meta = await self._storage.get(INDEXES, _key(check_index(index)))
        if meta is None:
            self._held.pop(index, None)
            raise IndexMissing(
                f"There is no index {index!r}.", hint=near_miss(index, await self.names()), adapter="stored"
            )
        return meta

    async def _synced(self, index: str) -> _Held:
        """The index as it is in storage now."""
        meta = await self._meta(index)
        held = self._held.get(index)
        if held is None or held.uid != meta["uid"]:
            held = self._held[index] = _Held(meta, index)
        if held.rev < meta["rev"]:
            async with held.lock:
                await self._catch_up(held, meta)
        return held

    async def _catch_up(self, held: _Held, meta: dict[str, Any]) -> None:
        first = held.rev == 0
        if first and self._folder is not None:
            held.begin(await asyncio.to_thread(GraphFile(self._folder, held.uid).load))
        elif held.rev < meta.get("swept", 0):
            # Marks of removals that this process has not seen are gone: begin afresh.
            held.begin(None)
        after: str | None = None
        while held.rev < meta["rev"]:
            # Without an upper bound: a row that is changed meanwhile moves ahead of the cursor and is met there.
            where: Filter = {"index": held.uid, "rev": {"$gt": held.rev}}
            page = await self._storage.scan(ROWS, where, order=Order("rev"), after=after, limit=LOAD)
            values = [record.value for record in page.records]
            if len(values) > 200:
                await asyncio.to_thread(held.apply, values)
            else:
                held.apply(values)
            after = page.after
            if after is None:
                break
        held.rev = max(held.rev, meta["rev"])
        if first:
            # What the file had and no row has.
            held.loaded.clear()
            await asyncio.to_thread(held.collection.settle)
        if held.is_worth_saving:
            await self._save(held)

    async def _save(self, held: _Held) -> None:
        if self._folder is not None:
            await asyncio.to_thread(held.save, GraphFile(self._folder, held.uid))
        held.unsaved = 0

    # ---------------------------------------------------------------- rows

    async def upsert(self, index: str, rows: Sequence[VectorRow]) -> None:
        """Add or replace rows, all or none."""
        meta = await self._meta(index)
        checked = check_rows(rows, meta["dimension"], meta["metric"])
        if not checked:
            return
        values = [
            {"id": row.id, "vector": _encode(vector), "metadata": row.metadata, "document": row.document}
            for row, vector in checked
        ]
        await self._change(index, lambda _held: values)

    async def _change(self, index: str, make: Callable[[_Held], list[dict[str, Any]]]) -> int:
        """Write rows under the next revision; `make` sees the index as the revision before left it."""
        for attempt in range(MAX_TRIES):
            held = await self._synced(index)
            values = make(held)
            if not values:
                return 0
            meta = await self._meta(index)
            if meta["uid"] != held.uid or meta["rev"] != held.rev:
                continue
            rev = meta["rev"] + 1
            write = new_id()
            rows = [{**value, "index": held.uid, "rev": rev, "write": write} for value in values]
            removed = meta["removed"] + sum(1 for value in values if value.get("gone"))
            batch: list[Operation] = [
                Expect(INDEXES, _key(index), {"uid": held.uid, "rev": meta["rev"]}),
                Put(INDEXES, _key(index), {**meta, "rev": rev, "removed": removed}),
                *(Put(ROWS, f"{held.uid}/{_digest(row['id'])}", row) for row in rows),
            ]
            try:
                await self._storage.write(batch)
            except Conflict:
                await asyncio.sleep(0 if attempt < 3 else 0.002 * attempt)
                continue
            async with held.lock:
                if held.rev == rev - 1:
                    held.apply(rows)
                    held.rev = rev
                if held.is_worth_saving:
                    await self._save(held)
            if removed > SWEEP and removed > held.collection.info().row_count:
                await self._sweep(index)
            return len(values)
        raise StorageUnavailable("Others changed the same index too often.", hint="Try again.", adapter="stored")

    async def _sweep(self, index: str) -> None:
        """Forget the marks of removed rows; who has not seen them will load the index afresh."""
        meta = await self._meta(index)
        rev = meta["rev"]
        try:
            await self._storage.write(
                [
                    Expect(INDEXES, _key(index), {"uid": meta["uid"], "rev": rev}),
                    Put(INDEXES, _key(index), {**meta, "rev": rev + 1, "swept": rev + 1, "removed": 0}),
                ]
            )
        except Conflict:
            return
        while True:
            where: Filter = {"index": meta["uid"], "gone": True, "rev": {"$lte": rev}}
            page = await self._storage.scan(ROWS, where, limit=500)
            if not page.records:
                return
            # A row that came back meanwhile has a newer revision and stays.
            writes = (
                self._storage.write([Expect(ROWS, record.key, {"rev": record.value["rev"]}), Delete(ROWS, record.key)])
                for record in page.records
            )
            for failure in await asyncio.gather(*writes, return_exceptions=True):
                if failure is not None and not isinstance(failure, Conflict):
                    raise failure

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
        check_query(k, where)
        held = await self._synced(index)
        return await _search(held, vector, k, where, include_vector=include_vector)

    async def glance(
        self, index: str, vector: Sequence[float], *, k: int = 10, where: Filter | None = None
    ) -> list[Match] | None:
        """What a query finds in what this process holds; None before it has read the index."""
        check_query(k, where)
        held = self._held.get(check_index(index))
        return None if held is None else await _search(held, vector, k, where, include_vector=False)

    async def is_current(self, index: str) -> bool:
        """Whether nobody has changed the index since this process read it."""
        held = self._held.get(check_index(index))
        meta = await self._storage.get(INDEXES, _key(index))
        return held is not None and meta is not None and meta["uid"] == held.uid and meta["rev"] <= held.rev

    async def delete(self, index: str, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> int:
        """Remove rows by id or by filter; the number removed."""
        check_delete(ids, where)
        check(where)
        wanted = None if ids is None else [check_row_id(row_id) for row_id in dict.fromkeys(ids)]

        def gone(held: _Held) -> list[dict[str, Any]]:
            collection = held.collection
            found = collection.matching(where or {}) if wanted is None else collection.known(wanted)
            return [{"id": row_id, "gone": True} for row_id in found[:MAX_REMOVED]]

        total = 0
        while True:
            removed = await self._change(index, gone)
            total += removed
            if removed < MAX_REMOVED:
                return total

    async def update(
        self,
        index: str,
        row_id: str,
        *,
        vector: Sequence[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Change a row's vector, metadata or both."""
        check_metadata(metadata)
        check_row_id(row_id)

        def changed(held: _Held) -> list[dict[str, Any]]:
            collection = held.collection
            old_vector, old_metadata, document = collection.row(row_id)
            new = old_vector if vector is None else check_vector(vector, collection.dimension, collection.metric)
            kept = old_metadata if metadata is None else metadata
            return [{"id": row_id, "vector": _encode(new), "metadata": kept, "document": document}]

        await self._change(index, changed)


async def _search(
    held: _Held, vector: Sequence[float], k: int, where: Filter | None, *, include_vector: bool
) -> list[Match]:
    collection = held.collection
    wanted = check_vector(vector, collection.dimension, collection.metric)
    async with held.lock:
        check(where)
        if collection.effort(where) <= INLINE_NUMBERS:
            return collection.query(wanted, k, where, include_vector=include_vector)
        return await asyncio.to_thread(collection.query, wanted, k, where, include_vector=include_vector)


def _key(index: str) -> str:
    # A key may not begin with a dash, a name may.
    return f"n{index}"


def _digest(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()[:40]


def _encode(vector: Vector) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _decode(text: str) -> Vector:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
