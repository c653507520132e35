"""Vectors in Chroma, over its HTTP interface (version 2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from mastra.errors import BadSetting, IndexMissing, VectorError
from mastra.ports.vectors import Match, Metric, VectorRow
from mastra.vectors.remote import RemoteVectors, Stored, payload, stored_metadata
from mastra.vectors.rows import Vector, score_of

_SPACES: dict[Metric, str] = {"cosine": "cosine", "dotproduct": "ip", "euclidean": "l2"}
# Chroma's names begin and end with a letter or digit.
_BEFORE, _BEHIND = "m.", ".v"
PAGE = 1000
Json = dict[str, Any]


class ChromaVectors(RemoteVectors):
    """Named indexes, each a collection. Texts in a filter are compared inside Chroma, all else on what it returns."""

    adapter = "chroma"

    def __init__(self, url: str, *, tenant: str, database: str, token: str | None = None) -> None:
        headers = {} if token is None else {"x-chroma-token": token}
        base = f"{url}/api/v2/tenants/{quote(tenant, safe='')}/databases/{quote(database, safe='')}"
        self._client = httpx.AsyncClient(base_url=base, headers=headers, timeout=60)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`chroma://host:8000?tenant=...&database=...&token=...`; `chromas://` over TLS."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        unknown = set(options) - {"tenant", "database", "token"}
        if unknown:
            raise BadSetting(f"{min(unknown)!r} is not an option of chroma.", hint="Known: tenant, database, token.")
        scheme = "https" if parts.scheme == "chromas" else "http"
        return cls(
            f"{scheme}://{parts.hostname or '127.0.0.1'}:{parts.port or 8000}",
            tenant=options.get("tenant", "default_tenant"),
            database=options.get("database", "default_database"),
            token=options.get("token"),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, json: Json | None = None) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, json=json)
        except (httpx.HTTPError, OSError) as error:
            raise VectorError(
                f"Chroma cannot be reached: {type(error).__name__}.", adapter="chroma", retryable=True
            ) from error
        if answer.status_code >= 400 and answer.status_code != 404:
            refused = answer.status_code in {401, 403}
            raise VectorError(
                "Chroma refuses the token." if refused else f"Chroma failed with status {answer.status_code}.",
                adapter="chroma",
                status=answer.status_code,
                retryable=answer.status_code >= 500 or answer.status_code == 429,
            )
        return answer

    async def _collection(self, index: str) -> Json:
        answer = await self._ask("GET", f"/collections/{_BEFORE}{index}{_BEHIND}")
        if answer.status_code == 404:
            raise _missing(index)
        found: Json = answer.json()
        return found

    async def _rows(self, index: str, verb: str, json: Json) -> Any:
        """One verb on the rows of an index."""
        collection = await self._collection(index)
        answer = await self._ask("POST", f"/collections/{collection['id']}/{verb}", json)
        if answer.status_code == 404:
            raise _missing(index)
        return answer.json()

    async def make(self, index: str, dimension: int, metric: Metric) -> tuple[int, Metric]:
        """Make the collection or get the one that is there."""
        # More candidates than Chroma's own default, so that a small index finds what an exact search would.
        space = {"space": _SPACES[metric], "ef_search": 200, "ef_construction": 200}
        json = {
            "name": f"{_BEFORE}{index}{_BEHIND}",
            "configuration": {"hnsw": space},
            "metadata": {"mastra_dimension": dimension, "mastra_metric": metric},
            "get_or_create": True,
        }
        await self._ask("POST", "/collections", json)
        # What is answered is what was asked for; what is there is read.
        return await self.shape(index)

    async def shape(self, index: str) -> tuple[int, Metric]:
        """From the collection's own metadata."""
        facts = (await self._collection(index)).get("metadata") or {}
        return facts["mastra_dimension"], facts["mastra_metric"]

    async def size(self, index: str) -> int:
        """Counted by Chroma."""
        collection = await self._collection(index)
        return int((await self._ask("GET", f"/collections/{collection['id']}/count")).json())

    async def remove_index(self, index: str) -> None:
        """Remove the collection."""
        await self._ask("DELETE", f"/collections/{_BEFORE}{index}{_BEHIND}")

    async def names(self) -> list[str]:
        """The collections that are ours, sorted."""
        names: list[str] = []
        offset = 0
        while True:
            found = (await self._ask("GET", f"/collections?limit={PAGE}&offset={offset}")).json()
            mine = [item["name"] for item in found if "mastra_dimension" in (item.get("metadata") or {})]
            names += [name.removeprefix(_BEFORE).removesuffix(_BEHIND) for name in mine]
            offset += len(found)
            if len(found) < PAGE:
                return sorted(names)

    async def put(self, index: str, rows: Sequence[tuple[VectorRow, Vector]]) -> None:
        """One request."""
        json = {
            "ids": [row.id for row, _ in rows],
            "embeddings": [vector.tolist() for _, vector in rows],
            "metadatas": [_metadata(row) for row, _ in rows],
            # Chroma keeps the old text where none is given.
            "documents": [row.document or "" for row, _ in rows],
        }
        await self._rows(index, "upsert", json)

    async def nearest(
        self, index: str, vector: Vector, metric: Metric, count: int, texts: dict[str, list[str]], *, with_vector: bool
    ) -> list[Match]:
        """The nearest rows."""
        include = ["metadatas", "documents", "distances", *(["embeddings"] if with_vector else [])]
        json: Json = {"query_embeddings": [vector.tolist()], "n_results": count, "include": include}
        found = await self._rows(index, "query", {**json, **_narrowed(texts)})
        vectors = found["embeddings"][0] if with_vector else [None] * len(found["ids"][0])
        rows = zip(found["ids"][0], found["distances"][0], found["metadatas"][0], found["documents"][0], vectors,
                   strict=True)  # fmt: skip
        return [
            _match(row_id, distance, facts, document, kept, metric) for row_id, distance, facts, document, kept in rows
        ]

    async def fetch(self, index: str, ids: Sequence[str]) -> list[Stored]:
        """Rows by id."""
        return await self._get(index, {"ids": list(ids), "include": ["metadatas", "documents", "embeddings"]})

    async def _get(self, index: str, json: Json) -> list[Stored]:
        found = await self._rows(index, "get", json)
        vectors = found.get("embeddings") or [None] * len(found["ids"])
        return [
            Stored(row_id, stored_metadata(facts["raw"]), document if facts["has_document"] else None, vector)
            for row_id, facts, document, vector in zip(
                found["ids"], found["metadatas"], found["documents"], vectors, strict=True
            )
        ]

    async def every(self, index: str, texts: dict[str, list[str]]) -> AsyncIterator[Stored]:
        """Page by page."""
        offset = 0
        while True:
            json = {"limit": PAGE, "offset": offset, "include": ["metadatas", "documents"], **_narrowed(texts)}
            found = await self._get(index, json)
            for row in found:
                yield row
            offset += len(found)
            if len(found) < PAGE:
                return

    async def remove(self, index: str, ids: Sequence[str]) -> None:
        """Some thousand at a time."""
        for at in range(0, len(ids), PAGE):
            await self._rows(index, "delete", {"ids": list(ids[at : at + PAGE])})


def _missing(index: str) -> IndexMissing:
    return IndexMissing(f"There is no index {index!r}.", adapter="chroma")


def _metadata(row: VectorRow) -> Json:
    raw, texts = payload(row.metadata)
    # Scalars only: a field that held a list is marked, and looked at here instead of there.
    facts: Json = {"raw": raw, "has_document": row.document is not None}
    for field, found in texts.items():
        if isinstance((row.metadata or {})[field], list):
            facts[f"l_{field}"] = True
        else:
            facts[f"f_{field}"] = found[0]
    return facts


def _narrowed(texts: dict[str, list[str]]) -> Json:
    parts = [{"$or": [{f"f_{field}": {"$in": wanted}}, {f"l_{field}": True}]} for field, wanted in texts.items()]
    if not parts:
        return {}
    return {"where": parts[0] if len(parts) == 1 else {"$and": parts}}


def _match(row_id: str, distance: float, facts: Json, document: str, vector: Any, metric: Metric) -> Match:
    score = score_of(distance, metric) if metric == "euclidean" else 1.0 - distance
    return Match(row_id, score, stored_metadata(facts["raw"]), vector, document if facts["has_document"] else None)
