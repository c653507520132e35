"""The spans of a run, of its model calls and of its tools; what the tracing options hide stands in none of them."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.runtime.tracing import Remote, continued

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from mastra.agents.result import RunResult
    from mastra.agents.run import Run, Step
    from mastra.ports.model import ChatModel
    from mastra.runtime.tracing import Span, Tracer
    from mastra.tools.tool import Tool
    from mastra.types.model import ToolCall

_NOTHING: dict[str, Any] = {}


async def traced_run(run: Run, tracer: Tracer, carry: Callable[[Run], Awaitable[RunResult]]) -> RunResult:
    """Carry the run inside a span of its own."""
    told = _told(run)
    with (
        _joined(told),
        tracer.span(
            told.get("root_span_name") or f"agent run: {run.agent.id}",
            "agent_run",
            input=None if told.get("hide_input") else [message.to_wire() for message in run.input],
            metadata=_metadata(run, told) or None,
            tags=tuple(told.get("tags") or ()),
            thread_id=run.thread_id,
            resource_id=run.resource_id,
            entity_type="agent",
            entity_id=run.agent.id,
            entity_name=run.agent.name,
            run_id=run.run_id,
        ) as span,
    ):
        run.span, run.trace_id = span, span.trace_id
        run.metadata["traceId"] = span.trace_id
        result = await carry(run)
        if not told.get("hide_output"):
            span.set_output({"text": result.text, "object": run.object})
        span.set(finishReason=run.finish_reason, usage=run.usage.to_wire(), steps=len(run.steps))
        if run.error is not None:
            span.error = run.error.to_dict()
        return result


@contextmanager
def model_span(run: Run, tracer: Tracer, model: ChatModel, step: Step) -> Iterator[None]:
    """The span of one call of a model."""
    facts = {"model": model.model_id, "provider": model.provider}
    with tracer.span(f"model: {model.model_id}", "model_generation", attributes=facts) as span:
        yield
        span.set(usage=step.usage.to_wire(), finishReason=step.finish_reason)
        if not _told(run).get("hide_output"):
            span.set_output({"text": step.text, "toolCalls": step.tool_calls})


def tool_span(run: Run, tracer: Tracer, tool: Tool, call: ToolCall) -> Span:
    """The span of one tool call."""
    shown = None if _told(run).get("hide_input") else call.arguments
    return tracer.span(f"tool: {tool.name}", "tool_call", input=shown, entity_name=tool.name)


def shows_output(run: Run) -> bool:
    """Whether what came out may stand in the trace."""
    return not _told(run).get("hide_output")


def _told(run: Run) -> Mapping[str, Any]:
    return run.options.tracing_options or _NOTHING


def _metadata(run: Run, told: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's metadata, and what it wants to see of the request context."""
    values = run.request_context.to_wire()
    picked = {key: values[key] for key in told.get("request_context_keys", ()) if key in values}
    return {**picked, **(told.get("metadata") or {})}


def _joined(told: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Go on with the trace that the caller names."""
    trace_id = told.get("trace_id")
    if trace_id is None:
        return nullcontext()
    return continued(Remote(trace_id, told.get("parent_span_id") or ""))


def check_trace(told: Mapping[str, Any]) -> None:
    """The ids of a trace and a span are hexadecimal numbers of 32 and 16 digits, and not 0."""
    for name, digits in (("trace_id", 32), ("parent_span_id", 16)):
        value = told.get(name)
        if value is not None and (not re.fullmatch(f"[0-9a-f]{{{digits}}}", value) or not value.strip("0")):
            raise InvalidInput(f"{name} must be {digits} hexadecimal digits, in lower case.")
    if "parent_span_id" in told and "trace_id" not in told:
        raise InvalidInput("parent_span_id needs the trace_id of its trace.")
