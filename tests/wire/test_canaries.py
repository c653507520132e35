"""Forty secrets in every place that has one: none of them leaves in an answer, a log line, a span or a description."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
from tests.wire.examples import body_of, is_endless, path_of, query_of

from mastra import Agent, Mastra, Memory, Workflow, step, tool
from mastra.errors import ModelUnavailable
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.server.auth import Jwt, Several, StaticKeys
from mastra.server.http import create_app
from mastra.storage.memory import MemoryStorage
from mastra.testing.fault_server import FaultServer, Reply

SECRETS = [f"canary{number:02d}x7Qz9" for number in range(40)]
VENDORS = ("OPENAI", "ANTHROPIC", "GOOGLE", "MISTRAL", "COHERE", "GROQ", "DEEPSEEK", "XAI", "TOGETHER", "FIREWORKS")


def application(url):
    """An application that has been told thirty secrets, and whose parts fail with them in their mouths."""
    key, jwt, audit, broken, tool_error, step_error, model_error, body_error = SECRETS[:8]

    @tool
    async def leak(name: str) -> str:
        """Fails with what it knows."""
        raise RuntimeError(f"postgres://root:{tool_error}@db/{name}")

    @step(id="leak")
    async def leaking(input: dict) -> dict:
        raise ValueError(f"password={step_error}")

    def fails(request):
        raise RuntimeError(f"api_key={model_error}")

    def refuses(request):
        return ModelUnavailable("The model is overloaded.", details={"api_key": body_error}, retryable=False)

    calls = ScriptedModel([Answer(calls=(Call("leak", {"name": "x"}),)), Answer(text="done")], per_run=True)
    agents = [
        Agent("calls", model=calls, tools=[leak], memory=Memory()),
        Agent("fails", model=ScriptedModel([fails], per_run=True)),
        Agent("refuses", model=ScriptedModel([refuses], per_run=True)),
        Agent("remote", model={"id": "custom/m", "url": url, "api_key": broken}),
    ]
    workflow = Workflow("leaky", input=dict, output=dict).then(leaking).commit()
    mastra = Mastra(agents=agents, workflows=[workflow], tools=[leak], storage="memory:", telemetry=True)
    auth = Several([StaticKeys({key: {"id": "boss", "roles": ["owner"]}}), Jwt(secret=jwt * 3)])
    return mastra, create_app(mastra, auth=auth, audit=True, audit_secret=audit * 2, keep_logs=True, openapi=True)


async def everything(app, token):
    """What the server says to every route, asked for every agent."""
    said = []
    headers = {"authorization": f"Bearer {token}", "x-request-id": "plain"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as http:
        for agent in ("calls", "fails", "refuses", "remote"):
            ids = {"agentId": agent, "workflowId": "leaky", "toolId": "leak", "threadId": "t", "resourceId": "r"}
            for route in app.state.table:
                if is_endless(route):
                    continue
                if agent != "calls" and "agentId" not in route.path:
                    continue
                method = "POST" if route.method == "ALL" else route.method
                shapes = app.state.table.shapes
                body = body_of(route.body, ids, shapes) if route.body is not None and method != "GET" else None
                async with asyncio.timeout(20):
                    query = query_of(route, ids, shapes)
                    got = await http.request(method, path_of(route, ids), json=body, params=query)
                said.append((route.key, f"{got.headers} {got.text}"))
    return said


async def test_no_secret_leaves(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, "mastra")
    for vendor, secret in zip(
        (f"{name}{tail}" for name in VENDORS for tail in ("_API_KEY", "_TOKEN")), SECRETS[8:], strict=False
    ):
        monkeypatch.setenv(vendor, secret)
    for number, secret in enumerate(SECRETS[28:]):
        monkeypatch.setenv(f"APP_SECRET_{number}", secret)
    body = json.dumps({"error": {"message": f"Incorrect API key: {SECRETS[3]}"}}).encode()
    async with FaultServer(*[Reply(status=401, pieces=(body,))] * 50) as server:
        mastra, app = application(server.url)
        await app.startup()
        try:
            said = await everything(app, SECRETS[0])
            assert mastra.telemetry is not None
            await mastra.telemetry.flush()
        finally:
            await app.shutdown()
    assert len(said) > 400
    leaks = [f"{key}: {secret}" for key, text in said for secret in SECRETS if secret in text]
    assert not leaks, "\n".join(leaks)
    # Nothing but what code of somebody else's raised may stand in the machine's own log.
    raised = set(SECRETS[4:7])
    logged = [record.getMessage() for record in caplog.records]
    assert [line for line in logged if any(secret in line for secret in set(SECRETS) - raised)] == []
    assert isinstance(mastra.storage, MemoryStorage)
    rows = [row for rows in mastra.storage._tables.values() for row in rows.texts.values()]
    kept = [row[max(0, row.index(one) - 120) :][:200] for row in rows for one in SECRETS if one in row]
    assert not kept, "\n".join(kept)
