"""Pinecone's HTTP interface as its documentation states it, limits and delays included; there is no server to be had.

Writes are answered at once and found two answers later, as the real one is late.
"""

from __future__ import annotations

import json
import math
from typing import Any

import httpx

KEY = "stub-key"
HOST = "index.stub"
LATE = 2


class PineconeStub(httpx.AsyncBaseTransport):
    """Answers what `httpx` would have sent over the network."""

    def __init__(self) -> None:
        self.indexes: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.late: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self.lsn: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        self.requests.append((request.method, request.url.path))
        if request.headers.get("api-key") != KEY:
            return httpx.Response(401, json={"error": {"code": "UNAUTHENTICATED", "message": KEY}})
        assert request.headers["x-pinecone-api-version"] >= "2025-01"
        assert len(body) <= 2 * 1024 * 1024, "a request of more than 2 MB"
        data = json.loads(body) if body else {}
        if request.url.host.endswith(HOST):
            return self._data(request, request.url.host.removesuffix(f".{HOST}"), data)
        return self._control(request, data)

    def _control(self, request: httpx.Request, data: dict[str, Any]) -> httpx.Response:
        name = request.url.path.removeprefix("/indexes").lstrip("/")
        if request.method == "POST":
            name = data["name"]
            assert 1 <= len(name) <= 45
            assert all(c.islower() or c.isdigit() or c == "-" for c in name)
            assert data["metric"] in {"cosine", "dotproduct", "euclidean"}
            assert set(data["spec"]["serverless"]) == {"cloud", "region"}
            if not 1 <= data["dimension"] <= 20_000:
                return httpx.Response(400, json={"error": {"code": "INVALID_ARGUMENT"}})
            if name in self.indexes:
                return httpx.Response(409, json={"error": {"code": "ALREADY_EXISTS"}})
            self.indexes[name] = {**data, "host": f"{name}.{HOST}", "status": {"ready": False, "state": "Initializing"}}
            self.rows[name], self.late[name], self.lsn[name] = {}, [], 0
            return httpx.Response(201, json=self.indexes[name])
        if not name:
            return httpx.Response(200, json={"indexes": list(self.indexes.values())})
        if name not in self.indexes:
            return httpx.Response(404, json={"error": {"code": "NOT_FOUND"}})
        if request.method == "DELETE":
            del self.indexes[name]
            return httpx.Response(202)
        answer = httpx.Response(200, json=self.indexes[name])
        self.indexes[name]["status"] = {"ready": True, "state": "Ready"}
        return answer

    def _data(self, request: httpx.Request, name: str, data: dict[str, Any]) -> httpx.Response:
        if name not in self.indexes:
            return httpx.Response(404, json={"code": 5, "message": "not found"})
        self._settle(name)
        path, params = request.url.path, request.url.params
        rows = self.rows[name]
        headers = {"x-pinecone-max-indexed-lsn": str(self.lsn[name] - len(self.late[name]))}
        if path == "/vectors/upsert":
            vectors = data["vectors"]
            assert 1 <= len(vectors) <= 1000
            for vector in vectors:
                _check_vector(vector, self.indexes[name]["dimension"])
            return self._written(name, {"put": {vector["id"]: vector for vector in vectors}}, len(vectors))
        if path == "/vectors/delete":
            assert 1 <= len(data["ids"]) <= 1000
            return self._written(name, {"gone": data["ids"]}, 0)
        if path == "/query":
            return httpx.Response(200, json=self._query(name, data), headers=headers)
        if path == "/vectors/fetch":
            ids = params.get_list("ids")
            assert 1 <= len(ids) <= 100
            found = {row_id: rows[row_id] for row_id in ids if row_id in rows}
            return httpx.Response(200, json={"vectors": found, "namespace": ""}, headers=headers)
        if path == "/vectors/list":
            limit, start = int(params.get("limit", 100)), params.get("paginationToken", "")
            assert 1 <= limit <= 100
            after = sorted(row_id for row_id in rows if row_id > start)
            more = {"pagination": {"next": after[limit - 1]}} if len(after) > limit else {}
            return httpx.Response(200, json={"vectors": [{"id": row_id} for row_id in after[:limit]], **more})
        assert path == "/describe_index_stats"
        return httpx.Response(200, json={"totalVectorCount": len(rows), "dimension": self.indexes[name]["dimension"]})

    def _written(self, name: str, change: dict[str, Any], count: int) -> httpx.Response:
        self.lsn[name] += 1
        self.late[name].append((LATE, change))
        return httpx.Response(
            200, json={"upsertedCount": count}, headers={"x-pinecone-request-lsn": str(self.lsn[name])}
        )

    def _settle(self, name: str) -> None:
        late = [(left - 1, change) for left, change in self.late[name]]
        while late and late[0][0] <= 0:
            change = late.pop(0)[1]
            self.rows[name].update(change.get("put", {}))
            for row_id in change.get("gone", ()):
                self.rows[name].pop(row_id, None)
        self.late[name] = late

    def _query(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        index = self.indexes[name]
        assert 1 <= data["topK"] <= 10_000
        assert len(data["vector"]) == index["dimension"]
        scored = [
            (_score(index["metric"], data["vector"], row["values"]), row)
            for row in self.rows[name].values()
            if _fits(data.get("filter"), row["metadata"])
        ]
        scored.sort(key=lambda item: item[0] if index["metric"] == "euclidean" else -item[0])
        matches = []
        for score, row in scored[: data["topK"]]:
            match = {"id": row["id"], "score": score, "values": row["values"] if data.get("includeValues") else []}
            matches.append({**match, **({"metadata": row["metadata"]} if data.get("includeMetadata") else {})})
        return {"matches": matches, "namespace": ""}


def _check_vector(vector: dict[str, Any], dimension: int) -> None:
    assert vector["id"].isascii()
    assert 1 <= len(vector["id"]) <= 512
    assert len(vector["values"]) == dimension
    assert any(vector["values"]), "Pinecone refuses a vector of zeros"
    assert len(json.dumps(vector["metadata"]).encode()) <= 200_000
    for key, value in vector["metadata"].items():
        assert not key.startswith("$")
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        assert texts or isinstance(value, str | int | float | bool), "metadata are flat"


def _fits(where: dict[str, Any] | None, metadata: dict[str, Any]) -> bool:
    for field, operand in (where or {}).items():
        if field == "$and":
            if not all(_fits(part, metadata) for part in operand):
                return False
            continue
        assert set(operand) == {"$in"}, "the only operator that is asked for"
        value = metadata.get(field)
        if not set(value if isinstance(value, list) else [value]) & set(operand["$in"]):
            return False
    return True


def _score(metric: str, left: list[float], right: list[float]) -> float:
    if metric == "euclidean":
        return sum((a - b) ** 2 for a, b in zip(left, right, strict=True))
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    if metric == "dotproduct":
        return dot
    return dot / (math.hypot(*left) * math.hypot(*right))
