"""Queries over stored traces: which traces and threads fit a predicate, and what a predicate can ask for."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from mastra.errors import InvalidInput
from mastra.evals.scorer import text_of
from mastra.evals.scores import SCORES as LIVE_SCORES
from mastra.runtime.span_store import SPANS
from mastra.server.problems import Refused
from mastra.server.routes.measures import FEEDBACK, SCORES, newest
from mastra.server.trace_query import (
    FIELDS,
    OPERATORS,
    Fault,
    Place,
    Reading,
    Trace,
    field_of,
    plain_path,
    value_of,
)
from mastra.types.json import dumps
from mastra.types.times import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mastra.server.call import Call
    from mastra.server.trace_query import Scope

Row = dict[str, Any]
LONGEST = timedelta(days=31)
PREVIEW = 200
_CURSOR = TypeAdapter(tuple[str, list[str]])


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        issues = [one.to_wire() for one in faults]
        raise Refused(422, {"code": "TRACE_QUERY_INVALID", "message": "The trace query is invalid", "issues": issues})


def _times(given: Row, place: Place, faults: list[Fault]) -> dict[str, str]:
    """The bounds of the time that is asked about, as storage compares them."""
    try:
        start, end = from_wire(given["from"]), from_wire(given["to"])
    except InvalidInput as error:
        faults.append(Fault("invalid_request", place, error.message))
        return {}
    if start >= end:
        faults.append(Fault("invalid_time_range", place, "`from` must be earlier than `to`"))
    elif end - start > LONGEST:
        faults.append(Fault("time_range_too_large", place, "The time range cannot exceed 31 days"))
    return {"$gte": to_wire(start), "$lt": to_wire(end)}


async def _traces(call: Call, times: dict[str, str], scopes: set[str]) -> list[Trace]:
    """The traces that began in this time, with the collections that are asked about; only the caller's own."""
    owner = call.bound
    mine: Row = {} if owner is None else {"resourceId": owner}
    storage, roots = call.mastra.storage, {}
    for row in await newest(storage, SPANS, {**mine, "root": True, "startedAt": times}, "startedAt"):
        # Calls with one `traceparent` share a trace; the earliest of their roots, read last, stands for it.
        roots[row["traceId"]] = row
    held: dict[str, dict[str, list[Row]]] = {scope: defaultdict(list) for scope in ("spans", "scores", "feedback")}
    since = {"$gte": times["$gte"]}
    if "spans" in scopes:
        for row in await newest(storage, SPANS, {**mine, "startedAt": since}, "startedAt"):
            held["spans"][row["traceId"]].append(row)
    if "scores" in scopes:
        for row in await newest(storage, SCORES, {**mine, "timestamp": since}, "timestamp"):
            held["scores"][row.get("traceId") or ""].append(row)
        for row in await newest(storage, LIVE_SCORES, {"createdAt": since}, "createdAt"):
            if owner is None or row.get("resourceId") == owner:
                told = {**row, "timestamp": row["createdAt"], "scoreSource": row.get("source")}
                held["scores"][row.get("traceId") or ""].append(told)
    if "feedback" in scopes:
        for row in await newest(storage, FEEDBACK, {**mine, "timestamp": since}, "timestamp"):
            held["feedback"][row.get("traceId") or ""].append(row)
    return [
        Trace(root, held["spans"][trace_id], held["scores"][trace_id], held["feedback"][trace_id])
        for trace_id, root in roots.items()
    ]


# ---------------------------------------------------------------- pages


