"""What can be measured of what is stored: metrics of spans, scores and feedback that people give, logs."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied, InvalidInput, NotFound
from mastra.runtime.span_store import SPANS
from mastra.server import points
from mastra.server.problems import Refused
from mastra.types.ids import check_id, new_id
from mastra.types.records import Delete, Order, Put, Table
from mastra.types.times import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.ports.storage import Storage
    from mastra.server.call import Call
    from mastra.types.records import Filter

Row = dict[str, Any]
FEEDBACK = Table("feedback", indexes=("traceId", "resourceId", "timestamp"))
SCORES = Table("given_scores", indexes=("traceId", "scorerId", "resourceId", "timestamp"))
# Field of a row -> name of its id, and of what is measured by it.
_IDS = {FEEDBACK.name: ("feedbackId", "feedbackType"), SCORES.name: ("scoreId", "scorerId")}
# How many rows are looked at: the newest. What needs more belongs into a database for metrics, by OTLP.
MOST = 50_000
# Kind of span -> the word for it in the names of metrics.
_TIMED = {
    "agent_run": "agent",
    "workflow_run": "workflow",
    "workflow_step": "workflow_step",
    "model_inference": "model",
    "tool_call": "tool",
    "mcp_tool_call": "mcp_tool",
    "processor_run": "processor",
    "memory_operation": "memory",
    "rag_embedding": "embedding",
    "rag_vector_operation": "vector",
    "scorer_run": "scorer",
}
_TOKENS = {
    "inputTokens": "mastra_model_total_input_tokens",
    "outputTokens": "mastra_model_total_output_tokens",
    "reasoningTokens": "mastra_model_output_reasoning_tokens",
    "cachedInputTokens": "mastra_model_input_cache_read_tokens",
}
_SHARED = ("traceId", "spanId", "entityType", "entityId", "entityName", "runId", "threadId", "resourceId", "tags")


async def newest(storage: Storage, table: Table, where: Filter, field: str) -> list[Row]:
    """The newest rows that match, at most as many as are looked at."""
    rows: list[Row] = []
    after = None
    while len(rows) < MOST:
        page = await storage.scan(table, where, order=Order(field, descending=True), after=after, limit=5_000)
        rows += [record.value for record in page.records]
        after = page.after
        if after is None:
            break
    return rows


def _filters(call: Call, given: Mapping[str, Any] | None) -> Row:
    found = {key: value for key, value in (given or {}).items() if value is not None}
    times = found.get("timestamp")
    if isinstance(times, dict):
        for name in ("start", "end"):
            if times.get(name) is not None:
                from_wire(str(times[name]), f"timestamp.{name}")
    for name in ("labels", "metadata"):
        if not isinstance(found.get(name, {}), dict):
            raise InvalidInput(f"{name} is not an object.", hint=f'Send JSON: {name}={{"name": "value"}}.')
    if call.bound is not None:
        found["resourceId"] = call.bound
    return found


# ---------------------------------------------------------------- metrics


def metrics_of(row: Row) -> list[Row]:
    """The metrics that a stored span stands for: how long it took, and what a model was given and gave."""
    word = _TIMED.get(row["spanType"])
    if word is None or row["endedAt"] is None:
        return []
    attributes = row.get("attributes") or {}
    labels = {"status": row["status"]}
    shared = {
        **{key: row.get(key) for key in _SHARED},
        "timestamp": row["endedAt"],
        "provider": attributes.get("provider"),
        "model": attributes.get("model"),
        "labels": labels,
    }
    took = (from_wire(row["endedAt"]) - from_wire(row["startedAt"])).total_seconds() * 1_000
    found = [{**shared, "metricId": f"{row['spanId']}-0", "name": f"mastra_{word}_duration_ms", "value": took}]
    usage = attributes.get("usage")
    if word == "model" and isinstance(usage, dict):
        for key, name in _TOKENS.items():
            if isinstance(usage.get(key), int | float):
                found.append({**shared, "metricId": f"{row['spanId']}-{key}", "name": name, "value": usage[key]})
    return found


async def _metrics(call: Call, filters: Row, names: list[str] | None = None) -> list[Row]:
    where: Filter = {key: filters[key] for key in ("resourceId", "traceId") if key in filters}
    rows = await newest(call.mastra.storage, SPANS, where, "startedAt")
    found = [metric for row in rows for metric in metrics_of(row)]
    return [one for one in found if (names is None or one["name"] in names) and points.fits(one, filters)]


# ---------------------------------------------------------------- scores and feedback


async def _rows(call: Call, table: Table, filters: Row) -> list[Row]:
    where: Filter = {key: filters[key] for key in ("resourceId", "traceId") if key in filters}
    rows = await newest(call.mastra.storage, table, where, "timestamp")
    return [row for row in rows if points.fits(row, filters)]


async def _points(call: Call, table: Table, filters: Row, measured: str, source: str | None) -> list[Row]:
    _, kind = _IDS[table.name]
    named = {**filters, kind: measured}
    if source is not None:
        named["feedbackSource" if table is FEEDBACK else "scoreSource"] = source
    key = "value" if table is FEEDBACK else "score"
    return [{**row, "value": row[key], "name": measured} for row in await _rows(call, table, named)]


async def _keep(call: Call, table: Table, given: Row) -> dict[str, bool]:
    name, _ = _IDS[table.name]
    row = {**given, name: check_id(given.get(name) or new_id(), name), "timestamp": to_wire(datetime.now(UTC))}
    row["resourceId"] = call.owner(given.get("resourceId"))
    if row.get("traceId") is not None:
        check_id(row["traceId"], "trace id")
    known = await call.mastra.storage.get(table, row[name])
    if known is not None and not call.mine(known.get("resourceId")):
        raise AccessDenied("Access denied: it belongs to a different resource")
    await call.mastra.storage.write([Put(table, row[name], row)])
    return {"success": True}


async def keep_score(call: Call) -> dict[str, bool]:
    """A score that a person, or a program of theirs, gives."""
    given = call.body["score"]
    return await _keep(call, SCORES, {"scorerName": given["scorerId"], **given})


async def keep_feedback(call: Call) -> dict[str, bool]:
    """What a person thinks of a run."""
    return await _keep(call, FEEDBACK, call.body["feedback"])


async def _forget(call: Call, table: Table, ids: list[str]) -> dict[str, bool]:
    for one in ids:
        row = await call.mastra.storage.get(table, check_id(one))
        if row is not None and call.mine(row.get("resourceId")):
            await call.mastra.storage.write([Delete(table, one)])
    return {"success": True}


async def forget_scores(call: Call) -> dict[str, bool]:
    """Remove scores; those of others are not there."""
    return await _forget(call, SCORES, call.body["scoreIds"])


async def forget_feedback(call: Call) -> dict[str, bool]:
    """Remove feedback; that of others is not there."""
    return await _forget(call, FEEDBACK, call.body["feedbackIds"])


async def _one(call: Call, table: Table, id: str, what: str) -> Row:
    row = await call.mastra.storage.get(table, check_id(id))
    if row is None or not call.mine(row.get("resourceId")):
        raise NotFound(f"{what} with ID '{id}' not found")
    return row


async def get_score(call: Call) -> Row:
    """One score."""
    return {"score": await _one(call, SCORES, call.params["scoreId"], "Score")}


async def review(call: Call) -> Row:
    """Say whether somebody has looked at a piece of feedback."""
    row = await _one(call, FEEDBACK, call.params["feedbackId"], "Feedback")
    row = {**row, "reviewStatus": call.body["reviewStatus"]}
    await call.mastra.storage.write([Put(FEEDBACK, row["feedbackId"], row)])
    return row


# ---------------------------------------------------------------- lists

_PAGING = frozenset({"page", "perPage", "field", "direction", "mode", "after", "limit", "requestContext", "apiKey"})


def _page(call: Call, key: str, rows: list[Row]) -> Row:
    query = call.query
    page, per_page = query.get("page") or 0, query.get("perPage") or 10
    rows = sorted(rows, key=lambda row: str(row["timestamp"]), reverse=query.get("direction", "DESC") == "DESC")
    shown, count = rows[page * per_page : (page + 1) * per_page], len(rows)
    paging = {"total": count, "page": page, "perPage": per_page, "hasMore": (page + 1) * per_page < count}
    return {"pagination": paging, key: shown}


def _asked(call: Call) -> Row:
    return _filters(call, {key: value for key, value in call.query.items() if key not in _PAGING})


async def list_metrics(call: Call) -> Row:
    """Metrics one by one, newest first."""
    return _page(call, "metrics", await _metrics(call, _asked(call)))


async def list_scores(call: Call) -> Row:
    """Scores that were given, newest first."""
    return _page(call, "scores", await _rows(call, SCORES, _asked(call)))


async def list_feedback(call: Call) -> Row:
    """Feedback, newest first."""
    return _page(call, "feedback", await _rows(call, FEEDBACK, _asked(call)))


async def list_logs(call: Call) -> Row:
    """The newest records of this process, joined to traces and runs; they belong to nobody in particular."""
    if call.bound is not None:
        raise AccessDenied("Access denied: logs belong to everybody; ask an administrator")
    if call.state.logs is None:
        raise Refused(500, {"error": "This storage provider does not support listing logs"})
    rows = [
        {
            "logId": f"{place}",
            "timestamp": row["time"],
            "level": {"warning": "warn", "critical": "fatal"}.get(row["level"], row["level"]),
            "message": row["msg"],
            "data": {"logger": row["name"]},
            "traceId": row.get("traceId"),
            "runId": row.get("runId"),
        }
        for place, row in enumerate(reversed(await call.state.find_logs()))
    ]
    filters = _asked(call)
    return _page(call, "logs", [row for row in rows if points.fits(row, filters)])


# ---------------------------------------------------------------- sums


async def _found(call: Call, table: Table | None, filters: Row) -> list[Row]:
    body = call.body
    if table is None:
        names = body["name"]
        return await _metrics(call, filters, [names] if isinstance(names, str) else names)
    _, kind = _IDS[table.name]
    source = body.get("feedbackSource" if table is FEEDBACK else "scoreSource")
    return await _points(call, table, filters, body[kind], source)


async def _aggregate(table: Table | None, call: Call) -> Row:
    body, filters = call.body, _filters(call, call.body.get("filters"))
    value = points.total(await _found(call, table, filters), body["aggregation"], body.get("distinctColumn"))
    out: Row = {"value": value}
    if table is None:
        out.update(estimatedCost=None, costUnit=None)
    period = body.get("comparePeriod")
    if period:
        before = points.earlier(filters, period)
        held = [] if before is None else await _found(call, table, before)
        out["previousValue"] = None if before is None else points.total(held, body["aggregation"])
        out["changePercent"] = points.change(value, out["previousValue"])
    return out


async def _breakdown(table: Table | None, call: Call) -> Row:
    body = call.body
    held = await _found(call, table, _filters(call, body.get("filters")))
    return {"groups": points.groups(held, body["groupBy"], body["aggregation"], body.get("distinctColumn"))}


async def _timeseries(table: Table | None, call: Call) -> Row:
    body = call.body
    keys = body.get("groupBy") or []

    def name(point: points.Point) -> str:
        return "|".join([point["name"], *(points.dimension(point, key) or "" for key in keys)])

    held = await _found(call, table, _filters(call, body.get("filters")))
    return {"series": points.series(held, body["interval"], body["aggregation"], name, body.get("distinctColumn"))}


async def _percentiles(table: Table | None, call: Call) -> Row:
    body = call.body
    held = await _found(call, table, _filters(call, body.get("filters")))
    return {"series": points.percentiles(held, body["percentiles"], body["interval"])}


# ---------------------------------------------------------------- what there is


async def metric_names(call: Call) -> Row:
    """The names of metrics that have values."""
    prefix, limit = call.query.get("prefix") or "", call.query.get("limit") or 1_000
    names = {one["name"] for one in await _metrics(call, _filters(call, None))}
    return {"names": sorted(name for name in names if name.startswith(prefix))[:limit]}


async def label_keys(call: Call) -> Row:
    """The labels that a metric has."""
    held = await _metrics(call, _filters(call, None), [call.query["metricName"]])
    return {"keys": sorted({key for one in held for key in one["labels"]})}


async def label_values(call: Call) -> Row:
    """The values that a label of a metric has."""
    query = call.query
    held = await _metrics(call, _filters(call, None), [query["metricName"]])
    values = {value for one in held if (value := points.dimension(one, query["labelKey"])) is not None}
    prefix, limit = query.get("prefix") or "", query.get("limit") or 1_000
    return {"values": sorted(value for value in values if value.startswith(prefix))[:limit]}


async def tags(call: Call) -> Row:
    """The tags that spans have."""
    mine: Filter = {} if call.bound is None else {"resourceId": call.bound}
    rows = await newest(call.mastra.storage, SPANS, mine, "startedAt")
    kind = call.query.get("entityType")
    held = [row for row in rows if kind is None or row["entityType"] == kind]
    return {"tags": sorted({tag for row in held for tag in row["tags"] or ()})}


_TOP = "/observability"
_TABLES: dict[str, Table | None] = {"metrics": None, "scores": SCORES, "feedback": FEEDBACK}
_SUMS = {"aggregate": _aggregate, "breakdown": _breakdown, "timeseries": _timeseries, "percentiles": _percentiles}
ROUTES: Mapping[str, Any] = {
    f"GET {_TOP}/metrics": list_metrics,
    f"GET {_TOP}/logs": list_logs,
    f"GET {_TOP}/scores": list_scores,
    f"POST {_TOP}/scores": keep_score,
    f"DELETE {_TOP}/scores": forget_scores,
    f"GET {_TOP}/scores/:scoreId": get_score,
    f"GET {_TOP}/feedback": list_feedback,
    f"POST {_TOP}/feedback": keep_feedback,
    f"DELETE {_TOP}/feedback": forget_feedback,
    f"PATCH {_TOP}/feedback/:feedbackId/review-status": review,
    f"GET {_TOP}/discovery/metric-names": metric_names,
    f"GET {_TOP}/discovery/metric-label-keys": label_keys,
    f"GET {_TOP}/discovery/metric-label-values": label_values,
    f"GET {_TOP}/discovery/tags": tags,
    **{
        f"POST {_TOP}/{what}/{name}": partial(handler, table)
        for what, table in _TABLES.items()
        for name, handler in _SUMS.items()
    },
}
