"""Vectors in Pinecone, over its HTTP interface: an index of ours is an index there.

Pinecone answers a write before it can be found; a write here returns when it can.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx

from mastra.errors import BadSetting, IndexMissing, InvalidInput, MissingKey, VectorError
from mastra.ports.vectors import Match, Metric, VectorRow
from mastra.types.json import dumps
from mastra.vectors.remote import RemoteVectors, Stored, payload, stored_metadata
from mastra.vectors.rows import Vector, score_of

API = "api.pinecone.io"
VERSION = "2025-04"
# Limits of one request there.
MAX_ROWS, MAX_BYTES, MAX_METADATA, MAX_MATCHES = 1000, 1_900_000, 40_960, 10_000
PAGE = 100
FOUND_WITHIN_S = 30.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,43}[a-z0-9]|[a-z0-9]")
Json = dict[str, Any]
Params = tuple[tuple[str, str], ...]


class PineconeVectors(RemoteVectors):
    """Named indexes. Texts in a filter are compared inside Pinecone, all else is tried on what it returns."""

    adapter = "pinecone"

    def __init__(
        self,
        api_key: str,
        *,
        url: str = f"https://{API}",
        cloud: str = "aws",
        region: str = "us-east-1",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._spec = {"serverless": {"cloud": cloud, "region": region}}
        headers = {"Api-Key": api_key, "X-Pinecone-Api-Version": VERSION}
        self._client = httpx.AsyncClient(headers=headers, timeout=60, transport=transport)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`pinecone:?cloud=aws&region=us-east-1`; the key is in `PINECONE_API_KEY`. A host is for a local emulator."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        unknown = set(options) - {"cloud", "region"}
        if unknown:
            raise BadSetting(f"{min(unknown)!r} is not an option of pinecone.", hint="Known: cloud, region.")
        key = os.environ.get("PINECONE_API_KEY", "")
        if not key:
            raise MissingKey("Pinecone needs a key.", hint="Set PINECONE_API_KEY.")
        base = f"http://{parts.netloc}" if parts.netloc else f"https://{API}"
        return cls(key, url=base, cloud=options.get("cloud", "aws"), region=options.get("region", "us-east-1"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(
        self, method: str, url: str, json: Json | None = None, params: Params | None = None
    ) -> httpx.Response:
        try:
            answer = await self._client.request(method, url, json=json, params=params)
        except (httpx.HTTPError, OSError) as error:
            raise VectorError(
                f"Pinecone cannot be reached: {type(error).__name__}.", adapter="pinecone", retryable=True
            ) from error
        status = answer.status_code
        if status >= 400 and status not in {404, 409}:
            told = "Pinecone refuses the key." if status in {401, 403} else f"Pinecone failed with status {status}."
            raise VectorError(told, adapter="pinecone", status=status, retryable=status >= 500 or status == 429)
        return answer

    async def _index(self, index: str) -> Json:
        answer = await self._ask("GET", f"{self._url}/indexes/{_name(index)}")
        if answer.status_code == 404:
            raise _missing(index)
        found: Json = answer.json()
        return found

    async def _host(self, index: str) -> str:
        host = str((await self._index(index))["host"])
        return host if "://" in host else f"{urlsplit(self._url).scheme}://{host}"

    async def _rows(
        self, index: str, method: str, path: str, json: Json | None = None, params: Params | None = None
    ) -> httpx.Response:
        answer = await self._ask(method, await self._host(index) + path, json, params)
        if answer.status_code == 404:
            raise _missing(index)
        return answer

    async def make(self, index: str, dimension: int, metric: Metric) -> tuple[int, Metric]:
        """Make the index and wait until it takes rows."""
        json = {
            "name": _name(index), "dimension": dimension, "metric": metric, "spec": self._spec,
            "vector_type": "dense", "tags": {"mastra": index},
        }  # fmt: skip
        await self._ask("POST", f"{self._url}/indexes", json)
        for _ in range(600):
            if (await self._index(index))["status"]["ready"]:
                return await self.shape(index)
            await asyncio.sleep(0.2)
        raise VectorError(f"Pinecone did not get the index {index!r} ready.", adapter="pinecone", retryable=True)

    async def shape(self, index: str) -> tuple[int, Metric]:
        """As Pinecone describes it."""
        facts = await self._index(index)
        return facts["dimension"], facts["metric"]

    async def size(self, index: str) -> int:
        """Counted by Pinecone."""
        return int((await self._rows(index, "POST", "/describe_index_stats", {})).json()["totalVectorCount"])

    async def remove_index(self, index: str) -> None:
        """Remove the index, and wait until its name is free."""
        await self._ask("DELETE", f"{self._url}/indexes/{_name(index)}")
        for _ in range(600):
            if (await self._ask("GET", f"{self._url}/indexes/{_name(index)}")).status_code == 404:
                return
            await asyncio.sleep(0.2)

    async def names(self) -> list[str]:
        """The indexes that are ours, sorted."""
        found = (await self._ask("GET", f"{self._url}/indexes")).json()["indexes"]
        return sorted(item["tags"]["mastra"] for item in found if "mastra" in (item.get("tags") or {}))

    async def put(self, index: str, rows: Sequence[tuple[VectorRow, Vector]]) -> None:
        """As few requests as Pinecone's limits allow, then wait until they can be found."""
        vectors = [{"id": _id(row.id), "values": vector.tolist(), "metadata": _metadata(row)} for row, vector in rows]
        answers = [await self._rows(index, "POST", "/vectors/upsert", {"vectors": part}) for part in _parts(vectors)]
        await self._until_found(index, answers[-1], len(rows[0][1]))

    async def _until_found(self, index: str, answer: httpx.Response, dimension: int) -> None:
        """Pinecone numbers its writes and says with each answer how far it has come."""
        written = int(answer.headers.get("x-pinecone-request-lsn", -1))
        probe = {"vector": [1.0] * dimension, "topK": 1}
        pause, waited = 0.02, 0.0
        while written >= 0 and waited < FOUND_WITHIN_S:
            found = await self._rows(index, "POST", "/query", probe)
            if int(found.headers.get("x-pinecone-max-indexed-lsn", written)) >= written:
                return
            await asyncio.sleep(pause)
            waited += pause
            pause = min(pause * 2, 1.0)

    async def nearest(
        self, index: str, vector: Vector, metric: Metric, count: int, texts: dict[str, list[str]], *, with_vector: bool
    ) -> list[Match]:
        """The nearest rows."""
        json: Json = {
            "vector": vector.tolist(), "topK": min(count, MAX_MATCHES), "includeMetadata": True,
            "includeValues": with_vector, **_narrowed(texts),
        }  # fmt: skip
        matches = []
        for found in (await self._rows(index, "POST", "/query", json)).json()["matches"]:
            row = _stored(found)
            score = score_of(found["score"], metric)
            matches.append(Match(row.id, score, row.metadata, list(row.vector or ()) or None, row.document))
        return matches

    async def fetch(self, index: str, ids: Sequence[str]) -> list[Stored]:
        """Rows by id."""
        return await self._fetch(index, [_id(row_id) for row_id in ids])

    async def _fetch(self, index: str, keys: Sequence[str]) -> list[Stored]:
        found: list[Stored] = []
        for at in range(0, len(keys), PAGE):
            params = tuple(("ids", key) for key in keys[at : at + PAGE])
            rows = (await self._rows(index, "GET", "/vectors/fetch", params=params)).json()["vectors"]
            found += map(_stored, rows.values())
        return found

    async def every(self, index: str, texts: dict[str, list[str]]) -> AsyncIterator[Stored]:  # noqa: ARG002 - the port's
        """Page by page; Pinecone lists ids only and by no filter, so every row is read."""
        params: Params = (("limit", str(PAGE)),)
        while True:
            listed = (await self._rows(index, "GET", "/vectors/list", params=params)).json()
            for row in await self._fetch(index, [item["id"] for item in listed["vectors"]]):
                yield row
            following = (listed.get("pagination") or {}).get("next")
            if not following:
                return
            params = (("limit", str(PAGE)), ("paginationToken", following))

    async def remove(self, index: str, ids: Sequence[str]) -> None:
        """Some at a time, then wait until they cannot be found."""
        keys = [_id(row_id) for row_id in ids]
        parts = [keys[at : at + MAX_ROWS] for at in range(0, len(keys), MAX_ROWS)]
        answers = [await self._rows(index, "POST", "/vectors/delete", {"ids": part}) for part in parts]
        await self._until_found(index, answers[-1], (await self.shape(index))[0])


