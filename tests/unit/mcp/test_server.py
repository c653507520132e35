"""What a server may offer, and what it refuses to."""

from __future__ import annotations

import pytest

from mastra import Agent, Mastra, Workflow, create_tool, step
from mastra.errors import BadDefinition, ModelUnavailable, NotFound, ToolFailed
from mastra.mcp import McpServer, Resource
from mastra.providers.scripted import ScriptedModel
from mastra.tools.context import ToolContext


def test_a_server_that_cannot_work_is_refused_at_once():
    with pytest.raises(BadDefinition, match="no description"):
        McpServer("x", agents=[Agent("mute", model="scripted/x")])
    with pytest.raises(BadDefinition, match="run by its caller"):
        McpServer("x", tools=[create_tool("theirs", description="x")])
    with pytest.raises(BadDefinition, match="one name"):
        McpServer("x", resources=[Resource("a://x", ""), Resource("a://x", "")])
    with pytest.raises(BadDefinition, match="needs an id"):
        McpServer("")


def test_a_workflow_that_takes_no_object_is_refused():
    @step
    async def half(data: float) -> float:
        return data / 2

    halving = Workflow("halving", input=float, output=float, description="Halves").then(half).commit()
    with pytest.raises(BadDefinition, match="does not take an object"):
        McpServer("x", workflows=[halving])


async def test_an_agent_that_fails_says_so():
    broken = Agent("broken", model=ScriptedModel([ModelUnavailable("down")]), description="Breaks")
    server = McpServer("x", agents={"other": broken})
    async with Mastra(mcp_servers=[server]):
        with pytest.raises(ToolFailed, match="down"):
            await server.get_tool("ask_other")(message="x", context=ToolContext())
    with pytest.raises(NotFound, match="no tool 'ask_othe'"):
        server.get_tool("ask_othe")
    assert server.kind_of(server.get_tool("ask_other")) == "agent"
    with pytest.raises(NotFound, match="no resource"):
        await server.read("a://x")
