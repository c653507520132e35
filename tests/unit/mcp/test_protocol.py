"""The protocol's words: every method, every refusal, and nothing that a stranger sends breaks it."""

from __future__ import annotations

import json
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra import Agent, Workflow, step, tool
from mastra.mcp import McpServer, Prompt, Resource, ResourceTemplate
from mastra.mcp.protocol import INVALID_PARAMS, INVALID_REQUEST, LEGACY, METHOD_NOT_FOUND, MODERN, Caller, answer
from mastra.runtime.services import Services
from mastra.runtime.tracing import Tracer
from mastra.tools.context import ToolContext

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Sum(TypedDict):
    total: int


class Pair(TypedDict):
    a: int
    b: int


@tool(output=Sum)
async def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return {"total": a + b}


@tool(output=Sum)
async def lie() -> Sum:
    """Promise a number."""
    return {"total": "many"}  # type: ignore[typeddict-item]


@tool(require_approval=True)
async def erase(id: str) -> str:
    """Erase a record."""
    return f"erased {id}"


@tool
async def ask(context: ToolContext) -> str:
    """Ask somebody."""
    context.suspend({"question": "sure?"})


@tool
async def burst() -> str:
    """Fail with a secret in a local variable."""
    raise RuntimeError("the disk is full")


@tool
async def slow(steps: int, context: ToolContext) -> str:
    """Report progress."""
    for one in range(steps):
        await context.write(f"step {one}")
    return "done"


@step
async def double(data: Pair) -> Sum:
    return {"total": 2 * (data["a"] + data["b"])}


def server(**more):
    doubling = Workflow("doubling", input=Pair, output=Sum, description="Doubles a sum").then(double).commit()
    helper = Agent("helper", model="scripted/Gladly.", description="Helps")
    return McpServer(
        "desk",
        name="Desk",
        description="A desk",
        instructions="Be brief.",
        tools=[add, lie, erase, ask, burst, slow],
        agents=[helper],
        workflows=[doubling],
        resources=[Resource("a://x", "text"), ResourceTemplate("n://{key}", lambda key: f"note {key}")],
        prompts=[Prompt("greet", lambda name: f"Greet {name}", arguments={"name": "whom"})],
        **more,
    )


async def answered(message, *, legacy=False):
    made = await answer(server(), message, Caller(), legacy=legacy)
    assert made is not None
    return made


async def said(method, params=None, *, on=None, caller=None):
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": ENVELOPE}}
    made = await answer(on or server(), message, caller or Caller())
    assert made is not None
    assert made["id"] == 1
    return made


async def called(name, arguments=None, **more):
    return (await said("tools/call", {"name": name, "arguments": arguments or {}}, **more))["result"]


async def test_a_server_says_who_it_is():
    result = (await said("server/discover"))["result"]
    assert result["supportedVersions"] == [MODERN]
    assert set(result["capabilities"]) == {"tools", "logging", "resources", "prompts"}
    assert result["instructions"] == "Be brief."
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"] == {"name": "Desk", "version": "1.0.0"}
    assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 0, "private")


async def test_tools_agents_and_workflows_are_tools():
    tools = {one["name"]: one for one in (await said("tools/list"))["result"]["tools"]}
    assert list(tools) == ["add", "lie", "erase", "ask", "burst", "slow", "ask_helper", "run_doubling"]
    assert tools["add"]["inputSchema"]["required"] == ["a", "b"]
    assert tools["add"]["outputSchema"]["properties"]["total"]["type"] == "integer"
    assert tools["ask_helper"]["description"] == "Ask agent 'helper' a question. Agent description: Helps"
    assert (await called("ask_helper", {"message": "Help?"}))["content"] == [{"type": "text", "text": "Gladly."}]
    assert json.loads((await called("run_doubling", {"a": 1, "b": 2}))["content"][0]["text"]) == {"total": 6}


async def test_results_and_failures():
    good = await called("add", {"a": 1, "b": 2})
    assert good["structuredContent"] == {"total": 3}
    assert good["isError"] is False
    wrong = await called("add", {"a": "one"})
    assert wrong["isError"]
    assert "- b:" in wrong["content"][0]["text"]
    assert 'Provided arguments: {"a":"one"}' in wrong["content"][0]["text"]
    broken = await called("burst")
    assert broken == {**broken, "isError": True, "content": [{"type": "text", "text": "the disk is full"}]}
    # The tool has run: what it gave is told, and marked as not what was promised.
    lied = await called("lie")
    assert "structuredContent" not in lied
    assert lied["_meta"]["mastra/outputIssues"][0]["field"] == "total"
    waits = await called("ask")
    assert waits["isError"]
    unknown = await said("tools/call", {"name": "ad", "arguments": {}})
    assert unknown["error"]["code"] == INVALID_PARAMS


async def test_what_needs_approval_does_not_run_unasked():
    refused = await called("erase", {"id": "7"})
    assert refused["isError"]
    assert "approval" in refused["content"][0]["text"]
    asked = []

    async def approve(tool, arguments, context):
        asked.append((tool.name, arguments))
        return arguments["id"] == "7"

    own = server(approve=approve)
    assert (await called("erase", {"id": "7"}, on=own))["content"][0]["text"] == "erased 7"
    assert (await called("erase", {"id": "8"}, on=own))["isError"]
    assert asked == [("erase", {"id": "7"}), ("erase", {"id": "8"})]