class _Pages:
    """Rows in the order of a key, read on from a cursor that belongs to one query only."""

    def __init__(self, query: Any, key: Callable[[Any], list[str]], *, descending: bool = False) -> None:
        self._digest = hashlib.sha256(dumps(query).encode()).hexdigest()[:32]
        self._key = key
        self._descending = descending

    def after(self, rows: list[Any], cursor: str | None) -> list[Any]:
        """The rows in order, those after the cursor."""
        ordered = sorted(rows, key=self._key, reverse=self._descending)
        if cursor is None:
            return ordered
        place = self._place(cursor)
        return [row for row in ordered if (self._key(row) < place if self._descending else self._key(row) > place)]

    def cursor(self, row: Any) -> str:
        """The cursor that stands on a row."""
        return base64.urlsafe_b64encode(dumps([self._digest, self._key(row)]).encode()).decode()

    def page(self, rows: list[Any], given: Row) -> tuple[list[Any], dict[str, str | None]]:
        """One page and where the next one begins."""
        limit = given.get("limit") or 100
        rest = self.after(rows, given.get("after"))
        return rest[:limit], {"next": self.cursor(rest[limit - 1]) if len(rest) > limit else None}

    def _place(self, cursor: str) -> list[str]:
        try:
            digest, place = _CURSOR.validate_json(base64.urlsafe_b64decode(cursor))
        except ValueError:
            told = {"code": "TRACE_QUERY_CURSOR_MALFORMED", "message": "The trace query cursor is malformed"}
            raise Refused(400, told) from None
        if digest != self._digest:
            told = {"code": "TRACE_QUERY_CURSOR_CONFLICT", "message": "The cursor does not match the query"}
            raise Refused(409, told)
        return place


def _shown(trace: Trace) -> Row:
    root = trace.root
    said = text_of(root.get("input"))
    names = ("traceId", "name", "entityId", "entityName", "entityType", "parentSpanId", "createdAt", "metadata",
             "threadId", "resourceId", "startedAt", "endedAt", "status")  # fmt: skip
    told = {name: root.get(name) for name in names}
    return {**told, "rootSpanId": root["spanId"], "inputPreview": said[:PREVIEW] or None, "environment": None}


# ---------------------------------------------------------------- the routes


async def query_traces(call: Call) -> Row:
    """The traces that fit, page by page; with `group`, the threads they belong to; with `mode: delta`, the new ones."""
    body, reading = call.body, Reading()
    times = _times(body["timeRange"], ("timeRange",), reading.faults)
    grouped, order = body.get("group") is not None, (body.get("orderBy") or [None])[0]
    if grouped and order is not None:
        reading.faults.append(Fault("group_order_not_supported", ("orderBy",), "Groups are in the order of threadId"))
    where = body.get("where")
    test = reading.where(where, "trace", ("where",)) if where is not None else None
    _refuse(reading.faults)
    found = [one for one in await _traces(call, times, reading.scopes) if test is None or test(one)]
    query = [times, where, grouped, order]
    if grouped:
        return _threads(found, query, body.get("page") or {}, "groups")
    if body.get("mode") == "delta":
        return _delta(found, query, body)
    field, direction = (order["field"], order["direction"]) if order is not None else ("startedAt", "desc")
    # A trace that still runs has no end: it comes before all that have.
    pages = _Pages(query, lambda one: [one.root[field] or "", one.root["traceId"]], descending=direction == "desc")
    if (asked := body.get("pagination")) is not None:
        page, per_page = asked.get("page") or 0, asked.get("perPage") or 10
        shown = pages.after(found, None)[page * per_page : (page + 1) * per_page]
        more = (page + 1) * per_page < len(found)
        paging = {"total": len(found), "page": page, "perPage": per_page, "hasMore": more}
        return {"traces": [_shown(one) for one in shown], "pagination": paging, **_newest(found, query)}
    shown, following = pages.page(found, body.get("page") or {})
    return {"traces": [_shown(one) for one in shown], "page": following}


def _stored(query: Any) -> _Pages:
    # In the order in which they were stored: a trace that ends late is still new to who has seen younger ones.
    return _Pages([query[:3], "delta"], lambda one: [one.root["createdAt"], one.root["traceId"]])


def _newest(found: list[Trace], query: Any) -> dict[str, str]:
    pages = _stored(query)
    return {"deltaCursor": pages.cursor(pages.after(found, None)[-1])} if found else {}


def _delta(found: list[Trace], query: Any, body: Row) -> Row:
    pages, limit, cursor = _stored(query), body.get("limit") or 10, body.get("after")
    rest = pages.after(found, cursor)
    shown = rest[:limit]
    here = pages.cursor(shown[-1]) if shown else cursor or ""
    delta = {"limit": limit, "hasMore": len(rest) > limit}
    return {"traces": [_shown(one) for one in shown], "delta": delta, "deltaCursor": here}


