"""Notes of observational memory over HTTP, for their owner."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mastra import Agent, Mastra, Memory, ObservationalMemory
from mastra.providers.scripted import ScriptedModel
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.server.options import ServerOptions

SAID = "I would like to see Oslo in spring and Bergen in autumn"


def application(**options: Any) -> Mastra:
    observer = ScriptedModel("- wants to see Oslo\n@next step: book a train", per_run=True)
    observational = ObservationalMemory(
        model=observer, message_tokens=20, keep_last=0, extract=["next step"], **options
    )
    model = ScriptedModel("Fine, I shall remember that for you", per_run=True)
    return Mastra(agents=[Agent("a", model=model, memory=Memory(observational=observational))], storage="memory:")


def client(app: Mastra) -> httpx.AsyncClient:
    keys = {name: {"id": name, "resource": name} for name in ("ann", "bob")}
    options = ServerOptions(auth=StaticKeys({f"key-{name}": facts for name, facts in keys.items()}))
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(app, options)), base_url="http://localhost/api")


def as_(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer key-{name}"}


@pytest.mark.parametrize("scope", ["thread", "resource"])
async def test_the_owner_reads_the_notes_and_nobody_else(scope):
    app = application(scope=scope)
    where = {"agentId": "a", "threadId": "t"}
    async with app, client(app) as http:
        for _ in range(2):
            body = {"messages": SAID, "memory": {"thread": "t", "resource": "ann"}}
            assert (await http.post("/agents/a/generate", json=body, headers=as_("ann"))).status_code == 200
            await app.get_agent("a").memory.settle()
        got = await http.post("/memory/observational-memory/buffer-status", json=where, headers=as_("ann"))
        record = got.json()["record"]
        assert record["activeObservations"].startswith("- wants to see Oslo")
        assert (record["scope"], record["originType"]) == (scope, "observation")
        assert record["metadata"] == {"extracted": {"next step": "book a train"}}
        told = (await http.get("/memory/observational-memory", params=where, headers=as_("ann"))).json()
        assert told["record"] == record
        assert len(told["history"]) == record["generationCount"] - 1
        early = {**where, "to": "2020-01-01T00:00:00Z", "limit": 1}
        assert (await http.get("/memory/observational-memory", params=early, headers=as_("ann"))).json()[
            "history"
        ] == []
        other = await http.get("/memory/observational-memory", params=where, headers=as_("bob"))
        assert "Oslo" not in other.text
        assert other.status_code == 403
        mine = await http.get("/memory/observational-memory", params={"agentId": "a"}, headers=as_("bob"))
        assert mine.json() == {"record": None, "history": []}


async def test_without_notes_there_is_no_record():
    app = Mastra(agents=[Agent("a", model=ScriptedModel("x", per_run=True), memory=Memory())], storage="memory:")
    async with app, client(app) as http:
        got = await http.get("/memory/observational-memory", params={"agentId": "a"}, headers=as_("ann"))
        assert got.json() == {"record": None, "history": []}
        wrong = {"agentId": "a", "offset": 9_001}
        got = await http.get("/memory/observational-memory", params=wrong, headers=as_("ann"))
        assert got.status_code == 400


async def test_the_configuration_says_whether_there_are_notes():
    app = application()
    async with app, client(app) as http:
        got = await http.get("/memory/config", params={"agentId": "a"}, headers=as_("ann"))
        assert got.json()["config"]["observationalMemory"] == {"enabled": True}
