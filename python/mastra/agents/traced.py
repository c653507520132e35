"""The spans of an agent's run; what the tracing options hide stands in none of them.

They nest as the protocol has it: agent_run > model_generation > model_step > model_inference, with the calls of tools
in their step. Memory and processors stand where they are at work.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from mastra.errors import InvalidInput
from mastra.runtime.tracing import NO_SPAN, Remote, continued, current_span, inside
from mastra.types.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from mastra.agents.plan import Candidate
    from mastra.agents.result import RunResult
    from mastra.agents.run import Run, Step
    from mastra.runtime.tracing import NoSpan, Span, Tracer
    from mastra.types.model import ToolCall

T = TypeVar("T")
_NOTHING: dict[str, Any] = {}


async def traced_run(run: Run, tracer: Tracer, carry: Callable[[Run], Awaitable[RunResult]]) -> RunResult:
    """Carry the run inside a span of its own."""
    told = _told(run)
    with (
        _joined(told),
        tracer.span(
            told.get("root_span_name") or f"agent run: '{run.agent.id}'",
            "agent_run",
            input=None if told.get("hide_input") else [message.to_wire() for message in run.input],
            metadata=_metadata(run, told) or None,
            tags=tuple(told.get("tags") or ()),
            thread_id=run.thread_id,
            resource_id=run.resource_id,
            run_id=run.run_id,
            **_who(run),
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


async def traced_generation(run: Run, work: Callable[[Run], Awaitable[bool]]) -> bool:
    """Everything from the first call of a model to the answer."""
    first, model = len(run.steps), run.plan.models[0].model if run.plan.models else None
    facts = {"model": model.model_id, "provider": model.provider} if model is not None else {}
    name = f"llm: '{facts.get('model', '')}'"
    with inside(name, "model_generation", attributes={**facts, "streaming": run.push is not None}, **_who(run)) as span:
        try:
            return await work(run)
        finally:
            usage = Usage()
            for step in run.steps[first:]:
                usage = usage.plus(step.usage)
            span.set(usage=usage.to_wire(), finishReason=run.finish_reason)
            if shows_output(run) and run.steps:
                span.set_output({"text": run.steps[-1].text})


async def traced_step(run: Run, work: Callable[[Run], Awaitable[T]]) -> T:
    """One call of a model with the calls of tools that it asked for."""
    number = len(run.steps)
    with inside(f"step: {number}", "model_step", attributes={"stepIndex": number}, **_who(run)) as span:
        try:
            return await work(run)
        finally:
            if len(run.steps) > number:
                _tell(span, run, run.steps[number])


async def traced_inference(
    run: Run, step: Step, candidate: Candidate, work: Callable[[Run, Step, Candidate], Awaitable[None]]
) -> None:
    """One request to a model, until its answer is whole."""
    model = candidate.model
    facts = {"stepIndex": step.number, "model": model.model_id, "provider": model.provider}
    with inside(f"inference: {step.number}", "model_inference", attributes=facts, **_who(run)) as span:
        await work(run, step, candidate)
        _tell(span, run, step)


def _tell(span: Span | NoSpan, run: Run, step: Step) -> None:
    span.set(usage=step.usage.to_wire(), finishReason=step.finish_reason)
    if shows_output(run):
        span.set_output({"text": step.text, "toolCalls": step.tool_calls})


def tool_span(run: Run, tracer: Tracer, call: ToolCall) -> Span:
    """One call of a tool."""
    return tracer.span(
        f"tool: '{call.name}'",
        "tool_call",
        input=None if _told(run).get("hide_input") else call.arguments,
        entity_type="tool",
        entity_id=call.name,
        entity_name=call.name,
        attributes={"toolCallId": call.call_id},
    )


def processor_span(processor: Any, phase: str) -> Span | NoSpan:
    """What a processor does in a phase: `input`, `inputStep`, `outputStream`, `outputStep`, `outputResult`, `error`."""
    if current_span() is None:
        return NO_SPAN
    name = processor.id
    side = {"input": "input", "inputStep": "input_step", "outputStep": "output_step"}.get(phase, "output")
    return inside(
        f"{side.replace('_', ' ')} processor: {name}",
        "processor_run",
        entity_type=f"{side}_processor",
        entity_id=name,
        entity_name=name,
        attributes={"processorPhase": phase},
    )


def memory_span(operation: str) -> Span | NoSpan:
    """What memory does for a run: `recall` or `save`."""
    if current_span() is None:
        return NO_SPAN
    side = "input" if operation == "recall" else "output"
    return inside(
        f"memory: {operation}",
        "memory_operation",
        entity_type=f"{side}_processor",
        entity_id="message-history",
        entity_name="MessageHistory",
        attributes={"operationType": operation},
    )


def shows_output(run: Run) -> bool:
    """Whether what came out may stand in the trace."""
    return not _told(run).get("hide_output")


def _who(run: Run) -> dict[str, str]:
    return {"entity_type": "agent", "entity_id": run.agent.id, "entity_name": run.agent.name}


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
