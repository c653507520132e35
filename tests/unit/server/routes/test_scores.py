"""Scorers as they are described, and the scores that they give to stored traces."""

import httpx
import pytest

from mastra import Agent, Mastra
from mastra.evals.scorer import create_scorer
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app

length = (
    create_scorer("length", name="Length", description="How long")
    .generate_score(lambda run: float(len(run.output_text)))
    .generate_reason(lambda run: run.input_text)
)


@pytest.fixture
async def app():
    judged = {"length": {"scorer": length, "sampling": {"type": "ratio", "rate": 0.0}}}
    agents = [Agent("judged", model="scripted/Hello", scorers=judged), Agent("free", model="scripted/Hi")]
    keys = {"k-admin": {"id": "root", "roles": ["admin"]}, "k-ann": {"id": "ann", "roles": ["member"]},
            "k-bob": {"id": "bob", "roles": ["member"], "permissions": ["observability:write"]}}  # fmt: skip
    app = create_app(
        Mastra(agents=agents, scorers={"length": length}, storage="memory:", telemetry=True), auth=StaticKeys(keys)
    )
    await app.startup()
    yield app
    await app.shutdown()


@pytest.fixture
async def http(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def key(who):
    return {"authorization": f"Bearer k-{who}"}


async def test_a_scorer_is_told_with_its_steps_and_who_uses_it(http):
    told = (await http.get("/api/scores/scorers/length", headers=key("admin"))).json()
    assert [step["name"] for step in told["scorer"]["steps"]] == ["generateScore", "generateReason"]
    assert told["sampling"] == {"type": "ratio", "rate": 0.0}
    assert told["agentIds"] == ["judged"]


async def ran(app, http, who):
    await http.post("/api/agents/free/generate", json={"messages": "How are you?"}, headers=key(who))
    await app.mastra.telemetry.flush()
    traces = (await http.get("/api/observability/traces", headers=key("admin"))).json()["spans"]
    return traces[0]


async def score(app, http, who, *targets):
    body = {"scorerName": "length", "targets": list(targets)}
    got = await http.post("/api/observability/traces/score", json=body, headers=key(who))
    assert got.status_code == 200, got.text
    await app.mastra.services.background.settle()
    found = await http.get("/api/scores/scorer/length", headers=key("admin"))
    return got.json(), found.json()["scores"]


async def test_a_stored_trace_is_judged(app, http):
    root = await ran(app, http, "ann")
    told, scores = await score(app, http, "admin", {"traceId": root["traceId"]})
    assert told == {"status": "success", "message": "Scoring started for 1 trace", "traceCount": 1}
    (row,) = scores
    assert (row["score"], row["reason"]) == (2, "How are you?")
    wanted = {"traceId": root["traceId"], "spanId": root["spanId"], "runId": root["runId"], "entityType": "AGENT",
              "entityId": "free", "source": "TEST"}  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted


async def test_what_is_not_there_or_somebody_elses_is_not_judged(app, http):
    root = await ran(app, http, "ann")
    _, scores = await score(app, http, "bob", {"traceId": root["traceId"]})
    assert scores == []
    told, scores = await score(
        app, http, "admin", {"traceId": "0" * 32}, {"traceId": root["traceId"], "spanId": "0" * 16}
    )
    assert (told["message"], scores) == ("Scoring started for 2 traces", [])
    unknown = {"scorerName": "other", "targets": []}
    got = await http.post("/api/observability/traces/score", json=unknown, headers=key("admin"))
    assert got.status_code == 404
