"""Plan: an agent's definition resolved for one request. A static agent has one plan for all its runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra.agents.options import CHOICES
from mastra.errors import BadDefinition, InvalidInput, near_miss
from mastra.ports.model import ChatModel
from mastra.runtime.models import resolve_model
from mastra.tools.tool import Tool, as_tools, client_tool
from mastra.types.model import ToolSpec
from mastra.types.prompt import SystemMessage

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.agents.options import RunOptions
    from mastra.runtime.request_context import RequestContext


class Candidate(NamedTuple):
    """One model of a list to fall back along."""

    model: ChatModel
    max_retries: int | None = None


class Plan(NamedTuple):
    """What a run works with."""

    models: tuple[Candidate, ...]
    system: tuple[SystemMessage, ...]
    tools: dict[str, Tool]
    specs: tuple[ToolSpec, ...]
    memory: Any
    input_processors: tuple[Any, ...]
    output_processors: tuple[Any, ...]
    error_processors: tuple[Any, ...]
    scorers: Any

    @property
    def model(self) -> ChatModel:
        """The first choice."""
        return self.models[0].model


async def resolve(value: Any, request_context: RequestContext) -> Any:
    """`value`, or what it returns for the request context when it is a function."""
    if is_dynamic(value):
        value = value(request_context)
        if inspect.isawaitable(value):
            value = await value
    return value


def is_dynamic(value: Any) -> bool:
    """Whether a field of a definition is a function of the request context."""
    return inspect.isfunction(value) or inspect.ismethod(value)


def read_models(given: Any) -> tuple[Candidate, ...]:
    """The models of a definition: one, or a list to fall back along."""
    if isinstance(given, list | tuple):
        made = [_candidate(one) for one in given if not isinstance(one, Mapping) or one.get("enabled", True)]
        if not made:
            raise BadDefinition("The list of models is empty.", hint="Enable at least one.")
        return tuple(made)
    return (_candidate(given),)


def _candidate(one: Any) -> Candidate:
    if isinstance(one, Mapping) and "model" in one:
        retries = one.get("max_retries", one.get("maxRetries"))
        return Candidate(resolve_model(one["model"]), retries)
    return Candidate(resolve_model(one))


def read_system(given: Any) -> tuple[SystemMessage, ...]:
    """System messages from a text, a message, or a list of them (each may carry provider options)."""
    if given is None or given == "":
        return ()
    if isinstance(given, str):
        return (SystemMessage(given),)
    if isinstance(given, SystemMessage):
        return (given,)
    if isinstance(given, Mapping):
        text = given.get("content", given.get("text"))
        if not isinstance(text, str):
            raise BadDefinition("A system message needs a text as its content.")
        return (SystemMessage(text, given.get("providerOptions", given.get("provider_options"))),)
    if isinstance(given, Sequence):
        return tuple(made for one in given for made in read_system(one))
    raise BadDefinition(f"Instructions cannot be a {type(given).__name__}.", hint="Use a text or a list of texts.")


async def make_plan(agent: Agent, request_context: RequestContext) -> Plan:
    """The plan of `agent` for this request."""
    tools = as_tools(await resolve(agent.tools, request_context))
    agents = await resolve(agent.agents, request_context)
    workflows = await resolve(agent.workflows, request_context)
    if agents or workflows:
        from mastra.agents.delegation import delegate_tools  # noqa: PLC0415 - only supervisors need it

        _merge(tools, delegate_tools(agents, workflows), agent.id)
    memory = await resolve(agent.memory, request_context)
    if memory is not None and hasattr(memory, "tools"):
        _merge(tools, as_tools(memory.tools()), agent.id)
    return Plan(
        models=read_models(await resolve(agent.model, request_context)),
        system=read_system(await resolve(agent.instructions, request_context)),
        tools=tools,
        specs=tuple(tool.spec for tool in tools.values()),
        memory=memory,
        input_processors=read_processors(await resolve(agent.input_processors, request_context)),
        output_processors=read_processors(await resolve(agent.output_processors, request_context)),
        error_processors=read_processors(await resolve(agent.error_processors, request_context)),
        scorers=read_scorers(await resolve(agent.scorers, request_context)),
    )


def read_processors(given: Any) -> tuple[Any, ...]:
    """The processors of a definition: processors, and workflows in their place."""
    if not given:
        return ()
    from mastra.agents.processors.workflow import as_processor  # noqa: PLC0415 - only guarded agents need it

    return tuple(as_processor(one) for one in given)


def _merge(tools: dict[str, Tool], more: Mapping[str, Tool], owner: str) -> None:
    for name, tool in more.items():
        if tools.setdefault(name, tool) is not tool:
            raise BadDefinition(f"Agent {owner!r} has two tools called {name!r}.", hint="Rename one.")


def narrow(plan: Plan, options: RunOptions) -> Plan:
    """The plan with what the options of one run add, replace and take away."""
    changes: dict[str, Any] = {}
    if options.model is not None:
        changes["models"] = read_models(options.model)
    if options.instructions is not None:
        changes["system"] = read_system(options.instructions)
    if options.system is not None:
        changes["system"] = (*changes.get("system", plan.system), *read_system(options.system))
    for name in ("input_processors", "output_processors", "error_processors", "scorers"):
        given = getattr(options, name)
        if given is not None:
            changes[name] = read_scorers(given) if name == "scorers" else read_processors(given)
    if options.toolsets or options.client_tools or options.active_tools is not None:
        changes["tools"] = tools = _narrowed_tools(plan.tools, options)
        changes["specs"] = tuple(tool.spec for tool in tools.values())
    return plan._replace(**changes) if changes else plan


def check_choice(choice: str, plan: Plan) -> None:
    """Refuse the choice of a tool that is not there: the model could not follow it."""
    if choice not in plan.tools and choice not in CHOICES:
        known = ", ".join(plan.tools) or "none"
        raise InvalidInput(
            f"tool_choice names {choice[:80]!r}, which is not among the tools of this run.",
            hint=near_miss(choice, plan.tools) or f"Use 'auto', 'none', 'required' or one of: {known}.",
        )


def check_conditions(conditions: Any, *known: Mapping[str, Tool]) -> None:
    """Refuse a tool that ends the run and is not there: the run would never end by it."""
    for name in conditions if isinstance(conditions, list | tuple) else (conditions,):
        if isinstance(name, str) and not any(name in tools for tools in known):
            there = [each for tools in known for each in tools]
            raise InvalidInput(
                f"stop_when names {name[:80]!r}, which is not among the tools of this run.",
                hint=near_miss(name, there) or f"Known: {', '.join(dict.fromkeys(there)) or 'none'}.",
            )


def read_scorers(given: Any) -> Any:
    """The scorers of a definition: a list or a mapping of scorers, names of them, or {scorer, sampling}."""
    for one in given.values() if isinstance(given, Mapping) else given or ():
        if not isinstance(one, str | Mapping) and not hasattr(one, "score_run"):
            raise BadDefinition(
                f"A {type(one).__name__} is no scorer.", hint='Give scorers, or {"scorer": ..., "sampling": ...}.'
            )
    return given


def _narrowed_tools(declared: dict[str, Tool], options: RunOptions) -> dict[str, Tool]:
    tools = dict(declared)
    toolsets = options.toolsets or ()
    for toolset in toolsets.values() if isinstance(toolsets, Mapping) else toolsets:
        tools.update(as_tools(toolset))
    for name, one in (options.client_tools or {}).items():
        tools[name] = one if isinstance(one, Tool) else client_tool(name, one)
    if options.active_tools is None:
        return tools
    for name in options.active_tools:
        if name not in tools:
            raise BadDefinition(f"There is no tool {name!r} to activate.", hint=near_miss(name, tools))
    return {name: tool for name, tool in tools.items() if name in options.active_tools}
