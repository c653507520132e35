"""Vectors in Qdrant's own engine inside this process: a folder a store, a shard of files an index."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

from mastra.errors import BadSetting, IndexMissing, MastraError, MissingExtra, VectorError, near_miss
from mastra.ports.vectors import Match, Metric, VectorRow
from mastra.vectors.remote import RemoteVectors, Stored, payload, stored_metadata
from mastra.vectors.rows import Vector

try:
    # Loaded by name: the package brings types of its own, and few have it installed when they check theirs.
    engine: Any = importlib.import_module("qdrant_edge")
except ImportError as error:
    raise MissingExtra("qdrant-edge", feature="Qdrant's engine", module="qdrant_edge") from error

T = TypeVar("T")
_SPACE = uuid.UUID("6d617374-7261-5000-8000-000000000001")
_DISTANCES: dict[Metric, str] = {"cosine": "Cosine", "dotproduct": "Dot", "euclidean": "Euclid"}
FACTS = "mastra.json"
PAGE = 1000


class QdrantEdgeVectors(RemoteVectors):
    """Named indexes in a folder that one process has open at a time."""

    adapter = "qdrant-edge"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._shards: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`qdrant-edge:///folder`; two slashes more for an absolute one."""
        parts = urlsplit(url)
        folder = unquote(parts.path)[1:]
        if parts.netloc or not folder:
            raise BadSetting(f"{url!r} does not name a folder.", hint="Use qdrant-edge:///folder.")
        return cls(folder)

    async def close(self) -> None:
        """Close the files."""

        def close() -> None:
            with self._lock:
                for shard in self._shards.values():
                    shard.close()
                self._shards.clear()

        await asyncio.to_thread(close)

    async def _run(self, work: Callable[[], T]) -> T:
        """The engine waits for the disk, so it runs in a thread; one call at a time."""

        def locked() -> T:
            with self._lock:
                return work()

        try:
            return await asyncio.to_thread(locked)
        except Exception as error:
            raise translate(error) from error

    def _path(self, index: str) -> Path:
        return self._folder / index

    def _facts(self, index: str) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self._path(index) / FACTS).read_text())
        except FileNotFoundError:
            raise IndexMissing(
                f"There is no index {index!r}.", hint=near_miss(index, self._names()), adapter="qdrant-edge"
            ) from None
        return facts

    def _names(self) -> list[str]:
        return sorted(path.parent.name for path in self._folder.glob(f"*/{FACTS}"))

    def _shard(self, index: str) -> Any:
        shard = self._shards.get(index)
        if shard is None:
            self._facts(index)
            shard = self._shards[index] = engine.EdgeShard.load(str(self._path(index) / "shard"))
        return shard

    async def make(self, index: str, dimension: int, metric: Metric) -> tuple[int, Metric]:
        """The files first, then the name: half an index is none."""

        def make() -> None:
            path = self._path(index)
            if (path / FACTS).exists():
                return
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            params = engine.EdgeVectorParams(dimension, getattr(engine.Distance, _DISTANCES[metric]))
            self._shards[index] = engine.EdgeShard.create(str(path / "shard"), engine.EdgeConfig(vectors=params))
            part = path / f"{FACTS}.part"
            part.write_text(json.dumps({"dimension": dimension, "metric": metric}))
            part.replace(path / FACTS)

        await self._run(make)
        return await self.shape(index)

    async def shape(self, index: str) -> tuple[int, Metric]:
        """As it was made."""
        facts = await self._run(lambda: self._facts(index))
        return facts["dimension"], facts["metric"]

    async def size(self, index: str) -> int:
        """Counted by the engine."""
        return int(await self._run(lambda: self._shard(index).count(engine.CountRequest(exact=True))))

    async def remove_index(self, index: str) -> None:
        """The name first, then the files."""

        def remove() -> None:
            (self._path(index) / FACTS).unlink()
            shard = self._shards.pop(index, None)
            if shard is not None:
                shard.close()
            shutil.rmtree(self._path(index))

        await self._run(remove)

    async def names(self) -> list[str]:
        """The folders that are indexes, sorted."""
        return await self._run(self._names)

    async def put(self, index: str, rows: Sequence[tuple[VectorRow, Vector]]) -> None:
        """All rows as one operation, on the disk when it returns."""
        points = [engine.Point(_point(row.id), vector.tolist(), _payload(row)) for row, vector in rows]

        def put() -> None:
            shard = self._shard(index)
            shard.update(engine.UpdateOperation.upsert_points(points))
            shard.flush()

        await self._run(put)

    async def nearest(
        self, index: str, vector: Vector, metric: Metric, count: int, texts: dict[str, list[str]], *, with_vector: bool
    ) -> list[Match]:
        """The nearest rows."""
        request = engine.SearchRequest(
            engine.Query.Nearest(vector.tolist()), count, filter=_filter(texts), with_payload=True,
            with_vector=with_vector,
        )  # fmt: skip
        found = await self._run(lambda: self._shard(index).search(request))
        matches = []
        for point in found:
            row = _stored(point)
            score = 1.0 / (1.0 + point.score) if metric == "euclidean" else float(point.score)
            kept = list(point.vector) if with_vector else None
            matches.append(Match(row.id, score, row.metadata, kept, row.document))
        return matches

    async def fetch(self, index: str, ids: Sequence[str]) -> list[Stored]:
        """Rows by id."""
        points = [_point(row_id) for row_id in ids]
        found = await self._run(lambda: self._shard(index).retrieve(points, True, True))
        return [_stored(point) for point in found]

    async def every(self, index: str, texts: dict[str, list[str]]) -> AsyncIterator[Stored]:
        """Page by page."""
        offset: Any = None
        while True:
            request = engine.ScrollRequest(offset=offset, limit=PAGE, filter=_filter(texts), with_payload=True)

            def scroll(request: Any = request) -> Any:
                return self._shard(index).scroll(request)

            found, offset = await self._run(scroll)
            for point in found:
                yield _stored(point)
            if offset is None:
                return

    async def remove(self, index: str, ids: Sequence[str]) -> None:
        """As one operation."""
        points = [_point(row_id) for row_id in ids]

        def remove() -> None:
            shard = self._shard(index)
            shard.update(engine.UpdateOperation.delete_points(points))
            shard.flush()

        await self._run(remove)


def _point(row_id: str) -> str:
    """The engine's ids are UUIDs; ours are kept in the payload."""
    return str(uuid.uuid5(_SPACE, row_id))


def _payload(row: VectorRow) -> dict[str, Any]:
    raw, texts = payload(row.metadata)
    return {"id": row.id, "raw": raw, "document": row.document, "texts": texts}


def _stored(point: Any) -> Stored:
    kept = point.payload
    vector = None if point.vector is None else list(point.vector)
    return Stored(kept["id"], stored_metadata(kept["raw"]), kept["document"], vector)


def _filter(texts: dict[str, list[str]]) -> Any:
    if not texts:
        return None
    return engine.Filter(
        must=[engine.FieldCondition(f"texts.{field}", match=engine.MatchAny(wanted)) for field, wanted in texts.items()]
    )


def translate(error: Exception) -> Exception:
    """The engine's error in our words."""
    if isinstance(error, MastraError):
        return error
    if "WAL" in str(error) and "WouldBlock" in str(error):
        return VectorError(
            "Another process, or another store of this one, has the index open.",
            hint="Open a folder once; for many processes use a server: qdrant://host:6333",
            adapter="qdrant-edge",
        )
    return VectorError(f"Qdrant's engine failed: {type(error).__name__}.", adapter="qdrant-edge")