def _missing(index: str) -> IndexMissing:
    return IndexMissing(f"There is no index {index!r}.", adapter="pinecone")


def _name(index: str) -> str:
    """Pinecone's names are short and in lower case: others get one that a hash keeps apart."""
    if _NAME.fullmatch(index) and not index.startswith("m--"):
        return index
    return f"m--{hashlib.sha256(index.encode()).hexdigest()[:32]}"


def _id(row_id: str) -> str:
    """Pinecone's ids are ASCII; ours are kept in the metadata."""
    return hashlib.sha256(row_id.encode()).hexdigest()[:40]


def _metadata(row: VectorRow) -> Json:
    raw, texts = payload(row.metadata)
    facts: Json = {"id": row.id, "raw": raw, **{f"t_{field}": found for field, found in texts.items()}}
    if row.document is not None:
        facts["document"] = row.document
    if len(dumps(facts).encode()) > MAX_METADATA:
        raise InvalidInput(
            f"The metadata and the text of {row.id!r} are larger than the {MAX_METADATA:,} bytes that Pinecone keeps.",
            hint="Split the text into smaller chunks.",
        )
    return facts


def _parts(vectors: list[Json]) -> Iterator[list[Json]]:
    part: list[Json] = []
    size = 0
    for vector in vectors:
        length = len(dumps(vector).encode())
        if part and (len(part) == MAX_ROWS or size + length > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(vector)
        size += length
    yield part


def _narrowed(texts: dict[str, list[str]]) -> Json:
    if not texts:
        return {}
    return {"filter": {"$and": [{f"t_{field}": {"$in": wanted}} for field, wanted in texts.items()]}}


def _stored(found: Json) -> Stored:
    facts = found["metadata"]
    return Stored(facts["id"], stored_metadata(facts["raw"]), facts.get("document"), found.get("values") or None)
