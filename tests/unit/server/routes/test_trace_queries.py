"""Queries over the traces of runs that really ran, with their pages, their owners and what can be asked for."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.wire.wire_application import make

from mastra.runtime.span_store import SpanStore
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.types.spans import SpanRecord
from mastra.types.times import to_wire

TOP = "/api/observability"


def day(**more):
    now = datetime.now(UTC)
    return {"timeRange": {"from": to_wire(now - timedelta(hours=1)), "to": to_wire(now + timedelta(hours=1))}, **more}


def is_(path, literal, op="eq"):
    return {"op": op, "left": {"path": path}, "right": {"literal": literal}}


@pytest.fixture
async def app():
    keys = {"k-admin": {"id": "root", "roles": ["admin"]}, "k-ann": {"id": "ann", "roles": ["member"]},
            "k-bob": {"id": "bob", "roles": ["member"]}}  # fmt: skip
    app = create_app(make(storage="memory:", telemetry=True), auth=StaticKeys(keys))
    await app.startup()
    yield app
    await app.shutdown()


@pytest.fixture
async def asks(app):
    """Asks as one of them; the runs of all are stored."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:

        async def ask(path, body, who="admin", status=200):
            head = {"authorization": f"Bearer k-{who}"}
            got = await client.post(path if path.startswith("/api") else TOP + path, json=body, headers=head)
            assert got.status_code == status, got.text
            return got.json()

        for who, text, thread in (("ann", "Hello", "t-a"), ("ann", "weather", "t-a"), ("bob", "fail-please", "t-b")):
            body = {"messages": text, "memory": {"thread": thread, "resource": who},
                    "tracingOptions": {"metadata": {"team": who}}}  # fmt: skip
            await ask("/api/agents/assistant/generate", body, who, 500 if text == "fail-please" else 200)
        await app.mastra.telemetry.flush()
        yield ask


async def test_traces_are_found_by_what_is_in_them(asks):
    whole = await asks("/traces/query", day())
    assert [one["inputPreview"] for one in whole["traces"]] == ["fail-please", "weather", "Hello"]
    assert whole["page"] == {"next": None}
    assert {one["entityName"] for one in whole["traces"]} == {"assistant"}
    failed = await asks("/traces/query", day(where=is_("status", "error")))
    assert [one["inputPreview"] for one in failed["traces"]] == ["fail-please"]
    called = await asks("/traces/query", day(where={"spans": {"some": is_("spanType", "tool_call")}}))
    assert [one["inputPreview"] for one in called["traces"]] == ["weather"]
    old = {"timeRange": {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}}
    assert (await asks("/traces/query", old))["traces"] == []


async def test_a_score_or_a_word_of_a_person_finds_its_trace(asks):
    trace = (await asks("/traces/query", day()))["traces"][-1]
    await asks("/scores", {"score": {"traceId": trace["traceId"], "scorerId": "kind", "score": 0.9}})
    await asks("/feedback", {"feedback": {"traceId": trace["traceId"], "feedbackType": "thumb", "value": "up",
                                          "feedbackSource": "user"}})  # fmt: skip
    for where in ({"scores": {"some": is_("score", 0.5, "gt")}}, {"feedback": {"some": is_("value", "up")}}):
        found = await asks("/traces/query", day(where=where))
        assert [one["traceId"] for one in found["traces"]] == [trace["traceId"]]


async def test_pages_go_on_where_the_last_one_ended(asks):
    body = day(orderBy=[{"field": "startedAt", "direction": "asc"}])
    first = await asks("/traces/query", {**body, "page": {"limit": 2}})
    second = await asks("/traces/query", {**body, "page": {"limit": 2, "after": first["page"]["next"]}})
    seen = [one["inputPreview"] for page in (first, second) for one in page["traces"]]
    assert seen == ["Hello", "weather", "fail-please"]
    assert second["page"]["next"] is None
    other = {**body, "where": is_("status", "error"), "page": {"after": first["page"]["next"]}}
    assert (await asks("/traces/query", other, status=409))["code"] == "TRACE_QUERY_CURSOR_CONFLICT"
    for junk in ("x", "bnVsbA==", "W10="):
        refused = await asks("/traces/query", {**body, "page": {"after": junk}}, status=400)
        assert refused["code"] == "TRACE_QUERY_CURSOR_MALFORMED"
    numbered = await asks("/traces/query", {**body, "pagination": {"page": 1, "perPage": 2}})
    assert [one["inputPreview"] for one in numbered["traces"]] == ["fail-please"]
    assert numbered["pagination"] == {"total": 3, "page": 1, "perPage": 2, "hasMore": False}


