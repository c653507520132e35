"""Vectors in Qdrant, over its own client: a server, or the client's local mode in this process."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from mastra.errors import IndexMissing, MastraError, MissingExtra, NotFound, VectorError
from mastra.ports.vectors import IndexInfo, Match, Metric, VectorRow, VectorStore
from mastra.types.filters import check, compile_filter, conditions
from mastra.types.json import dumps, loads
from mastra.types.records import Filter
from mastra.vectors.growing import search_growing
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

try:
    import qdrant_client
    from qdrant_client import models
except ImportError as error:
    raise MissingExtra("qdrant", feature="Qdrant vectors", module="qdrant-client") from error

_SPACE = uuid.UUID("6d617374-7261-5000-8000-000000000001")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DISTANCES: dict[str, models.Distance] = {
    "cosine": models.Distance.COSINE,
    "dotproduct": models.Distance.DOT,
    "euclidean": models.Distance.EUCLID,
}
PAGE = 1000


class QdrantVectors(VectorStore):
    """Named collections. Texts in a filter are compared inside Qdrant, all else is tried on what it returns."""

    def __init__(self, client: qdrant_client.AsyncQdrantClient) -> None:
        self._client = client

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`qdrant://host:6333?api_key=...` (`qdrants://` over TLS), or `qdrant:memory`."""
        if url == "qdrant:memory":
            return cls(qdrant_client.AsyncQdrantClient(":memory:"))
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        scheme = "https" if parts.scheme == "qdrants" else "http"
        client = qdrant_client.AsyncQdrantClient(
            url=f"{scheme}://{parts.hostname or '127.0.0.1'}:{parts.port or 6333}", api_key=options.get("api_key")
        )
        return cls(client)

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def create(self, index: str, dimension: int, metric: Metric = "cosine") -> None:
        """Make the collection."""
        check_index(index)
        check_shape(dimension, metric)
        try:
            if not await self._client.collection_exists(index):
                params = models.VectorParams(size=dimension, distance=_DISTANCES[metric])
                await self._client.create_collection(index, vectors_config=params)
                return
        except Exception as error:
            raise translate(error) from error
        known = await self.describe(index)
        check_same(index, (known.dimension, known.metric), (dimension, metric), "qdrant")

    async def drop(self, index: str) -> None:
        """Remove the collection."""
        await self._shape(index)
        await self._client.delete_collection(index)

    async def _shape(self, index: str) -> tuple[int, Metric]:
        check_index(index)
        try:
            if not await self._client.collection_exists(index):
                raise _missing(index)  # noqa: TRY301 - it passes through `translate` unchanged
            params = (await self._client.get_collection(index)).config.params.vectors
        except Exception as error:
            raise translate(error) from error
        assert isinstance(params, models.VectorParams)
        metric = next(name for name, distance in _DISTANCES.items() if distance == params.distance)
        return params.size, metric  # type: ignore[return-value]  # the names are the metrics

    async def describe(self, index: str) -> IndexInfo:
        """Dimension, metric and number of rows."""
        dimension, metric = await self._shape(index)
        count = (await self._client.count(index, exact=True)).count
        return IndexInfo(index, dimension, metric, count)

    async def names(self) -> list[str]:
        """The collections, sorted."""
        return sorted(item.name for item in (await self._client.get_collections()).collections)

    async def upsert(self, index: str, rows: Sequence[VectorRow]) -> None:
        """Add or replace rows in one request."""
        dimension, metric = await self._shape(index)
        points = [
            models.PointStruct(id=_point(row.id), vector=vector.tolist(), payload=_payload(row))
            for row, vector in check_rows(rows, dimension, metric)
        ]
        if points:
            try:
                await self._client.upsert(index, points, wait=True)
            except Exception as error:
                raise translate(error) from error

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
        dimension, metric = await self._shape(index)
        wanted = check_vector(vector, dimension, metric).tolist()
        narrowed = _narrow(where)

        async def fetch(count: int) -> list[Match]:
            try:
                answer = await self._client.query_points(
                    index,
                    query=wanted,
                    limit=count,
                    query_filter=narrowed,
                    with_payload=True,
                    with_vectors=include_vector,
                )
            except Exception as error:
                raise translate(error) from error
            return [_match(point, metric) for point in answer.points]

        return await search_growing(fetch, k, where)

    async def delete(self, index: str, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> int:
        """Remove rows by id or by filter; the number removed."""
        await self._shape(index)
        check_delete(ids, where)
        check(where)
        if ids is not None:
            wanted = [_point(check_row_id(row_id)) for row_id in dict.fromkeys(ids)]
            there = await self._client.retrieve(index, wanted, with_payload=False) if wanted else []
            points: list[Any] = [point.id for point in there]
        else:
            points = await self._matching(index, where or {})
        if points:
            await self._client.delete(index, points_selector=models.PointIdsList(points=points), wait=True)
        return len(points)

    async def _matching(self, index: str, where: Filter) -> list[Any]:
        matcher = compile_filter(where)
        points: list[Any] = []
        offset: Any = None
        while True:
            found, offset = await self._client.scroll(
                index, scroll_filter=_narrow(where), limit=PAGE, offset=offset, with_payload=True
            )
            points += [point.id for point in found if matcher(loads((point.payload or {})["raw"]) or {})]
            if offset is None:
                return points

    async def update(
        self,
        index: str,
        row_id: str,
        *,
        vector: Sequence[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Change a row's vector, metadata or both."""
        dimension, metric = await self._shape(index)
        check_metadata(metadata)
        point = _point(check_row_id(row_id))
        new = None if vector is None else check_vector(vector, dimension, metric).tolist()
        found = await self._client.retrieve(index, [point], with_payload=True)
        if not found:
            raise NotFound(f"The index {index!r} has no vector {row_id!r}.")
        if new is not None:
            await self._client.update_vectors(index, [models.PointVectors(id=point, vector=new)], wait=True)
        if metadata is not None:
            document = (found[0].payload or {}).get("document")
            payload = _payload(VectorRow(row_id, (), metadata, document))
            await self._client.overwrite_payload(index, payload=payload, points=[point], wait=True)


def _missing(index: str) -> IndexMissing:
    return IndexMissing(f"There is no index {index!r}.", adapter="qdrant")


def _point(row_id: str) -> str:
    """Qdrant's ids are UUIDs; ours are kept in the payload."""
    return str(uuid.uuid5(_SPACE, row_id))


def _payload(row: VectorRow) -> dict[str, Any]:
    # The text keeps numbers exactly; the object is what Qdrant compares.
    texts = {key: value for key, value in (row.metadata or {}).items() if _PLAIN.fullmatch(key) and _is_texts(value)}
    return {"id": row.id, "raw": dumps(row.metadata), "document": row.document, "texts": texts}


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and any(isinstance(item, str) for item in value))


def _narrow(where: Filter | None) -> models.Filter | None:
    """The part of a filter that is about texts, as Qdrant's own; a superset of what matches."""
    names = {key for key in _keys(where) if _PLAIN.fullmatch(key)}
    demanded, _ = conditions(where, names)
    must: list[Any] = []
    for condition in demanded:
        field = f"texts.{condition.field}"
        if condition.op == "$eq" and isinstance(condition.operand, str):
            must.append(models.FieldCondition(key=field, match=models.MatchValue(value=condition.operand)))
        elif condition.op == "$in" and all(isinstance(item, str) for item in condition.operand):
            must.append(models.FieldCondition(key=field, match=models.MatchAny(any=list(condition.operand))))
    return models.Filter(must=must) if must else None


def _keys(where: Filter | None) -> set[str]:
    keys: set[str] = set()
    for key, operand in (where or {}).items():
        keys |= set().union(*map(_keys, operand)) if key == "$and" else {key}
    return keys


def _match(point: Any, metric: Metric) -> Match:
    payload = point.payload or {}
    score = 1.0 / (1.0 + point.score) if metric == "euclidean" else float(point.score)
    vector = None if point.vector is None else list(point.vector)
    return Match(payload["id"], score, loads(payload["raw"]), vector, payload.get("document"))


def translate(error: Exception) -> Exception:
    """Qdrant's error in our words."""
    if isinstance(error, MastraError):
        return error
    return VectorError(
        f"Qdrant failed: {type(error).__name__}.", adapter="qdrant", retryable=isinstance(error, OSError)
    )
