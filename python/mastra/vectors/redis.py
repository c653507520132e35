"""Vectors in Redis or Valkey with the search module: a hash a row, nearest rows and texts found by the module."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np

from mastra.errors import BadSetting, IndexMissing, MastraError, MissingExtra, Unsupported, VectorError
from mastra.ports.vectors import Match, Metric, VectorRow
from mastra.types.ids import new_id
from mastra.types.json import dumps, loads
from mastra.vectors.remote import RemoteVectors, Stored, payload, stored_metadata
from mastra.vectors.rows import Vector, score_of

try:
    import redis.asyncio as redis_client
    import redis.exceptions as redis_errors
except ImportError as error:
    raise MissingExtra("redis", feature="Redis vectors", module="redis") from error

_METRICS: dict[Metric, str] = {"cosine": "COSINE", "dotproduct": "IP", "euclidean": "L2"}
_PREFIX = re.compile(r"[A-Za-z0-9_:\-]{1,60}")
PAGE = 1000


class RedisVectors(RemoteVectors):
    """Named indexes under one prefix. Texts in a filter are compared inside Redis, all else on what it returns."""

    adapter = "redis"

    def __init__(self, url: str, *, prefix: str = "mastra") -> None:
        if not _PREFIX.fullmatch(prefix):
            raise BadSetting(f"{prefix!r} is not a key prefix.", hint="Use letters, digits, _, - and :.")
        # The commands of the module answer in the older form of the protocol only.
        self._client: Any = redis_client.Redis.from_url(url, protocol=2)
        self._prefix = prefix
        self._catalog = f"{prefix}:vector-indexes"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`redis://host:6379/0?prefix=mastra`, `rediss://` over TLS. The module works in database 0 only."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        prefix = options.pop("prefix", "mastra")
        return cls(urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(options), "")), prefix=prefix)

    async def open(self) -> None:
        """Find out whether the module is there."""
        try:
            await self._client.execute_command("FT._LIST")
        except Exception as error:
            raise translate(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _run(self, *command: Any) -> Any:
        try:
            return await self._client.execute_command(*command)
        except Exception as error:
            raise translate(error) from error

    async def _facts(self, index: str) -> dict[str, Any]:
        found = await self._run("HGET", self._catalog, index)
        if found is None:
            raise IndexMissing(f"There is no index {index!r}.", adapter="redis")
        facts: dict[str, Any] = loads(found)
        return facts

    def _name(self, facts: dict[str, Any]) -> str:
        return f"{self._prefix}:vectors:{facts['uid']}"

    def _key(self, facts: dict[str, Any], row_id: str) -> str:
        return f"{self._name(facts)}:{row_id}"

    async def make(self, index: str, dimension: int, metric: Metric) -> tuple[int, Metric]:
        """Make the module's index under a name of its own, then say in the catalog that it is this one."""
        facts = {"uid": new_id(), "dimension": dimension, "metric": metric}
        known = await self._run("HGET", self._catalog, index)
        if known is None:
            graph = ["TYPE", "FLOAT32", "DIM", dimension, "DISTANCE_METRIC", _METRICS[metric], "M", 16]
            graph += ["EF_CONSTRUCTION", 200, "EF_RUNTIME", 100]
            await self._run(
                "FT.CREATE", self._name(facts), "ON", "HASH", "PREFIX", 1, f"{self._name(facts)}:",
                "SCHEMA", "vector", "VECTOR", "HNSW", len(graph), *graph, "texts", "TAG", "SEPARATOR", ",",
            )  # fmt: skip
            if not await self._run("HSETNX", self._catalog, index, dumps(facts)):
                # Another process was first.
                await self._run("FT.DROPINDEX", self._name(facts))
        return await self.shape(index)

    async def shape(self, index: str) -> tuple[int, Metric]:
        """From the catalog."""
        facts = await self._facts(index)
        return facts["dimension"], facts["metric"]

    async def size(self, index: str) -> int:
        """Counted by the module."""
        found = await self._run("FT.SEARCH", self._name(await self._facts(index)), "*", "NOCONTENT", "LIMIT", 0, 0)
        return int(found[0])

    async def remove_index(self, index: str) -> None:
        """Out of the catalog first; the rows follow."""
        facts = await self._facts(index)
        await self._run("HDEL", self._catalog, index)
        await self._run("FT.DROPINDEX", self._name(facts), "DD")

    async def names(self) -> list[str]:
        """The indexes in the catalog, sorted."""
        return sorted(name.decode() for name in await self._run("HKEYS", self._catalog))

    async def put(self, index: str, rows: Sequence[tuple[VectorRow, Vector]]) -> None:
        """All rows in one transaction."""
        facts = await self._facts(index)
        pipeline = self._client.pipeline(transaction=True)
        for row, vector in rows:
            raw, texts = payload(row.metadata)
            tags = ",".join(_tag(field, text) for field, found in texts.items() for text in found)
            fields = {"id": row.id, "raw": raw, "vector": vector.astype("<f4").tobytes(), "texts": tags}
            if row.document is not None:
                fields["document"] = row.document
            key = self._key(facts, row.id)
            pipeline.delete(key)
            pipeline.hset(key, mapping=fields)
        try:
            await pipeline.execute()
        except Exception as error:
            raise translate(error) from error

    async def nearest(
        self, index: str, vector: Vector, metric: Metric, count: int, texts: dict[str, list[str]], *, with_vector: bool
    ) -> list[Match]:
        """The nearest rows."""
        facts = await self._facts(index)
        wanted = ["id", "raw", "document", "distance", *(["vector"] if with_vector else [])]
        found = await self._run(
            "FT.SEARCH", self._name(facts), f"{_query(texts)}=>[KNN $k @vector $v AS distance]",
            "PARAMS", 4, "k", count, "v", vector.astype("<f4").tobytes(),
            "SORTBY", "distance", "RETURN", len(wanted), *wanted, "LIMIT", 0, count, "DIALECT", 2,
        )  # fmt: skip
        matches = []
        for fields in map(_fields, found[2::2]):
            row = _stored(fields)
            distance = float(fields["distance"])
            score = score_of(distance, metric) if metric == "euclidean" else 1.0 - distance
            matches.append(Match(row.id, score, row.metadata, list(row.vector) if row.vector else None, row.document))
        return matches

    async def fetch(self, index: str, ids: Sequence[str]) -> list[Stored]:
        """Rows by id, in one round trip."""
        facts = await self._facts(index)
        pipeline = self._client.pipeline(transaction=False)
        for row_id in ids:
            pipeline.hgetall(self._key(facts, row_id))
        try:
            found = await pipeline.execute()
        except Exception as error:
            raise translate(error) from error
        return [_stored({name.decode(): value for name, value in fields.items()}) for fields in found if fields]

    async def every(self, index: str, texts: dict[str, list[str]]) -> AsyncIterator[Stored]:
        """Page by page."""
        name = self._name(await self._facts(index))
        offset = 0
        while True:
            found = await self._run(
                "FT.SEARCH", name, _query(texts), "RETURN", 3, "id", "raw", "document",
                "LIMIT", offset, PAGE, "DIALECT", 2,
            )  # fmt: skip
            for fields in map(_fields, found[2::2]):
                yield _stored(fields)
            offset += PAGE
            if offset >= found[0]:
                return

    async def remove(self, index: str, ids: Sequence[str]) -> None:
        """Some thousand at a time."""
        facts = await self._facts(index)
        for at in range(0, len(ids), PAGE):
            await self._run("DEL", *(self._key(facts, row_id) for row_id in ids[at : at + PAGE]))


