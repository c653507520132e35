# Parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
"""Signals over HTTP: what is said reaches the run at work or begins one, and followers of the thread see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from tests.wire.serving import serving

from mastra import Agent, Mastra, Memory, tool
from mastra.providers.scripted import Call, ScriptedModel
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.server.options import ServerOptions

HERE = {"threadId": "t", "resourceId": "u"}


class House:
    """A served agent whose tool waits for a word."""

    def __init__(self, *script: Any) -> None:
        self.inside, self.go = asyncio.Event(), asyncio.Event()
        house = self

        @tool
        async def wait() -> str:
            """Waits."""
            house.inside.set()
            await house.go.wait()
            return "waited"

        self.model = ScriptedModel([Call("wait", {}, "c"), *script])
        self.agent = Agent("a", model=self.model, tools=[wait], memory=Memory())
        self.mastra = Mastra(agents=[self.agent])

    def client(self, **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(create_app(self.mastra, **options))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost/api/agents/a")

    async def begun(self, http: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
        body = {"messages": "hello", "runId": "r", "memory": {"thread": "t", "resource": "u"}}
        task = asyncio.create_task(http.post("/generate", json=body))
        await self.inside.wait()
        return task


async def test_a_message_reaches_the_run_at_work_by_its_thread_or_its_id() -> None:
    house = House("done")
    async with house.mastra, house.client() as http:
        run = await house.begun(http)
        first = (await http.post("/send-message", json={**HERE, "message": "one"})).json()
        second = (await http.post("/send-message", json={"runId": "r", "message": "two"})).json()
        told = {"type": "notification", "tagName": "ci", "contents": "green", "attributes": {"n": 1}}
        third = (await http.post("/signals", json={**HERE, "signal": told})).json()
        house.go.set()
        assert (await run).json()["text"] == "done"
    assert [one["runId"] for one in (first, second, third)] == ["r"] * 3
    assert first["accepted"] is True
    assert (first["signal"]["contents"], first["signal"]["__isCreatedSignal"]) == ("one", True)
    texts = [part.text for one in house.model.requests[1].messages[-3:] for part in one.parts]
    assert texts == ["one", "two", '<ci n="1">green</ci>']


async def test_a_run_that_is_not_at_work_is_not_found() -> None:
    house = House()
    async with house.mastra, house.client() as http:
        answer = await http.post("/send-message", json={"runId": "nobody", "message": "x"})
        assert (answer.status_code, answer.json()) == (404, {"error": "Run not found"})
        wrong = await http.post("/send-message", json={**HERE, "message": "  "})
        assert wrong.status_code == 400


async def test_a_queued_message_begins_the_next_run_and_an_idle_thread_one_with_options() -> None:
    house = House("done", "next", "woken")
    async with house.mastra, house.client() as http:
        run = await house.begun(http)
        assert (await http.post("/queue-message", json={**HERE, "message": "later"})).json()["runId"] == "r"
        house.go.set()
        await run
        while house.mastra.services.threads:
            await house.mastra.services.background.settle()
        idle = {"behavior": "wake", "streamOptions": {"instructions": "Be brief."}}
        await http.post("/send-message", json={**HERE, "message": "now", "ifIdle": idle})
        await house.mastra.services.background.settle()
    assert house.model.requests[2].messages[-1].parts[0].text == "later"
    assert house.model.requests[3].messages[0].text == "Be brief."


async def test_a_run_is_stopped_by_its_thread() -> None:
    house = House()
    async with house.mastra, house.client() as http:
        run = await house.begun(http)
        other = await http.post("/threads/abort", json={**HERE, "expectedRunId": "another"})
        assert other.json() == {"aborted": False}
        assert (await http.post("/threads/abort", json=HERE)).json() == {"aborted": True}
        assert (await run).status_code >= 400
        assert (await http.post("/threads/abort", json=HERE)).json() == {"aborted": False}


@asynccontextmanager
async def followed(url: str) -> AsyncIterator[Any]:
    body = {"threadId": "t", "resourceId": "u"}
    async with (
        httpx.AsyncClient(timeout=30) as http,
        http.stream("POST", f"{url}/threads/subscribe", json=body) as got,
    ):
        assert got.headers["content-type"] == "text/event-stream"
        lines = got.aiter_lines()
        assert await anext(lines) == ": connected"

        async def chunks() -> AsyncIterator[Any]:
            async for line in lines:
                if line.startswith("data: "):
                    yield json.loads(line[6:])

        yield chunks()


async def test_who_follows_a_thread_sees_its_runs_without_what_was_said_before() -> None:
    agent = Agent("a", model=ScriptedModel(["hi"]), memory=Memory())
    async with serving(Mastra(agents=[agent])) as (_, address):
        url = f"http://{address}/api/agents/a"
        async with followed(url) as chunks, httpx.AsyncClient() as http:
            sent = (await http.post(f"{url}/send-message", json={**HERE, "message": "hello"})).json()
            seen: list[dict[str, Any]] = []
            while not seen or seen[-1]["type"] != "finish":
                seen.append(await anext(chunks))
    assert [one["type"] for one in seen][:3] == ["start", "data-user-message", "step-start"]
    assert seen[1]["data"]["id"] == sent["signal"]["id"]
    for one in seen[-2:]:
        assert "messages" not in one["payload"]
        assert "steps" not in one["payload"]["output"]


async def test_a_thread_is_not_for_others() -> None:
    house = House("done")
    keys = StaticKeys({"ann": {"id": "u"}, "eve": {"id": "eve"}})
    async with house.mastra, house.client(options=ServerOptions(auth=keys)) as http:
        http.headers["authorization"] = "Bearer ann"
        run = await house.begun(http)
        eve = {"authorization": "Bearer eve"}
        asks: list[tuple[str, dict[str, Any]]] = [
            ("/send-message", {**HERE, "message": "x"}),
            ("/send-message", {"runId": "r", "message": "x"}),
            ("/queue-message", {**HERE, "message": "x"}),
            ("/signals", {**HERE, "signal": {"type": "reactive", "contents": "x"}}),
            ("/threads/abort", HERE),
            ("/threads/subscribe", HERE),
        ]
        for path, body in asks:
            assert (await http.post(path, json=body, headers=eve)).status_code == 403, path
        house.go.set()
        assert (await run).json()["text"] == "done"
    assert len(house.model.requests) == 2
