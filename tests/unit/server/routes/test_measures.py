"""Metrics of runs that really ran; scores and feedback with their owners."""

import httpx
import pytest
from tests.wire.wire_application import make

from mastra.server.auth import StaticKeys
from mastra.server.http import create_app

TOP = "/api/observability"


@pytest.fixture
async def app():
    mastra = make(storage="memory:", telemetry=True)
    app = create_app(mastra, keep_logs=True)
    await app.startup()
    yield app
    await app.shutdown()


@pytest.fixture
async def http(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


async def post(http, path, body, **more):
    got = await http.post(TOP + path, json=body, **more)
    assert got.status_code == 200, got.text
    return got.json()


async def test_metrics_of_runs(app, http):
    for text in ("Hello", "weather", "fail-please"):
        await http.post("/api/agents/assistant/generate", json={"messages": text})
    await app.mastra.telemetry.flush()
    names = (await http.get(f"{TOP}/discovery/metric-names")).json()["names"]
    assert {"mastra_agent_duration_ms", "mastra_tool_duration_ms", "mastra_model_total_input_tokens"} <= set(names)
    runs = {"name": ["mastra_agent_duration_ms"]}
    assert (await post(http, "/metrics/aggregate", {**runs, "aggregation": "count"}))["value"] == 3
    tokens = {"name": ["mastra_model_total_input_tokens"], "aggregation": "sum"}
    assert (await post(http, "/metrics/aggregate", tokens))["value"] == 30
    by_status = await post(
        http, "/metrics/breakdown", {**runs, "groupBy": ["entityName", "status"], "aggregation": "count"}
    )
    assert by_status["groups"][0] == {"dimensions": {"entityName": "assistant", "status": "success"}, "value": 2}
    lines = await post(http, "/metrics/timeseries", {**runs, "interval": "1d", "aggregation": "count"})
    assert [one["value"] for one in lines["series"][0]["points"]] == [3]
    high = await post(
        http, "/metrics/percentiles", {"name": runs["name"][0], "percentiles": [0.5, 1], "interval": "1d"}
    )
    middle, most = (line["points"][0]["value"] for line in high["series"])
    assert 0 <= middle <= most
    listed = (await http.get(f"{TOP}/metrics", params={"perPage": 2, "entityType": "agent"})).json()
    assert listed["pagination"]["hasMore"]
    tools = (await http.get(f"{TOP}/metrics", params={"perPage": 2, "entityType": "tool"})).json()
    assert tools["pagination"] == {"total": 1, "page": 0, "perPage": 2, "hasMore": False}
    values = await http.get(
        f"{TOP}/discovery/metric-label-values", params={"metricName": runs["name"][0], "labelKey": "status"}
    )
    assert values.json() == {"values": ["error", "success"]}
    nothing = {"timestamp": {"start": "2099-01-01T00:00:00Z", "end": "2099-01-02T00:00:00Z"}}
    none = await post(
        http, "/metrics/aggregate", {**runs, "aggregation": "avg", "filters": nothing, "comparePeriod": "previous_day"}
    )
    assert (none["value"], none["previousValue"], none["changePercent"]) == (None, None, None)


async def test_feedback_and_scores(http):
    for value, who in ((1, "ann"), (1, "bob"), (-1, "ann")):
        await post(
            http,
            "/feedback",
            {"feedback": {"feedbackType": "thumbs", "value": value, "traceId": "t1", "feedbackSource": who}},
        )
    await post(http, "/feedback", {"feedback": {"feedbackType": "comment", "value": "fine", "feedbackId": "f1"}})
    listed = (await http.get(f"{TOP}/feedback", params={"traceId": "t1"})).json()
    assert listed["pagination"]["total"] == 3
    thumbs = {"feedbackType": "thumbs", "aggregation": "sum"}
    assert (await post(http, "/feedback/aggregate", thumbs))["value"] == 1
    assert (await post(http, "/feedback/aggregate", {**thumbs, "feedbackSource": "ann"}))["value"] == 0
    grouped = await post(http, "/feedback/breakdown", {**thumbs, "aggregation": "count", "groupBy": ["feedbackSource"]})
    assert [(one["dimensions"]["feedbackSource"], one["value"]) for one in grouped["groups"]] == [
        ("ann", 2),
        ("bob", 1),
    ]
    reviewed = await http.patch(f"{TOP}/feedback/f1/review-status", json={"reviewStatus": "reviewed"})
    assert reviewed.json()["reviewStatus"] == "reviewed"
    gone = await http.request("DELETE", f"{TOP}/feedback", json={"feedbackIds": ["f1", "nope"]})
    assert gone.json() == {"success": True}
    assert (await http.patch(f"{TOP}/feedback/f1/review-status", json={"reviewStatus": "reviewed"})).status_code == 404
    await post(http, "/scores", {"score": {"scorerId": "quality", "score": 0.8, "scoreId": "s1", "traceId": "t1"}})
    assert (await http.get(f"{TOP}/scores/s1")).json()["score"]["scorerName"] == "quality"
    assert (await post(http, "/scores/aggregate", {"scorerId": "quality", "aggregation": "avg"}))["value"] == 0.8
    assert (await http.get(f"{TOP}/scores/s2")).status_code == 404


async def test_logs_of_this_process(app, http):
    await http.post("/api/agents/assistant/generate", json={"messages": "fail-please"})
    logs = (await http.get(f"{TOP}/logs", params={"level": "warn"})).json()["logs"]
    assert any("mock model failure" in row["message"] for row in logs)


async def test_they_belong_to_whom_the_token_names():
    keys = {"ka": {"id": "ann"}, "kb": {"id": "bob"}, "kr": {"id": "root", "roles": ["admin"]}}
    mastra = make(storage="memory:", telemetry=True)
    app = create_app(mastra, auth=StaticKeys({k: {**v, "permissions": ["observability:*"]} for k, v in keys.items()}))
    transport = httpx.ASGITransport(app)
    async with mastra, httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        ann, bob, root = ({"authorization": f"Bearer {key}"} for key in keys)
        told = {"feedbackType": "thumbs", "value": 1, "feedbackId": "f1", "resourceId": "bob"}
        await post(http, "/feedback", {"feedback": told}, headers=ann)
        assert (await http.get(f"{TOP}/feedback", headers=bob, params={"resourceId": "ann"})).json()["feedback"] == []
        assert (await http.get(f"{TOP}/feedback", headers=root)).json()["feedback"][0]["resourceId"] == "ann"
        stolen = await http.post(f"{TOP}/feedback", json={"feedback": told}, headers=bob)
        assert stolen.status_code == 403
        await http.request("DELETE", f"{TOP}/feedback", json={"feedbackIds": ["f1"]}, headers=bob)
        assert (await http.get(f"{TOP}/feedback", headers=ann)).json()["pagination"]["total"] == 1
        await http.post("/api/agents/assistant/generate", json={"messages": "Hello"}, headers=ann)
        assert mastra.telemetry is not None
        await mastra.telemetry.flush()
        runs = {"name": ["mastra_agent_duration_ms"], "aggregation": "count"}
        assert (await post(http, "/metrics/aggregate", runs, headers=ann))["value"] == 1
        assert (await post(http, "/metrics/aggregate", runs, headers=bob))["value"] == 0
        assert (await http.get(f"{TOP}/logs", headers=bob)).status_code == 403
