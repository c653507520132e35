"""MCP over the server: recorded exchanges, the SDK's client, permissions, owners, origins, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TypedDict

import httpx
import pytest

from mastra import Agent, Mastra, Workflow, create_tool, step, tool
from mastra.mcp import McpServer, Resource
from mastra.mcp.protocol import MODERN
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.server.options import ServerOptions
from mastra.tools.context import ToolContext
from mastra.workflows.context import StepContext

EXCHANGES = json.loads(Path(__file__).with_name("mcp_exchanges.json").read_text(encoding="utf-8"))
_STRICT: dict[str, Any] = {"type": "object", "additionalProperties": False}
CITY = {**_STRICT, "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    **_STRICT,
    "properties": {"city": {"type": "string"}, "tempC": {"type": "number"}, "conditions": {"type": "string"}},
    "required": ["city", "tempC", "conditions"],
}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Number(TypedDict):
    n: float


class Word(TypedDict):
    word: str


async def weather(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"city": arguments["city"], "tempC": 21, "conditions": "sunny"}


@step
async def bail(data: Number, context: StepContext) -> Number:
    return data


@step(resume=Word)
async def wait(data: Number, context: StepContext) -> Word:
    if context.resume_data is None:
        context.suspend({"n": data["n"]})
    return context.resume_data


@tool
async def who(context: ToolContext) -> str:
    """Whose call this is."""
    return str(context.resource_id)


@tool
async def forever(context: ToolContext) -> str:
    """Report without an end."""
    LEFT.clear()
    try:
        while True:
            await context.write("on")
            await asyncio.sleep(0.01)
    finally:
        LEFT.set()


LEFT = asyncio.Event()


def make(**more: Any) -> Mastra:
    bailer = Workflow("bailer", input=Number, output=Number, description="Bails early").then(bail).commit()
    waiter = Workflow("waiter", input=Number, output=Word, description="Waits").then(wait).commit()
    tools_server = McpServer(
        "tools-server",
        name="Tools Server",
        description="Exposes tools",
        tools=[create_tool("get_weather", description="Get the current weather for a city", input=CITY, output=WEATHER,
                           execute=weather)],
        agents=[Agent("assistant", model="scripted/Sunny.", description="Answers weather questions")],
        workflows=[bailer],
    )  # fmt: skip
    own = McpServer("own", tools=[who, forever], workflows=[waiter], resources=[Resource("a://x", "text")])
    return Mastra(storage="memory:", workflows=[bailer, waiter], mcp_servers=[tools_server, own], **more)


def http(app, **more):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:4111", **more)


def told(answer: Any) -> Any:
    """An answer without what is worded or dated otherwise."""
    if isinstance(answer, dict):
        kept = {key: told(value) for key, value in answer.items() if key != "release_date"}
        return {key: "schema" if key in {"inputSchema", "outputSchema"} else value for key, value in kept.items()}
    if isinstance(answer, list):
        return [told(one) for one in answer]
    if isinstance(answer, str) and answer.startswith("Tool input validation failed"):
        return answer.partition("\n")[0]
    return answer


@pytest.mark.parametrize("case", EXCHANGES, ids=lambda case: case["name"])
async def test_an_exchange_is_answered_as_recorded(case):
    mastra = make()
    async with mastra, http(create_app(mastra)) as client:
        body = None if "body" not in case else json.dumps(case["body"])
        answer = await client.request(case["method"], case["path"], headers=case["headers"], content=body)
        assert answer.status_code == case["status"], answer.text
        found, wanted = answer.json(), case["answer"]
        if "servers" in wanted or case["name"] == "mcp-servers":
            found = {**found, "servers": found["servers"][:1], "total_count": 1}
        assert told(found) == told(wanted)
        if case["name"] in {"mcp-tool-get", "mcp-tool-execute"}:
            assert found == wanted, "schemas and results are equal to the letter"


def request(method: str, params: dict[str, Any] | None = None, **meta: Any) -> tuple[dict[str, str], str]:
    params = {**(params or {}), "_meta": {**ENVELOPE, **meta}}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": method, "content-type": "application/json"}
    if "name" in params:
        headers["mcp-name"] = params["name"]
    return headers, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


async def test_headers_must_say_what_the_body_says():
    mastra = make()
    async with mastra, http(create_app(mastra)) as client:
        headers, body = request("tools/call", {"name": "who", "arguments": {}})
        for change in ({"mcp-name": "forever"}, {"mcp-method": "tools/list"}, {"mcp-protocol-version": "2025-06-18"},
                       {"mcp-name": ""}, {"mcp-name": "=?base64?!!?="}):  # fmt: skip
            answer = await client.post("/api/mcp/own/mcp", content=body, headers={**headers, **change})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020), change
        twice = [*headers.items(), ("mcp-name", "who")]
        answer = await client.post("/api/mcp/own/mcp", content=body, headers=twice)
        assert answer.json()["error"]["code"] == -32020
        wrapped = {**headers, "mcp-name": "=?base64?d2hv?="}
        assert (await client.post("/api/mcp/own/mcp", content=body, headers=wrapped)).status_code == 200


async def test_other_ways_in_are_closed():
    mastra = make()
    async with mastra, http(create_app(mastra)) as client:
        assert (await client.get("/api/mcp/own/mcp")).status_code == 405
        assert (await client.delete("/api/mcp/own/mcp")).status_code == 405
        headers, body = request("tools/list")
        evil = await client.post(
            "/api/mcp/own/mcp", content=body, headers={**headers, "origin": "https://evil.example"}
        )
        assert evil.status_code == 403
        assert (await client.post("/api/mcp/nobody/mcp", content=body, headers=headers)).status_code == 404
        assert (await client.post("/api/mcp/own/mcp", content="{", headers=headers)).status_code == 400
        notice = json.dumps({"jsonrpc": "2.0", "method": "notifications/x", "params": {"_meta": ENVELOPE}})
        about = {**headers, "mcp-method": "notifications/x"}
        gone = await client.post("/api/mcp/own/mcp", content=notice, headers=about)
        assert (gone.status_code, gone.content) == (202, b"")
        unknown, body = request("tools/nothing")
        assert (await client.post("/api/mcp/own/mcp", content=body, headers=unknown)).status_code == 404


async def test_who_may_and_whose_it_is():
    roles = {"ada": "member", "bob": "member", "eve": "viewer"}
    keys = StaticKeys({f"key-of-{name}": {"id": name, "roles": [role]} for name, role in roles.items()})
    mastra = make()
    ada, bob, eve = ({"authorization": f"Bearer key-of-{name}"} for name in ("ada", "bob", "eve"))
    async with mastra, http(create_app(mastra, ServerOptions(auth=keys))) as client:
        headers, body = request("tools/call", {"name": "who", "arguments": {}})
        assert (await client.post("/api/mcp/own/mcp", content=body, headers=headers)).status_code == 401
        said = await client.post("/api/mcp/own/mcp", content=body, headers={**headers, **ada})
        assert said.json()["result"]["content"][0]["text"] == "ada"
        assert (await client.post("/api/mcp/own/mcp", content=body, headers={**headers, **eve})).status_code == 403
        # A run that waits is its owner's: another's answer finds nothing.
        path = "/api/mcp/own/tools/run_waiter/execute"
        waits = (await client.post(path, json={"data": {"n": 7}}, headers=ada)).json()
        assert waits["status"] == "suspended"
        on = {"data": {"n": 7}, "resumeData": {"word": "go"}, "suspendPayload": waits["suspendPayload"]}
        assert (await client.post(path, json=on, headers=bob)).status_code == 404
        assert (await client.post(path, json=on, headers=ada)).json() == {"result": {"word": "go"}}
        assert (await client.post(path, json={"resumeData": 1}, headers=ada)).status_code == 400


async def test_resources_and_what_is_not_there():
    mastra = make()
    async with mastra, http(create_app(mastra)) as client:
        read = await client.post("/api/mcp/own/resources/read", json={"uri": "a://x"})
        assert read.json() == {"contents": [{"uri": "a://x", "mimeType": "text/plain", "text": "text"}]}
        assert (await client.post("/api/mcp/own/resources/read", json={"uri": "b://x"})).status_code == 404
        assert (await client.get("/api/mcp/own/tools/nope")).status_code == 404
        assert (await client.get("/api/mcp/v0/servers/own?version=9")).status_code == 404
        page = (await client.get("/api/mcp/v0/servers?perPage=1&page=1")).json()
        assert [one["id"] for one in page["servers"]] == ["own"]
        first = (await client.get("/api/mcp/v0/servers?limit=1")).json()
        assert first["next"] == "/api/mcp/v0/servers?limit=1&offset=1"


async def test_progress_is_a_stream_and_who_leaves_it_stops_the_tool():
    app = create_app(make())
    headers, body = request("tools/call", {"name": "forever", "arguments": {}}, progressToken="t")
    seen: list[bytes] = []
    left = asyncio.Event()

    first = iter([{"type": "http.request", "body": body.encode(), "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in first:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            seen.append(message["body"])
            if len(seen) == 5:
                left.set()

    scope = {
        "type": "http", "method": "POST", "path": "/api/mcp/own/mcp", "query_string": b"", "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), *((key.encode(), value.encode()) for key, value in headers.items())],
    }  # fmt: skip
    async with app.mastra:
        await asyncio.wait_for(app(scope, receive, send), 10)
        await asyncio.wait_for(LEFT.wait(), 5)
    events = b"".join(seen).split(b"\n\n")
    assert json.loads(events[0].split(b"data: ")[1])["params"]["progressToken"] == "t"