def _threads(found: list[Trace], query: Any, page: Row, key: str) -> Row:
    named = {one.root["threadId"] for one in found} - {None}
    shown, following = _Pages(query, lambda one: [one]).page(list(named), page)
    return {key: [{"threadId": one} for one in shown], "page": following}


async def query_threads(call: Call) -> Row:
    """The threads of the traces that fit; `where` looks at all those traces of a thread together."""
    body, reading = call.body, Reading()
    given, where = body["traces"], body.get("where")
    times = _times(given["timeRange"], ("traces", "timeRange"), reading.faults)
    chosen = given.get("where")
    test = reading.where(chosen, "trace", ("traces", "where")) if chosen is not None else None
    fits = reading.threads(where, ("where",)) if where is not None else None
    _refuse(reading.faults)
    by_thread: dict[str | None, list[Trace]] = defaultdict(list)
    for one in await _traces(call, times, reading.scopes):
        if test is None or test(one):
            by_thread[one.root["threadId"]].append(one)
    found = [traces[0] for traces in by_thread.values() if fits is None or fits(traces)]
    return _threads(found, [times, chosen, where], body.get("page") or {}, "threads")


async def _rows(call: Call, scope: Scope, times: dict[str, str]) -> list[Row]:
    traces = await _traces(call, times, set() if scope == "trace" else {scope})
    return (
        [dict(one.root) for one in traces]
        if scope == "trace"
        else [row for one in traces for row in getattr(one, scope)]
    )


async def query_fields(call: Call) -> Row:
    """The fields that a predicate may name, and the keys of metadata that traces have."""
    body, faults = call.body, list[Fault]()
    times, scope = _times(body["timeRange"], ("timeRange",), faults), body["predicateScope"]
    _refuse(faults)
    search, limit = (body.get("search") or "").strip().lower(), body.get("limit") or 25
    canonical = [
        {"path": path, "valueKind": one.kind, "operators": list(OPERATORS[one.kind]), "valueSuggestions": one.suggests}
        for path, one in FIELDS[scope].items()
        if search in path.lower()
    ]
    seen: Counter[str] = Counter()
    if scope == "trace":
        for row in await _rows(call, scope, times):
            seen.update(f"metadata.{key}" for key, value in (row["metadata"] or {}).items() if isinstance(value, str))
    observed = [
        {"path": path, "valueKind": "string", "operators": list(OPERATORS["string"]), "valueSuggestions": True,
         "occurrences": count}
        for path, count in sorted(seen.items(), key=lambda one: (-one[1], one[0]))
        if search in path.lower() and field_of("trace", path) is not None
    ]  # fmt: skip
    return {"canonicalFields": canonical, "observedFields": observed[:limit],
            "observedFieldsTruncated": len(observed) > limit}  # fmt: skip


async def query_values(call: Call) -> Row:
    """The values that a field has, the most frequent first."""
    body, faults = call.body, list[Fault]()
    times, scope = _times(body["timeRange"], ("timeRange",), faults), body["predicateScope"]
    path = plain_path(body["path"])
    known = field_of(scope, path)
    if known is None or not known.suggests:
        faults.append(Fault("invalid_request", ("path",), "Value suggestions are not available for this path"))
    _refuse(faults)
    search, limit = (body.get("search") or "").strip().lower(), body.get("limit") or 25
    values = (value_of(scope, path, row) for row in await _rows(call, scope, times))
    counts = Counter(value for value in values if isinstance(value, str) and search in value.lower())
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = [{"value": value, "count": count} for value, count in ordered[:limit]]
    return {"values": shown, "valuesTruncated": len(ordered) > limit}


_TOP = "/observability"
ROUTES = {
    f"POST {_TOP}/traces/query": query_traces,
    f"POST {_TOP}/traces/query/fields": query_fields,
    f"POST {_TOP}/traces/query/values": query_values,
    f"POST {_TOP}/threads/query": query_threads,
}
