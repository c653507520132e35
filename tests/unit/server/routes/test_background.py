"""Background tasks over HTTP, with a tool that really goes on after its answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from mastra import Agent, Mastra, tool
from mastra.agents.tasks import Tasks
from mastra.providers.scripted import Call, ScriptedModel
from mastra.server.http import create_app
from mastra.server.routes import background


@tool(background=True)
async def slow(topic: str) -> dict[str, Any]:
    """Takes its time."""
    await asyncio.sleep(0.02)
    return {"done": topic}


def application(*more: str) -> Mastra:
    lines = [Call("slow", {"topic": "t"}, "c"), "begun", *more]
    return Mastra(agents=[Agent("slow", model=ScriptedModel(lines), tools=[slow])])


def client(app: Mastra) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(app)), base_url="http://localhost/api")


async def test_tasks_are_listed_and_read() -> None:
    app = application()
    async with app, client(app) as http:
        assert (await http.get("/background-tasks")).json() == {"tasks": [], "total": 0}
        await http.post("/agents/slow/generate", json={"messages": "go", "runId": "r"})
        await Tasks.of(app.services).settle()
        (task,) = (await http.get("/background-tasks", params={"agentId": "slow", "runId": "r"})).json()["tasks"]
        assert (task["status"], task["result"], task["args"]) == ("completed", {"done": "t"}, {"topic": "t"})
        assert (await http.get(f"/background-tasks/{task['id']}")).json() == task
        assert (await http.get("/background-tasks/nope")).status_code == 404
        assert (await http.get("/background-tasks", params={"status": "odd"})).status_code == 400
        assert (await http.get("/background-tasks", params={"status": "failed"})).json()["total"] == 0


async def test_a_stream_until_idle_goes_on_with_the_result() -> None:
    app = application("Here it is.")
    async with app, client(app) as http:
        answer = await http.post("/agents/slow/stream-until-idle", json={"messages": "go"})
    chunks = [json.loads(block[6:]) for block in answer.text.split("\n\n") if block.startswith("data: {")]
    kinds = [chunk["type"] for chunk in chunks]
    assert kinds.count("finish") == 2
    assert kinds.index("background-task-completed") > kinds.index("finish")
    assert chunks[-1]["payload"]["output"]["text"] == "Here it is."


async def test_events_are_streamed_from_the_first_moment() -> None:
    app = application()
    async with app:
        tasks = Tasks.of(app.services)
        body: Any = background._body(tasks.events(agentId="slow"))
        assert await anext(body) == b": connected\n\n"
        reading = asyncio.ensure_future(anext(body))
        await asyncio.sleep(0)
        await app.get_agent("slow").generate("go")
        first = json.loads((await reading)[6:])
        assert first["type"] == "background-task-started"
        assert (await anext(body)).startswith(b'data: {"type":"background-task-running"')
        await tasks.settle()
        await body.aclose()
