"""The authorisation matrix, made from the route table: every route, every kind of caller, somebody's ids everywhere."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from tests.wire.examples import body_of, is_endless, path_of, query_of
from tests.wire.wire_application import make

from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.server.options import ServerOptions
from mastra.storage.memory import MemoryStorage

CANARY = "canary-of-ann"
# What stands in her things and in nothing else: texts, an amount, the question that waits.
HERS = (CANARY, "734519", "ann-record")
KEYS = {
    "ann": {"id": "ann", "tenant": "acme"},
    "bob": {"id": "bob", "tenant": "acme"},
    "eve": {"id": "ann", "tenant": "evil"},  # the same id in another tenant
    "viewer": {"id": "vic", "tenant": "acme", "roles": ["viewer"]},
    "admin": {"id": "root", "tenant": "acme", "roles": ["admin"]},
    "owner": {"id": "boss", "tenant": "acme", "roles": ["owner"]},
}
FOREIGN = ("bob", "eve", "viewer")


def headers(name):
    return {"authorization": f"Bearer key-{name}"} if name else {}


class House:
    """A served application in which ann has one of everything."""

    def __init__(self):
        keys = StaticKeys({f"key-{name}": facts for name, facts in KEYS.items()})
        self.mastra = make(storage="memory:", telemetry=True)
        secret = [Answer(calls=(Call("delete_record", {"id": "ann-record"}),)), Answer(text="done")]
        self.mastra.agents["guarded"].model = ScriptedModel(secret, per_run=True)
        options = ServerOptions(auth=keys, keep_logs=True)
        self.app = create_app(self.mastra, options)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost")
        self.ids = {}

    async def ask(self, who, method, path, body=None, query=None):
        async with asyncio.timeout(20):
            return await self.http.request(method, path, json=body, params=query, headers=headers(who))

    async def furnish(self):
        """Things of ann, each with the canary in it."""
        await self.app.startup()
        text = f"the secret {CANARY}"
        memory = {"thread": "ann-thread", "resource": "ann"}
        run = await self.ask(
            "ann", "POST", "/api/agents/guarded/generate", {"messages": text, "memory": memory, "runId": "ann-run"}
        )
        assert run.json()["finishReason"] == "suspended"
        kept = {"agent_id": "assistant", "input": CANARY, "store": True, "conversation_id": "ann-thread"}
        response = await self.ask("ann", "POST", "/api/v1/responses", kept)
        thread = await self.ask("ann", "GET", "/api/memory/threads/ann-thread/messages?agentId=guarded")
        flow = {"inputData": {"amount": 734519}}
        await self.ask("ann", "POST", "/api/workflows/approval-flow/start-async?runId=ann-flow", flow)
        assert self.mastra.telemetry is not None
        await self.mastra.telemetry.flush()
        traces = await self.ask("ann", "GET", "/api/observability/traces")
        rows = [row for row in traces.json()["spans"] if CANARY in json.dumps(row)]
        self.ids = {
            "threadId": "ann-thread",
            "resourceId": "acme:ann",
            "runId": "ann-run",
            "agentId": "guarded",
            "workflowId": "approval-flow",
            "toolId": "get_weather",
            "vectorName": "main",
            "indexName": "things",
            "responseId": response.json()["id"],
            "messageId": thread.json()["messages"][0]["id"],
            "traceId": rows[0]["traceId"],
            "spanId": rows[0]["spanId"],
            "entityId": "guarded",
            "toolCallId": "call-0",
        }

    def hers(self):
        """All rows that hold something of ann's; spans and the like that others add do not count."""
        found = {}
        assert isinstance(self.mastra.storage, MemoryStorage)
        tables = self.mastra.storage._tables
        for (_, table), rows in tables.items():
            for key, row in rows.texts.items():
                if any(text in row for text in HERS) or "acme:ann" in row or key.startswith("ann-"):
                    found[table, key] = row
        return found


@pytest.fixture
async def house():
    made = House()
    await made.furnish()
    yield made
    await made.http.aclose()
    await made.app.shutdown()


def request_of(route, house, *, flow):
    ids = {**house.ids, "runId": "ann-flow"} if flow else house.ids
    shapes = house.app.state.table.shapes
    body = None
    if route.method != "GET" and route.body is not None:
        body = body_of(route.body, ids, shapes)
    return route.method if route.method != "ALL" else "POST", path_of(route, ids), body, query_of(route, ids, shapes)


def told(answer):
    """What an answer says went wrong, in the protocol's shape or in OpenAI's."""
    error = answer.json()["error"]
    return error["message"] if isinstance(error, dict) else error


def routes(house):
    for route in house.app.state.table:
        if not is_endless(route):
            yield route, "workflow" in route.path


async def test_without_a_token_only_public_routes_answer(house):
    for route in house.app.state.table:
        for token in (None, "stranger"):
            method, path, body, query = request_of(route, house, flow=False)
            got = await house.ask(token, method, path, body, query)
            house.app.state.guesses = type(house.app.state.guesses)(house.app.options.guess_rate)
            if route.public:
                assert got.status_code != 401, route.key
            else:
                assert (got.status_code, told(got)) == (401, "Invalid or expired token"), route.key


async def test_a_role_without_the_permission_is_refused(house):
    table = house.app.state.table
    for name, facts in KEYS.items():
        roles = facts.get("roles") or ["member"]
        who = await house.app.options.auth.authenticate(f"key-{name}")
        assert list(who.roles) == roles
        for route in table:
            if route.public or not route.permissions or any(who.may(one) for one in route.permissions):
                continue
            method, path, body, query = request_of(route, house, flow=False)
            got = await house.ask(name, method, path, body, query)
            assert got.status_code == 403, (name, route.key, got.status_code)
            assert told(got) == "Forbidden", (name, route.key)


@pytest.mark.parametrize("name", FOREIGN)
async def test_nobody_else_sees_or_changes_what_is_hers(house, name):
    deviations = []
    for route, flow in routes(house):
        before = house.hers()
        method, path, body, query = request_of(route, house, flow=flow)
        got = await house.ask(name, method, path, body, query)
        if any(text in got.text for text in HERS):
            deviations.append(f"{route.key}: {name} reads it")
        after = house.hers()
        deviations += [f"{route.key}: {name} changed {row}" for row in before if after.get(row) != before[row]]
    assert deviations == []


@pytest.mark.parametrize("name", ["admin", "owner"])
async def test_who_is_bound_to_no_resource_is_let_in(house, name):
    for route, flow in routes(house):
        if route.method != "GET" or route.is_open:
            continue
        method, path, body, query = request_of(route, house, flow=flow)
        got = await house.ask(name, method, path, body, query)
        assert got.status_code not in {401, 403}, (route.key, got.text)
    messages = await house.ask(name, "GET", "/api/memory/threads/ann-thread/messages?agentId=guarded")
    assert CANARY in messages.text


async def test_she_herself_reaches_all_of_it(house):
    seen = set()
    for route, flow in routes(house):
        if route.method != "GET" or route.is_open:
            continue
        method, path, body, query = request_of(route, house, flow=flow)
        got = await house.ask("ann", method, path, body, query)
        if any(text in got.text for text in HERS):
            seen.add(route.path)
    expected = {
        "/memory/threads/:threadId/messages",
        "/observability/traces/:traceId",
        "/v1/conversations/:conversationId/items",
        "/workflows/:workflowId/runs/:runId",
        "/agents/:agentId/suspended-runs",
    }
    assert expected <= seen, sorted(expected - seen)
