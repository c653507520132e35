"""Vectors: indexes and their rows. A caller that is bound to a resource sees and replaces its own rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied, InvalidInput
from mastra.ports.vectors import VectorRow
from mastra.runtime.vector_spans import vector_span
from mastra.server.embedders import EMBEDDERS
from mastra.server.problems import invalid
from mastra.types.ids import new_id

if TYPE_CHECKING:
    from mastra.ports.vectors import VectorStore
    from mastra.server.call import Call

# The owner of a row that came over HTTP; never shown, never set by a client.
OWNER = "mastra_owner"
MAX_TOP_K = 10_000


def _store(call: Call) -> VectorStore:
    return call.mastra.get_vectors(call.params["vectorName"])


def _indexes_are_shared(call: Call) -> None:
    if call.bound is not None:
        raise AccessDenied("Access denied: indexes belong to everybody; ask an administrator")


async def list_vectors(call: Call) -> dict[str, Any]:
    """The stores there are."""
    stores = call.mastra.vectors.items()
    return {"vectors": [{"id": name, "name": name, "type": type(store).__name__} for name, store in stores]}


async def list_embedders(call: Call) -> dict[str, Any]:
    """The embedding models that are known by name."""
    del call
    return {"embedders": EMBEDDERS}


async def list_indexes(call: Call) -> list[str]:
    """The names of the indexes."""
    return await _store(call).names()


async def create_index(call: Call) -> dict[str, bool]:
    """Make an index."""
    _indexes_are_shared(call)
    body = call.body
    dimension = body["dimension"]
    if dimension != int(dimension) or not 0 < dimension <= 65_536:
        raise InvalidInput("The dimension must be a whole number from 1 to 65536.")
    await _store(call).create(body["indexName"], int(dimension), body.get("metric") or "cosine")
    return {"success": True}


async def describe_index(call: Call) -> dict[str, Any]:
    """Dimension, number of rows and metric."""
    info = await _store(call).describe(call.params["indexName"])
    return {"dimension": info.dimension, "count": info.row_count, "metric": info.metric}


async def delete_index(call: Call) -> dict[str, bool]:
    """Remove an index with all its rows."""
    _indexes_are_shared(call)
    await _store(call).drop(call.params["indexName"])
    return {"success": True}


async def upsert(call: Call) -> dict[str, list[str]]:
    """Add rows, or replace those with the same ids."""
    body = call.body
    vectors: list[list[float]] = body["vectors"]
    ids: list[str] = body.get("ids") or [new_id() for _ in vectors]
    metadata: list[dict[str, Any] | None] = body.get("metadata") or [None] * len(vectors)
    issues = [
        {"field": name, "message": f"There are {len(vectors)} vectors and {len(given)} {name}"}
        for name, given in (("ids", ids), ("metadata", metadata))
        if len(given) != len(vectors)
    ]
    if issues:
        raise invalid("request body", issues)
    owner = call.bound
    rows = [
        VectorRow(_row_id(owner, id), vector, _owned(owner, facts))
        for id, vector, facts in zip(ids, vectors, metadata, strict=True)  # noqa: A001 - the word of the protocol
    ]
    with vector_span("upsert", body["indexName"], len(rows), tracer=call.mastra.services.tracer, resource_id=owner):
        await _store(call).upsert(body["indexName"], rows)
    return {"ids": ids}


async def query(call: Call) -> list[dict[str, Any]]:
    """The rows that fit best, best first."""
    body = call.body
    top_k = body.get("topK", 10)
    if top_k is None or top_k != int(top_k) or not 0 < top_k <= MAX_TOP_K:
        raise InvalidInput(f"topK must be a whole number from 1 to {MAX_TOP_K}.")
    include = bool(body.get("includeVector"))
    owner, where = call.bound, body.get("filter") or None
    if owner is not None:
        where = {"$and": [{OWNER: owner}, where]} if where else {OWNER: owner}
    with vector_span("query", body["indexName"], int(top_k), tracer=call.mastra.services.tracer, resource_id=owner):
        matches = await _store(call).query(
            body["indexName"], body["queryVector"], k=int(top_k), where=where, include_vector=include
        )
    out = []
    for match in matches:
        row: dict[str, Any] = {"id": _shown_id(owner, match.id), "score": match.score}
        if match.metadata is not None:
            row["metadata"] = {key: value for key, value in match.metadata.items() if key != OWNER}
        if include and match.vector is not None:
            row["vector"] = match.vector
        if match.document is not None:
            row["document"] = match.document
        out.append(row)
    return out


def _row_id(owner: str | None, id: str) -> str:
    # An owner's ids live in a space of their own: nobody can replace somebody else's row by guessing its id.
    return id if owner is None else f"{owner}/{id}"


def _shown_id(owner: str | None, id: str) -> str:
    return id if owner is None else id.removeprefix(f"{owner}/")


def _owned(owner: str | None, metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    kept = {key: value for key, value in (metadata or {}).items() if key != OWNER}
    if owner is not None:
        kept[OWNER] = owner
    return kept or None


ROUTES = {
    "GET /vectors": list_vectors,
    "GET /embedders": list_embedders,
    "GET /vector/:vectorName/indexes": list_indexes,
    "POST /vector/:vectorName/create-index": create_index,
    "GET /vector/:vectorName/indexes/:indexName": describe_index,
    "DELETE /vector/:vectorName/indexes/:indexName": delete_index,
    "POST /vector/:vectorName/upsert": upsert,
    "POST /vector/:vectorName/query": query,
}