async def test_a_trace_that_still_runs_has_its_place_in_the_order_of_ends(app, asks):
    running = SpanRecord("f" * 32, "e" * 16, None, "slow", "agent_run", datetime.now(UTC), None, {})
    await SpanStore(app.mastra.storage).export([running])
    for direction, place in (("asc", 0), ("desc", -1)):
        body = day(orderBy=[{"field": "endedAt", "direction": direction}], page={"limit": 2})
        first = await asks("/traces/query", body)
        second = await asks("/traces/query", {**body, "page": {"limit": 2, "after": first["page"]["next"]}})
        found = [one["traceId"] for page in (first, second) for one in page["traces"]]
        assert found[place] == running.trace_id
        assert len(set(found)) == 4


async def test_only_what_is_new_comes_after_a_delta_cursor(app, asks):
    body = day()
    known = await asks("/traces/query", {**body, "pagination": {}})
    nothing = await asks("/traces/query", {**body, "mode": "delta", "after": known["deltaCursor"]})
    assert nothing["traces"] == []
    assert nothing["deltaCursor"] == known["deltaCursor"]
    await asks("/api/agents/assistant/generate", {"messages": "Hello"})
    await app.mastra.telemetry.flush()
    news = await asks("/traces/query", {**body, "mode": "delta", "after": known["deltaCursor"], "limit": 1})
    assert len(news["traces"]) == 1
    assert news["delta"] == {"limit": 1, "hasMore": False}


async def test_threads_by_their_traces(asks):
    grouped = await asks("/traces/query", day(group={"by": ["threadId"]}))
    assert grouped["groups"] == [{"threadId": "t-a"}, {"threadId": "t-b"}]
    body = {"traces": day(), "where": {"traces": {"none": is_("status", "error")}}}
    assert (await asks("/threads/query", body))["threads"] == [{"threadId": "t-a"}]
    body = {"traces": day()}
    one = await asks("/threads/query", {**body, "page": {"limit": 1}})
    two = await asks("/threads/query", {**body, "page": {"limit": 1, "after": one["page"]["next"]}})
    assert (one["threads"], two["threads"]) == ([{"threadId": "t-a"}], [{"threadId": "t-b"}])


async def test_fields_and_their_values(asks):
    fields = await asks("/traces/query/fields", day(predicateScope="trace"))
    assert {key: value for key, value in fields["observedFields"][0].items() if key != "operators"} == {
        "path": "metadata.team",
        "valueKind": "string",
        "valueSuggestions": True,
        "occurrences": 3,
    }
    assert fields["observedFieldsTruncated"] is False
    named = await asks("/traces/query/fields", day(predicateScope="spans", search="Duration"))
    assert [(one["path"], one["valueKind"]) for one in named["canonicalFields"]] == [("durationMs", "number")]
    teams = await asks("/traces/query/values", day(predicateScope="trace", path="metadata.team"))
    assert teams == {"values": [{"value": "ann", "count": 2}, {"value": "bob", "count": 1}], "valuesTruncated": False}
    kinds = await asks("/traces/query/values", day(predicateScope="spans", path="spanType", search="TOOL", limit=1))
    assert kinds["values"] == [{"value": "tool_call", "count": 1}]
    await asks("/traces/query/values", day(predicateScope="trace", path="traceId"), status=422)


async def test_nobody_sees_the_traces_of_others(asks):
    assert len((await asks("/traces/query", day(), "ann"))["traces"]) == 2
    assert (await asks("/threads/query", {"traces": day()}, "bob"))["threads"] == [{"threadId": "t-b"}]
    teams = await asks("/traces/query/values", day(predicateScope="trace", path="metadata.team"), "bob")
    assert [one["value"] for one in teams["values"]] == ["bob"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"timeRange": {"from": "soon", "to": "later"}}, "invalid_request"),
        ({"timeRange": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}, "invalid_time_range"),
        ({"timeRange": {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}}, "time_range_too_large"),
        (day(group={"by": ["threadId"]}, orderBy=[{"field": "startedAt", "direction": "asc"}]),
         "group_order_not_supported"),
        (day(where=is_("input", "x")), "field_not_allowed"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_query_is_told(asks, body, code):
    told = await asks("/traces/query", body, status=422)
    assert told["code"] == "TRACE_QUERY_INVALID"
    assert told["issues"][0]["code"] == code