async def test_resources_and_prompts():
    assert (await said("resources/list"))["result"]["resources"] == [{"uri": "a://x", "name": "a://x"}]
    listed = (await said("resources/templates/list"))["result"]["resourceTemplates"]
    assert listed == [{"uriTemplate": "n://{key}", "name": "n://{key}"}]
    assert (await said("resources/read", {"uri": "n://7"}))["result"]["contents"][0]["text"] == "note 7"
    assert (await said("resources/read", {"uri": "z://7"}))["error"]["code"] == INVALID_PARAMS
    assert (await said("resources/read"))["error"]["code"] == INVALID_PARAMS
    assert (await said("prompts/list"))["result"]["prompts"][0]["name"] == "greet"
    got = (await said("prompts/get", {"name": "greet", "arguments": {"name": "Ada"}}))["result"]
    assert got["messages"][0]["content"]["text"] == "Greet Ada"
    assert (await said("prompts/get", {"name": "greet"}))["error"]["code"] == INVALID_PARAMS
    assert (await said("prompts/get", {"name": "nope"}))["error"]["code"] == INVALID_PARAMS


async def test_long_lists_come_in_pages():
    many = McpServer("many", resources=[Resource(f"r://{one}", "x") for one in range(1200)])
    seen, cursor = [], None
    while True:
        params = {} if cursor is None else {"cursor": cursor}
        page = (await said("resources/list", params, on=many))["result"]
        seen += [one["uri"] for one in page["resources"]]
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert seen == [f"r://{one}" for one in range(1200)]
    for wrong in ("x", "LTE=", "OTk5OTk=", 7):
        assert (await said("resources/list", {"cursor": wrong}, on=many))["error"]["code"] == INVALID_PARAMS


async def test_progress_reaches_only_who_asked_for_it():
    told = []

    async def notify(message):
        told.append(message)

    caller = Caller(notify=notify)
    await called("slow", {"steps": 2}, caller=caller)
    assert told == []
    meta = {**ENVELOPE, "progressToken": "p"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
               "params": {"name": "slow", "arguments": {"steps": 2}, "_meta": meta}}  # fmt: skip
    await answer(server(), message, caller)
    assert [one["params"]["message"] for one in told] == ["step 0", "step 1"]
    assert [one["params"]["progress"] for one in told] == [1, 2]


async def test_a_call_goes_on_in_the_trace_that_the_caller_names():
    finished = []
    caller = Caller("ann", services=Services(tracer=Tracer(finished.append)))
    params = {"name": "add", "arguments": {"a": 1, "b": 2}}
    for meta in ({"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}, {"traceparent": "nonsense"}, {}):
        message = {"method": "tools/call", "params": {**params, "_meta": {**ENVELOPE, **meta}}}
        told = await answer(server(), {"jsonrpc": "2.0", "id": 1, **message}, caller)
        assert told is not None
        assert told["result"]["isError"] is False
    one, other, third = finished
    assert (one.trace_id, one.parent_span_id) == ("ab" * 16, "cd" * 8)
    assert (one.name, one.type, one.entity_id) == ("tools/call add", "mcp_server_request", "desk")
    assert (one.resource_id, one.input, one.output) == ("ann", params, {"total": 3})
    assert other.parent_span_id is third.parent_span_id is None


async def test_old_revisions_shake_hands_where_they_may():
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": LEGACY[1]}}
    made = await answered(hello, legacy=True)
    assert made["result"]["protocolVersion"] == LEGACY[1]
    assert made["result"]["serverInfo"]["name"] == "Desk"
    made = await answered({**hello, "params": {"protocolVersion": "1999"}}, legacy=True)
    assert made["result"]["protocolVersion"] == LEGACY[0]
    listed = await answered({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, legacy=True)
    assert "resultType" not in listed["result"]
    refused = await answered(hello)
    assert refused["error"] == {
        "code": -32022,
        "message": f"Unsupported protocol version: {LEGACY[1]}",
        "data": {"supported": [MODERN], "requested": LEGACY[1]},
    }
    assert (await said("initialize"))["error"]["code"] == METHOD_NOT_FOUND
    assert await answer(server(), {"jsonrpc": "2.0", "method": "notifications/initialized"}, Caller()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)
METHODS = st.sampled_from(["tools/call", "tools/list", "resources/read", "prompts/get", "initialize", "x", ""])


@given(JSON | st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "id": JSON, "method": METHODS | JSON, "params": JSON}))
async def test_whatever_is_sent_gets_an_answer(message):
    for legacy in (False, True):
        made = await answer(server(), message, Caller(), legacy=legacy)
        if made is not None:
            assert ("result" in made) != ("error" in made)
            assert made["id"] is None or isinstance(made["id"], (str, int))
            json.dumps(made)


@pytest.mark.parametrize("message", [None, [], "x", {"jsonrpc": "1.0", "id": 1, "method": "x"}, {"id": 1},
                                     {"jsonrpc": "2.0", "id": True, "method": "x"},
                                     {"jsonrpc": "2.0", "id": 1, "method": "x", "params": []}])  # fmt: skip
async def test_what_is_no_request_is_said_so(message):
    assert (await answered(message))["error"]["code"] == INVALID_REQUEST
