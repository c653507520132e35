"""McpServer: tools, agents, workflows, resources and prompts that other programs may use over MCP.

A definition and nothing else: `protocol` speaks for it, `stdio` and the HTTP server carry what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, InvalidInput, NotFound, ToolFailed, near_miss
from mastra.mcp.content import Prompt, Resource, ResourceTemplate
from mastra.runtime.signals import Suspend
from mastra.tools.tool import Tool, as_tools
from mastra.types.schema import Schema, to_json

if TYPE_CHECKING:
    from mastra.runtime.services import Services
    from mastra.tools.context import ToolContext

_QUESTION = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "The question or input for the agent."}},
    "required": ["message"],
    "additionalProperties": False,
}


class McpServer:
    """What one MCP server offers. Agents become tools `ask_<id>`, workflows become tools `run_<id>`.

    A tool that needs approval is refused unless `approve(tool, arguments, context)` says yes: nobody is there whom a
    caller over MCP could ask. With `legacy=True` clients of the revisions before 2026-07-28 are served too over HTTP;
    over standard input and output they always are.
    """

    def __init__(
        self,
        id: str,
        *,
        name: str = "",
        version: str = "1.0.0",
        description: str = "",
        instructions: str = "",
        tools: Any = (),
        agents: Any = (),
        workflows: Any = (),
        resources: Iterable[Resource | ResourceTemplate] = (),
        prompts: Iterable[Prompt] = (),
        approve: Callable[..., Any] | None = None,
        legacy: bool = False,
    ) -> None:
        if not id:
            raise BadDefinition("An MCP server needs an id.")
        self.id = id
        self.name = name or id
        self.version = version
        self.description = description
        self.instructions = instructions
        self.approve = approve
        self.legacy = legacy
        self.released = datetime.now(UTC)
        self._agents = _named(agents)
        self._workflows = _named(workflows)
        made = [ask_tool(agent, key) for key, agent in self._agents]
        made += [run_tool_of(workflow, key) for key, workflow in self._workflows]
        self.tools: dict[str, Tool] = as_tools((*as_tools(tools).values(), *made))
        for tool in self.tools.values():
            if tool.execute is None:
                raise BadDefinition(f"Tool {tool.name!r} is run by its caller, so no server can offer it.")
        listed = list(resources)
        self.resources = _unique({one.uri: one for one in listed if isinstance(one, Resource)}, listed, Resource)
        self.templates = [one for one in listed if isinstance(one, ResourceTemplate)]
        given = list(prompts)
        self.prompts = _unique({one.name: one for one in given}, given, Prompt)

    def bind(self, services: Services) -> None:
        """Give the agents and workflows of this server the parts of the application; called by `Mastra`."""
        for _, thing in (*self._agents, *self._workflows):
            bind = getattr(thing, "bind", None)
            if bind is not None:
                bind(services)

    def kind_of(self, tool: Tool) -> str:
        """`agent`, `workflow` or `tool`: what stands behind a tool of this server."""
        return str(tool.metadata.get("mcp", "tool"))

    def get_tool(self, name: str) -> Tool:
        """The tool that the server offers under a name."""
        tool = self.tools.get(name)
        if tool is None:
            raise NotFound(f"MCP server {self.id!r} has no tool {name!r}.", hint=near_miss(name, self.tools))
        return tool

    async def read(self, uri: str) -> list[dict[str, Any]]:
        """The contents of a resource, as the protocol gives them."""
        resource = self.resources.get(uri)
        if resource is not None:
            return [await resource.contents()]
        for template in self.templates:
            values = template.match(uri)
            if values is not None:
                return [await template.contents(uri, values)]
        raise NotFound(f"MCP server {self.id!r} has no resource {uri[:200]!r}.", hint=near_miss(uri, self.resources))

    def __repr__(self) -> str:
        return f"McpServer({self.id!r}, {len(self.tools)} tools)"


def _named(things: Any) -> list[tuple[str, Any]]:
    if not things:
        return []
    return list(things.items()) if isinstance(things, Mapping) else [(thing.id, thing) for thing in things]


def _unique(by_key: dict[str, Any], listed: list[Any], kind: type) -> dict[str, Any]:
    if len(by_key) != sum(isinstance(one, kind) for one in listed):
        raise BadDefinition(f"Two of the {kind.__name__.lower()}s have one name.")
    return by_key


def _described(thing: Any, key: str, what: str) -> str:
    description = getattr(thing, "description", "") or ""
    if not description:
        raise BadDefinition(
            f"{what} {key!r} has no description.", hint="Callers over MCP know it by its description only."
        )
    return str(description)


def ask_tool(agent: Any, key: str) -> Tool:
    """An agent as a tool `ask_<key>` that answers a message. It sees nothing but the message."""
    description = f"Ask agent '{key}' a question. Agent description: {_described(agent, key, 'Agent')}"

    async def execute(arguments: dict[str, Any], context: ToolContext) -> str:
        result = await agent.generate(arguments["message"], request_context=context.request_context)
        if result.error is not None:
            raise ToolFailed(f"Agent {key} failed: {result.error.message}", run_id=result.run_id) from result.error
        if result.finish_reason == "suspended":
            raise ToolFailed(f"Agent {key} waits for an answer that nobody can give over MCP.", run_id=result.run_id)
        return str(result.text)

    return Tool(f"ask_{key}", description=description, input=_QUESTION, execute=execute, metadata={"mcp": "agent"})


def run_tool_of(workflow: Any, key: str) -> Tool:
    """A workflow as a tool `run_<key>`; its input schema is the tool's."""
    description = f"Run workflow '{key}'. Workflow description: {_described(workflow, key, 'Workflow')}"
    given = getattr(workflow, "input", None)
    schema = None if given is None else Schema.of(given).json_schema
    if schema is not None and schema.get("type", "object") != "object":
        raise BadDefinition(f"Workflow {key!r} does not take an object, so it cannot be a tool over MCP.")

    async def execute(arguments: Any, context: ToolContext) -> Any:
        answer = context.resume_data
        if answer is None:
            run = await workflow.create_run(resource=context.resource_id)
            result = await run.start(arguments)
        else:
            run = await _own_run(workflow, answer["runId"], context)
            result = await run.resume(answer["data"], step=answer.get("step"))
        if result.status == "success":
            return to_json(result.result)
        if result.status == "suspended":
            waiting = to_json(result.suspended)
            step = waiting[0] if isinstance(waiting, list) and waiting else None
            raise Suspend({"runId": run.run_id, "step": step, "payload": to_json(result.suspend_payload)})
        raise ToolFailed(f"Workflow {key} ended as {result.status}: {result.error}", run_id=run.run_id)

    return Tool(f"run_{key}", description=description, input=schema, execute=execute, metadata={"mcp": "workflow"})


async def _own_run(workflow: Any, run_id: Any, context: ToolContext) -> Any:
    if not isinstance(run_id, str):
        raise InvalidInput("The run to go on with is not named.", hint="Send suspendPayload back as it came.")
    run = await workflow.get_run(run_id)
    if context.resource_id is not None and run.state.resource_id != context.resource_id:
        # The same words as for a run that does not exist: an id alone tells a stranger nothing.
        raise NotFound(f"There is no run {run_id!r}.")
    return run
