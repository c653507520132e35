"""Agents: what they are and what their tools do. Their runs are in `runs`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mastra import registry
from mastra.errors import NotFound
from mastra.server.describe import agent_info, agent_tools, tool_info
from mastra.server.problems import Refused
from mastra.server.routes.tools import execute
from mastra.types.schema import Schema

if TYPE_CHECKING:
    from mastra.server.call import Call
    from mastra.tools.tool import Tool

ENHANCED = Schema.of(
    {
        "type": "object",
        "properties": {"explanation": {"type": "string"}, "new_prompt": {"type": "string"}},
        "required": ["explanation", "new_prompt"],
    }
)


async def list_agents(call: Call) -> dict[str, Any]:
    """Every agent, by the name it is registered under."""
    return {
        name: {**await agent_info(agent, call.context), "hasDraft": False} for name, agent in call.mastra.agents.items()
    }


async def get_agent(call: Call) -> dict[str, Any]:
    """One agent."""
    return await agent_info(call.find_agent(), call.context)


async def list_providers(call: Call) -> dict[str, Any]:
    """The providers of models, and for which of them a key is in the environment."""
    del call
    providers = []
    for name in registry.names("mastra.providers"):
        variable = f"{name.upper().replace('-', '_')}_API_KEY"
        providers.append(
            {
                "id": name,
                "name": name,
                "label": name,
                "description": "",
                "envVar": variable,
                "connected": bool(os.environ.get(variable)),
                "models": [],
            }
        )
    return {"providers": providers}


async def _tool(call: Call) -> Tool:
    tools = await agent_tools(call.find_agent(), call.context)
    wanted = call.params["toolId"]
    for name, tool in tools.items():
        if wanted in {name, tool.id}:
            return tool
    raise NotFound("Tool not found")


async def get_tool(call: Call) -> dict[str, Any]:
    """One tool of an agent."""
    return tool_info(await _tool(call))


async def execute_tool(call: Call) -> Any:
    """Run a tool of an agent by hand."""
    return await execute(call, await _tool(call))


async def enhance(call: Call) -> dict[str, Any]:
    """Let the agent's own model write its instructions better."""
    body = call.body
    result = await call.find_agent().generate(
        f"Instructions:\n{body['instructions']}\n\nWhat to change:\n{body['comment']}",
        instructions="You improve the instructions of an AI agent. Keep their meaning; say what you changed and why.",
        output=ENHANCED.json_schema,
        request_context=call.context,
    )
    made: dict[str, Any] = result.object
    return made


async def legacy(call: Call) -> Any:
    """The old formats need models of the first generation, which nobody has any more."""
    name = "generateLegacy" if call.route.path.endswith("generate-legacy") else "streamLegacy"
    now = "generate" if name == "generateLegacy" else "stream"
    message = f'Models with specificationVersion "v2" are not supported for {name}(). Please use {now}() instead.'
    call.find_agent()
    raise Refused(500, {"error": message})


_ONE = "/agents/:agentId"
ROUTES = {
    "GET /agents": list_agents,
    "GET /agents/providers": list_providers,
    f"GET {_ONE}": get_agent,
    f"GET {_ONE}/tools/:toolId": get_tool,
    f"POST {_ONE}/tools/:toolId/execute": execute_tool,
    f"POST {_ONE}/instructions/enhance": enhance,
    f"POST {_ONE}/generate-legacy": legacy,
    f"POST {_ONE}/stream-legacy": legacy,
}