def _tag(field: str, text: str) -> str:
    """A text of a field as a word that has no meaning in the module's query language."""
    return hashlib.sha256(f"{field}\0{text}".encode()).hexdigest()[:32]


def _query(texts: dict[str, list[str]]) -> str:
    if not texts:
        return "*"
    parts = (f"@texts:{{{'|'.join(_tag(field, text) for text in wanted)}}}" for field, wanted in texts.items())
    return f"({' '.join(parts)})"


def _fields(pairs: list[bytes]) -> dict[str, bytes]:
    return {name.decode(): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _stored(fields: dict[str, bytes]) -> Stored:
    document, vector = fields.get("document"), fields.get("vector")
    return Stored(
        fields["id"].decode(),
        stored_metadata(fields["raw"].decode()),
        None if document is None else document.decode(),
        None if vector is None else np.frombuffer(vector, dtype="<f4").tolist(),
    )


def translate(error: Exception) -> Exception:
    """Redis's error in our words."""
    if isinstance(error, MastraError):
        return error
    if isinstance(error, redis_errors.ResponseError) and "unknown command" in str(error).lower():
        return Unsupported(
            "This Redis has no search module.", hint="Use Redis 8, Redis Stack, or load the search module."
        )
    broke = isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError | OSError)
    return VectorError(
        "Redis cannot be reached." if broke else f"Redis failed: {type(error).__name__}.",
        adapter="redis",
        retryable=broke,
    )
