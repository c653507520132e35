"""Delegation: other agents and workflows as tools of an agent, in one stream, on one budget."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from mastra.agents.waiting import CHILD, WORKFLOW
from mastra.errors import BadDefinition, InvalidInput, LimitReached, NotSuspended, ResumeClaimed, ToolFailed
from mastra.runtime.signals import Suspend
from mastra.tools.tool import Tool
from mastra.types.chunks import Chunk
from mastra.types.ids import new_id
from mastra.types.schema import Schema, to_json

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.agents.result import RunResult
    from mastra.agents.run import Run
    from mastra.runtime.stream import Emit
    from mastra.tools.context import ToolContext

_AGENT_INPUT = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "description": "What the agent is asked to do, with everything it must know"},
        "instructions": {
            "type": ["string", "null"],
            "description": "Guidance beyond what the agent knows already; leave it out in most cases",
        },
    },
    "required": ["prompt"],
    "additionalProperties": False,
}


class NestedEmit:
    """The child's end of the parent's stream: each chunk travels inside a `tool-output` of the call."""

    __slots__ = ("_call_id", "_name", "_parent", "_path", "_run", "_run_id", "log")

    def __init__(self, parent: Emit, context: ToolContext, path: tuple[str, ...]) -> None:
        self._parent = parent
        self._run: Run | None = context.run
        self._run_id = context.run_id
        self._call_id = context.tool_call_id
        self._name = context.tool_name
        self._path = path
        self.log = None

    def push(self, chunk: Chunk) -> bool:
        """Wrap and pass on; data chunks go through as they are."""
        if chunk.type.startswith("data-"):
            if self._run is not None and not chunk.payload.get("transient"):
                self._run.keep_data(chunk.type, chunk.payload)  # its caller's answer shows it too
            return self._parent.push(chunk)
        wire = chunk.to_wire()
        if chunk.type == "finish":
            wire["payload"] = {key: value for key, value in wire["payload"].items() if key != "response"}
        payload = {"output": wire, "toolCallId": self._call_id, "toolName": self._name}
        return self._parent.push(Chunk("tool-output", payload, self._run_id, "USER", None, chunk.path or self._path))

    async def room(self) -> None:
        """Wait for the reader."""
        await self._parent.room()

    async def send(self, chunk: Chunk) -> None:
        """Push, and wait when the reader is behind."""
        if self.push(chunk):
            await self.room()


def delegate_tools(agents: Any, workflows: Any) -> dict[str, Tool]:
    """`agent-<key>` and `workflow-<key>` tools for sub-agents and workflows."""
    out: dict[str, Tool] = {}
    for key, agent in _named(agents):
        out[f"agent-{key}"] = agent_tool(agent, key)
    for key, workflow in _named(workflows):
        out[f"workflow-{key}"] = workflow_tool(workflow, key)
    return out


def _named(things: Any) -> list[tuple[str, Any]]:
    if not things:
        return []
    return list(things.items()) if isinstance(things, Mapping) else [(thing.id, thing) for thing in things]


# ---------------------------------------------------------------- agents


def agent_tool(agent: Agent, key: str | None = None) -> Tool:
    """An agent as a tool: it answers a prompt, with its own thread, on the budget of whoever calls it."""
    name = key or agent.id
    description = getattr(agent, "description", "")
    if not description:
        raise BadDefinition(
            f"Agent {name!r} has no description.", hint="Say in its description when another agent should ask it."
        )

    async def execute(arguments: dict[str, Any], context: ToolContext) -> Any:
        return await _ask(agent, name, arguments, context)

    return Tool(
        f"agent-{name}",
        description=description,
        input=_AGENT_INPUT,
        execute=execute,
        to_model_output=lambda result: result.get("text", "") if isinstance(result, dict) else result,
    )


async def _ask(agent: Agent, name: str, arguments: dict[str, Any], context: ToolContext) -> Any:
    parent: Run | None = context.run
    rules = _rules(parent)
    if parent is not None and len(parent.path) >= parent.budget.limits.depth:
        raise LimitReached("Sub-agents call sub-agents too deeply.", run_id=context.run_id, details={"limit": "depth"})
    answer = context.resume_data
    if answer is None:
        started = await _hook(rules, "on_delegation_start", {"agent": name, **arguments}, context)
        if isinstance(started, Mapping):
            if started.get("reject"):
                return {"text": str(started["reject"])}
            arguments = {**arguments, **{key: started[key] for key in ("prompt", "instructions") if key in started}}
    thread, resource = _place(rules, name, context)
    if hasattr(agent, "begin"):
        result = await _run_child(agent, arguments, context, parent, rules, answer, (thread, resource))
    else:
        result = await agent.generate(arguments["prompt"])
    if result.finish_reason == "suspended":
        _pass_suspension(name, result)
    if result.error is not None:
        raise ToolFailed(f"Agent {name} failed: {result.error.message}", run_id=context.run_id) from result.error
    out = {
        "text": result.text,
        "subAgentThreadId": thread,
        "subAgentResourceId": resource,
        "subAgentToolResults": [
            {key: one[key] for key in ("toolName", "toolCallId", "result", "args")} for one in result.tool_results
        ],
    }
    if result.object is not None:
        out["object"] = to_json(result.object)
    done = await _hook(rules, "on_delegation_complete", {"agent": name, "result": out}, context)
    if isinstance(done, Mapping) and done.get("feedback"):
        out["text"] = f"{out['text']}\n\n{done['feedback']}"
    return out


async def _run_child(
    agent: Agent,
    arguments: dict[str, Any],
    context: ToolContext,
    parent: Run | None,
    rules: Mapping[str, Any],
    answer: Any,
    place: tuple[str | None, str | None],
) -> RunResult:
    run_id = new_id() if answer is None else answer[CHILD]["runId"]
    path = (*context.path, run_id)
    emit: Any = None
    if parent is not None and parent.emit is not None:
        emit = NestedEmit(parent.emit, context, path)
    options: dict[str, Any] = {"run_id": run_id, "request_context": context.request_context, "deps": context.deps}
    if place[0] is not None:
        options["thread"], options["resource"] = place
    if arguments.get("instructions"):
        options["system"] = arguments["instructions"]
    if parent is not None:
        for name in ("require_tool_approval", "approval_ttl_s"):
            options[name] = getattr(parent.options, name)
    if answer is not None:
        kept = {key: options[key] for key in ("request_context", "deps")}
        child = await agent.take_up(run_id, answer[CHILD].get("toolCallId"), answer["answer"], kept, emit)
        child.path = path
        if parent is not None:
            child.budget = parent.budget
    else:
        if "message_filter" in rules and parent is not None:
            chosen = rules["message_filter"](parent.conversation(), arguments)
            options["context"] = await chosen if inspect.isawaitable(chosen) else chosen
        budget = None if parent is None else parent.budget
        child = await agent.begin(arguments["prompt"], options, emit=emit, budget=budget, path=path)
    result = await agent.carry(child)
    if parent is not None:
        parent.usage = parent.usage.plus(child.usage) if answer is None else parent.usage
        parent.cost += child.cost
    return result


def _rules(parent: Run | None) -> Mapping[str, Any]:
    if parent is None or not parent.options.delegation:
        return {}
    given: Mapping[str, Any] = parent.options.delegation
    return given


async def _hook(rules: Mapping[str, Any], name: str, value: Any, context: ToolContext) -> Any:
    hook = rules.get(name)
    if hook is None:
        return None
    said = hook(value, context)
    return await said if inspect.isawaitable(said) else said


def _place(rules: Mapping[str, Any], name: str, context: ToolContext) -> tuple[str | None, str | None]:
    """The child's thread: its own (the same for every call from this thread), the parent's, or none."""
    mode = rules.get("memory", "own")
    if context.thread_id is None or mode == "none":
        return None, None
    if mode == "shared":
        return context.thread_id, context.resource_id
    resource = None if context.resource_id is None else f"{context.resource_id}-{name}"
    return f"{context.thread_id}-{name}"[:128], resource


def _pass_suspension(name: str, result: RunResult) -> NoReturn:
    first = result.pending[0] if result.pending else {}
    raise Suspend({**first, CHILD: {"agent": name, "runId": result.run_id, "pending": result.pending}})


# ---------------------------------------------------------------- workflows


def workflow_tool(workflow: Any, key: str | None = None) -> Tool:
    """A workflow as a tool: its input schema is the tool's."""
    name = key or workflow.id
    description = getattr(workflow, "description", "") or ""
    if not description:
        raise BadDefinition(
            f"Workflow {name!r} has no description.", hint="Say in its description when an agent should run it."
        )
    given = getattr(workflow, "input", None)
    schema = None if given is None else Schema.of(given)
    # A model's arguments are always an object: any other input is put under one name.
    plain = schema is not None and schema.json_schema.get("type", "object") != "object"

    async def execute(arguments: Any, context: ToolContext) -> Any:
        answer = context.resume_data
        run, carry = await (_start(arguments, context.resource_id) if answer is None else _go_on(answer))
        try:
            result = await _carried(run, carry, context)
        except (NotSuspended, ResumeClaimed):
            result = await run.wait()  # somebody answered the workflow itself
        except InvalidInput as error:
            if answer is None:
                raise
            # Nothing is lost by a wrong answer: the run goes on waiting, and says what was wrong.
            raise Suspend({**_shown(answer[WORKFLOW]), "error": error.message}) from error
        if result.status == "success":
            return {"result": to_json(result.result), "runId": run.run_id}
        if result.status == "suspended":
            raise Suspend(_shown(_waits(name, run.run_id, result)))
        raise ToolFailed(f"Workflow {name} ended as {result.status}: {result.error}", run_id=context.run_id)

    async def _start(arguments: Any, resource: str | None) -> tuple[Any, Any]:
        data = arguments["input"] if plain else arguments
        run = await workflow.create_run(resource=resource)
        return run, ("start", "stream", data, {})

    async def _go_on(answer: Mapping[str, Any]) -> tuple[Any, Any]:
        waits = answer[WORKFLOW]
        run = await workflow.get_run(waits["runId"])
        return run, ("resume", "resume_stream", answer["data"], {"step": waits["suspended"][0]})

    shape = None if schema is None else schema.json_schema
    if plain and shape is not None:
        inner = {key: value for key, value in shape.items() if key not in ("$defs", "$schema")}
        shape = {
            "type": "object",
            "properties": {"input": inner},
            "required": ["input"],
            "additionalProperties": False,
            **({"$defs": shape["$defs"]} if "$defs" in shape else {}),
        }
    return Tool(f"workflow-{name}", description=description, input=shape, execute=execute)


async def _carried(run: Any, carry: tuple[str, str, Any, dict[str, Any]], context: ToolContext) -> Any:
    quiet, loud, data, options = carry
    parent: Run | None = context.run
    if parent is None or parent.emit is None:
        return await getattr(run, quiet)(data, **options)
    async with getattr(run, loud)(data, **options) as stream:
        async for chunk in stream:
            await context.write(chunk)
        return await stream.result()


def _waits(name: str, run_id: str, result: Any) -> dict[str, Any]:
    return {
        "workflow": name,
        "runId": run_id,
        "suspended": result.suspended,
        "suspendPayload": to_json(result.suspend_payload),
    }


def _shown(waits: dict[str, Any]) -> dict[str, Any]:
    """What is announced: the payload of the step that is answered first, and where the workflow stands."""
    payload = waits["suspendPayload"].get(waits["suspended"][0][0])
    return {**(payload if isinstance(payload, dict) else {}), WORKFLOW: waits}
