"""What may stand in a workflow as a step: functions, agents and tools become steps here."""

from __future__ import annotations

from typing import Any

from mastra.errors import BadDefinition
from mastra.workflows.context import StepContext
from mastra.workflows.step import Step, named


def as_step(part: Any) -> Step[Any, Any]:
    """The step that a function, agent or tool stands for."""
    if isinstance(part, Step):
        return part
    if is_agent(part):
        return agent_step(part)
    if is_tool(part):
        return tool_step(part)
    if callable(part):
        return Step(part, id=named(part))
    raise BadDefinition(
        f"A {type(part).__name__} cannot be a step.", hint="Give a step, a function, an agent, a tool or a workflow."
    )


def clone_step(step: Step[Any, Any], *, id: str) -> Step[Any, Any]:
    """The same step under another id, so that it can stand in a workflow twice."""
    return Step(
        step.execute, id=id, description=step.description, input=step.input, output=step.output, resume=step.resume,
        suspend=step.suspend, state=step.state, retries=step.retries, timeout=step.timeout, runs_on=step.runs_on,  # pyright: ignore[reportArgumentType]  # mypy reads it right
        on_error=step.on_error, compensate=step.compensate, scorers=step.scorers, metadata=step.metadata,
    )  # fmt: skip


def is_agent(part: Any) -> bool:
    """Whether it generates and streams like an agent."""
    return not isinstance(part, type) and hasattr(part, "generate") and hasattr(part, "stream") and hasattr(part, "id")


def is_tool(part: Any) -> bool:
    """Whether it is called like a tool: by arguments that fit a schema."""
    return not isinstance(part, type | Step) and hasattr(part, "json_schema") and hasattr(part, "invoke")


def agent_step(
    agent: Any, *, id: str | None = None, output: Any = None, options: dict[str, Any] | None = None
) -> Step[Any, Any]:
    """An agent as a step: `{"prompt": ...}` (or a text) in, `{"text": ...}` or the asked-for object out."""
    wanted = dict(options or {})
    if output is not None:
        wanted["output"] = output

    async def ask(value: Any, ctx: StepContext) -> Any:
        run = _agent_run(agent, value, ctx, wanted)
        async with run as stream:
            async for chunk in stream:
                ctx.writer.forward(chunk)
            result = await stream.result()
        ctx.writer.count(result)
        if getattr(result, "finish_reason", None) == "suspended":
            ctx.suspend({**(result.suspend_payload or {}), "agentRunId": result.run_id})
        return result.object if output is not None else {"text": result.text}

    shape: Any = output if output is not None else {"type": "object", "properties": {"text": {"type": "string"}}}
    about = getattr(agent, "description", "") or ""
    return Step(ask, id=id or agent.id, description=about, output=shape)


def _agent_run(agent: Any, value: Any, ctx: StepContext, options: dict[str, Any]) -> Any:
    waiting = ctx.suspend_data
    if ctx.resume_data is not None and isinstance(waiting, dict) and "agentRunId" in waiting:
        return agent.resume(ctx.resume_data, run_id=waiting["agentRunId"], tool_call_id=waiting.get("toolCallId"))
    prompt = value.get("prompt") if isinstance(value, dict) else value
    if prompt is None and isinstance(value, dict):
        prompt = value.get("messages")
    return agent.stream(prompt, request_context=ctx.request_context, **options)


def tool_step(tool: Any, *, id: str | None = None) -> Step[Any, Any]:
    """A tool as a step: its arguments in, its result out. It may suspend the run as any step does."""
    from mastra.tools.call import run_tool  # noqa: PLC0415 - only workflows with tools need it
    from mastra.tools.context import ToolContext  # noqa: PLC0415 - the same

    async def use(value: Any, ctx: StepContext) -> Any:
        given = ToolContext(
            run_id=ctx.run_id, tool_call_id=ctx.idempotency_key, tool_name=tool.name, resource_id=ctx.resource_id,
            request_context=ctx.request_context, services=ctx.services, resume_data=ctx.resume_data,
        )  # fmt: skip
        return await run_tool(tool, value, given)

    about = getattr(tool, "description", "") or ""
    return Step(use, id=id or tool.id, description=about, input=tool.json_schema)
