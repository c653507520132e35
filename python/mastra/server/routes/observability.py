"""Observability: the traces that are stored, and what occurs in them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mastra.errors import NotFound
from mastra.runtime.span_store import SpanStore, light, shown
from mastra.types.times import from_wire

if TYPE_CHECKING:
    from mastra.server.call import Call
    from mastra.types.records import Filter

# Query parameter -> field of a span, where they are the same word.
_FIELDS = ("spanType", "traceId", "entityId", "entityName", "entityType", "runId", "threadId", "status", "name")


def _store(call: Call) -> SpanStore:
    return SpanStore(call.mastra.storage)


def _where(call: Call, *, roots: bool) -> Filter:
    query = call.query
    where: Filter = {"root": True} if roots else {}
    for name in _FIELDS:
        if query.get(name) is not None:
            where[name] = query[name]
    resource = call.owner(query.get("resourceId"))
    if resource is not None and (query.get("resourceId") is not None or not call.mine(None)):
        where["resourceId"] = resource
    for name in ("startedAt", "endedAt"):
        span = query.get(name)
        if isinstance(span, dict):
            bounds = {sign: span[word] for word, sign in (("start", "$gte"), ("end", "$lte")) if span.get(word)}
            if bounds:
                where[name] = bounds
    if isinstance(query.get("metadata"), dict):
        where.update({f"metadata.{key}": value for key, value in query["metadata"].items()})
    return where


async def _page(call: Call, *, roots: bool, form: Any, key: str) -> dict[str, Any]:
    query = call.query
    page, per_page = query.get("page") or 0, query.get("perPage") or 10
    rows, total = await _store(call).find(
        _where(call, roots=roots),
        page=page,
        per_page=per_page,
        descending=query.get("direction", "DESC") == "DESC",
    )
    paging = {"total": total, "page": page, "perPage": per_page, "hasMore": (page + 1) * per_page < total}
    return {"pagination": paging, key: [form(row) for row in rows]}


async def list_traces(call: Call) -> dict[str, Any]:
    """The roots of traces, newest first."""
    return await _page(call, roots=True, form=shown, key="spans")


async def list_traces_light(call: Call) -> dict[str, Any]:
    """The same without their large fields."""
    return await _page(call, roots=True, form=light, key="spans")


async def list_branches(call: Call) -> dict[str, Any]:
    """Spans anywhere in their traces."""
    return await _page(call, roots=False, form=shown, key="branches")


def _mine(call: Call, rows: list[dict[str, Any]]) -> bool:
    # Calls with one `traceparent` share a trace: it has a root for each, and all of them must be the caller's.
    owners = [row["resourceId"] for row in rows if row["root"]] or [None]
    return all(call.mine(owner) for owner in owners)


async def trace_of(call: Call, trace_id: str) -> list[dict[str, Any]]:
    """All spans of a trace; that of somebody else is not there."""
    rows = await _store(call).trace(trace_id)
    if not _mine(call, rows):
        raise NotFound(f"Trace with ID '{trace_id}' not found")
    return rows


async def _trace(call: Call) -> list[dict[str, Any]]:
    return await trace_of(call, call.params["traceId"])


async def get_trace(call: Call) -> dict[str, Any]:
    """All spans of a trace."""
    rows = await _trace(call)
    return {"traceId": call.params["traceId"], "spans": [shown(row) for row in rows]}


async def get_trace_light(call: Call) -> dict[str, Any]:
    """All spans of a trace without their large fields."""
    rows = await _trace(call)
    return {"traceId": call.params["traceId"], "spans": [light(row) for row in rows]}


async def get_span(call: Call) -> dict[str, Any]:
    """One span."""
    await _trace(call)
    row = await _store(call).span(call.params["traceId"], call.params["spanId"])
    return {"span": shown(row)}


async def get_branch(call: Call) -> dict[str, Any]:
    """A span with everything below it."""
    rows = await _trace(call)
    wanted, depth = call.params["spanId"], call.query.get("depth")
    level, found = {wanted}, [row for row in rows if row["spanId"] == wanted]
    while level and (depth is None or depth > 0):
        below = [row for row in rows if row["parentSpanId"] in level]
        found += below
        level = {row["spanId"] for row in below}
        depth = None if depth is None else depth - 1
    return {"traceId": call.params["traceId"], "spans": [shown(row) for row in found]}


async def trajectory(call: Call) -> dict[str, Any]:
    """The calls of models and tools of a trace in their order, with how long each took."""
    rows = await _trace(call)
    kinds = {"tool_call", "model_inference", "agent_run", "workflow_step", "mcp_tool_call", "processor_run"}
    steps = [
        {
            "stepType": row["spanType"],
            "name": row["entityName"] or row["name"],
            "input": row["input"],
            "output": row["output"],
            "durationMs": _milliseconds(row),
        }
        for row in rows
        if row["spanType"] in kinds and not row["root"]
    ]
    root = next((row for row in rows if row["root"]), rows[0])
    return {"steps": steps, "totalDurationMs": _milliseconds(root), "rawOutput": root["output"]}


def _milliseconds(row: dict[str, Any]) -> int:
    if row["endedAt"] is None:
        return 0
    return round((from_wire(row["endedAt"]) - from_wire(row["startedAt"])).total_seconds() * 1000)


async def delete_traces(call: Call) -> dict[str, bool]:
    """Remove whole traces; those of others are not there."""
    mine = []
    for trace_id in call.body["traceIds"]:
        with suppress(NotFound):
            await trace_of(call, trace_id)
            mine.append(trace_id)
    await _store(call).delete(mine)
    return {"success": True}


async def entity_types(call: Call) -> dict[str, Any]:
    """Kinds of things that have spans."""
    return {"entityTypes": await _store(call).names("entityType")}


async def entity_names(call: Call) -> dict[str, Any]:
    """Names of things that have spans."""
    return {"names": await _store(call).names("entityName")}


_TRACES = "/observability/traces"
ROUTES = {
    f"GET {_TRACES}": list_traces,
    f"GET {_TRACES}/light": list_traces_light,
    "GET /observability/branches": list_branches,
    f"GET {_TRACES}/:traceId": get_trace,
    f"GET {_TRACES}/:traceId/light": get_trace_light,
    f"GET {_TRACES}/:traceId/spans/:spanId": get_span,
    f"GET {_TRACES}/:traceId/branches/:spanId": get_branch,
    f"GET {_TRACES}/:traceId/trajectory": trajectory,
    f"POST {_TRACES}/delete": delete_traces,
    "GET /observability/discovery/entity-types": entity_types,
    "GET /observability/discovery/entity-names": entity_names,
}
