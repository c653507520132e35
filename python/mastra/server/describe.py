"""Definitions as the JSON of the protocol: tools, agents, processors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra.agents.plan import resolve
from mastra.tools.tool import as_tools
from mastra.types.json import dumps

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.runtime.request_context import RequestContext
    from mastra.tools.tool import Tool

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(schema: dict[str, Any]) -> str:
    """A JSON Schema as the text that clients unwrap."""
    return dumps({"json": {"$schema": DRAFT, **schema}})


def tool_info(tool: Tool) -> dict[str, Any]:
    """A tool; its schemas are texts on the wire."""
    out = dict(tool.to_wire())
    for name in ("inputSchema", "outputSchema", "requestContextSchema"):
        if isinstance(out.get(name), dict):
            out[name] = schema_text(out[name])
    return out


async def agent_tools(agent: Agent, context: RequestContext) -> dict[str, Tool]:
    """The tools that an agent has for this request."""
    return as_tools(await resolve(agent.tools, context))


async def agent_info(agent: Agent, context: RequestContext) -> dict[str, Any]:
    """An agent as clients list it. Nothing is called: neither a model nor a tool."""
    provider, model_id = _model(await resolve(agent.model, context))
    agents = _named(await resolve(agent.agents, context))
    workflows = _named(await resolve(agent.workflows, context))
    out: dict[str, Any] = {
        "id": agent.id,
        "name": agent.name,
        "description": agent.description,
        "instructions": _text(await resolve(agent.instructions, context)),
        "tools": {name: tool_info(tool) for name, tool in (await agent_tools(agent, context)).items()},
        "agents": {name: {"id": one.id, "name": getattr(one, "name", one.id)} for name, one in agents.items()},
        "workflows": {name: {"name": one.id} for name, one in workflows.items()},
        "skills": [],
        "workspaceTools": [],
        "browserTools": [],
        "hasBrowser": False,
        "inputProcessors": _processors(await resolve(agent.input_processors, context)),
        "outputProcessors": _processors(await resolve(agent.output_processors, context)),
        "provider": provider,
        "modelId": model_id,
        "modelVersion": "v2",
        "supportsMemory": True,
        "defaultOptions": {},
        "defaultGenerateOptionsLegacy": {},
        "defaultStreamOptionsLegacy": {},
        "source": "code",
    }
    if agent.metadata:
        out["metadata"] = agent.metadata
    if agent.request_context_schema is not None:
        out["requestContextSchema"] = schema_text(agent.request_context_schema.json_schema)
    return out


def _model(given: Any) -> tuple[str, str]:
    """Provider and model of a definition, without making the model: its key may be missing."""
    if isinstance(given, list | tuple) and given:
        given = given[0]
    if isinstance(given, Mapping):
        given = given.get("model", given.get("id", ""))
    if isinstance(given, str):
        provider, _, model_id = given.partition("/")
        return provider, model_id
    return str(getattr(given, "provider", "")), str(getattr(given, "model_id", ""))


def _text(instructions: Any) -> Any:
    if instructions is None or isinstance(instructions, str | list):
        return instructions or ""
    return getattr(instructions, "content", str(instructions))


def _named(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    return {one.id: one for one in given or ()}


def _processors(given: Any) -> list[dict[str, Any]]:
    return [{"id": one.id, "name": getattr(one, "name", one.id)} for one in given or () if hasattr(one, "id")]
