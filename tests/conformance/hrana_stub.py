"""A stand-in for a server of libSQL in this process: the batches of its protocol, run by SQLite itself."""

from __future__ import annotations

import json
from typing import Any

import apsw
import httpx

Json = dict[str, Any]
_CODES = {apsw.ConstraintError: "SQLITE_CONSTRAINT", apsw.FullError: "SQLITE_FULL", apsw.CorruptError: "SQLITE_CORRUPT"}


class HranaStub(httpx.AsyncBaseTransport):
    """One database. `fail` is raised before (`after=False`) or after the next batch of a transaction ran."""

    def __init__(self, path: str = ":memory:", *, token: str | None = None, most: int = 10_000_000) -> None:
        self.database = apsw.Connection(path)
        self.token = token
        self.most = most
        self.requests = 0
        self.fail: Exception | None = None
        self.after = True
        self.answer: httpx.Response | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """`POST /v3/pipeline` with one batch."""
        self.requests += 1
        assert request.url.path.endswith("/v3/pipeline")
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json={"error": "Unauthorized"})
        [batch, close] = json.loads(await request.aread())["requests"]
        assert close == {"type": "close"}
        steps = batch["batch"]["steps"]
        failure = self.fail if steps[0]["stmt"]["sql"].startswith("BEGIN") else None
        if failure is not None and not self.after:
            raise failure
        told = self._run(steps)
        if failure is not None:
            raise failure
        if self.answer is not None:
            return self.answer
        return httpx.Response(200, json={"results": [told, {"type": "ok", "response": {"type": "close"}}]})

    def _run(self, steps: list[Json]) -> Json:
        results: list[Json | None] = []
        errors: list[Json | None] = []
        size = 0
        for step in steps:
            result = error = None
            if _holds(step.get("condition"), results):
                try:
                    rows = self._execute(step["stmt"])
                    size += len(json.dumps(rows))
                    result = {"rows": rows}
                except apsw.Error as failure:
                    error = {"message": f"SQLite error: {failure}", "code": _CODES.get(type(failure), "SQLITE_UNKNOWN")}
            results.append(result)
            errors.append(error)
        if size > self.most:
            return {"type": "error", "error": {"message": "Response is too large", "code": "RESPONSE_TOO_LARGE"}}
        result = {"step_results": results, "step_errors": errors}
        return {"type": "ok", "response": {"type": "batch", "result": result}}

    def _execute(self, stmt: Json) -> list[list[Json]]:
        arguments = [_argument(item) for item in stmt["args"]]
        return [[_cell(value) for value in row] for row in self.database.execute(stmt["sql"], arguments)]


def _holds(condition: Json | None, results: list[Json | None]) -> bool:
    if condition is None:
        return True
    if condition["type"] == "ok":
        return results[condition["step"]] is not None
    if condition["type"] == "not":
        return not _holds(condition["cond"], results)
    return all(_holds(part, results) for part in condition["conds"])


def _argument(item: Json) -> Any:
    if item["type"] == "null":
        return None
    return int(item["value"]) if item["type"] == "integer" else item["value"]


def _cell(value: Any) -> Json:
    if value is None:
        return {"type": "null"}
    if isinstance(value, int):
        return {"type": "integer", "value": str(value)}
    return {"type": "float" if isinstance(value, float) else "text", "value": value}
