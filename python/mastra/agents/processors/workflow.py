"""A workflow as a processor: several guards as its steps, side by side or in turn, with branches and retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mastra.agents.processors.processor import Processor, ProcessorContext, overrides
from mastra.errors import BadDefinition, RunError
from mastra.types.message_input import read_messages
from mastra.types.schema import to_json

if TYPE_CHECKING:
    from mastra.types.messages import Message

Phase: TypeAlias = Literal["input", "outputResult"]
_PHASES: tuple[Phase, ...] = ("input", "outputResult")


class WorkflowProcessor(Processor):
    """Runs a workflow over the messages of the caller, over those of the answer, or over both.

    It is given `{"phase", "messages", "requestContext"}`; a result with `messages` replaces them, any other leaves
    them as they are. A step that raises `Tripwire` blocks the run. A workflow that fails or waits ends it: a guard
    that is missing is a refusal.
    """

    def __init__(self, workflow: Any, *, phases: tuple[Phase, ...] = _PHASES, id: str | None = None) -> None:
        super().__init__(id or workflow.id)
        wrong = [phase for phase in phases if phase not in _PHASES]
        if wrong or not phases:
            raise BadDefinition(f"{wrong or 'Nothing'} is no phase.", hint=f"Use {' or '.join(_PHASES)}.")
        self.workflow = workflow
        self._phases = phases

    async def process_input(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """Give the caller's messages to the workflow."""
        return await self._carry("input", messages, context)

    async def process_output_result(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """Give the answer to the workflow before it is recorded."""
        return await self._carry("outputResult", messages, context)

    async def _carry(self, phase: Phase, messages: list[Message], context: ProcessorContext) -> list[Message]:
        if phase not in self._phases:
            return messages
        shared = context.request_context.to_wire()
        given = {"phase": phase, "messages": [one.to_wire() for one in messages], "requestContext": shared}
        run = await self.workflow.create_run(resource=context.run.resource_id)
        result = await run.start(given)
        if result.status == "tripwire":
            error = result.error or {}
            details = error.get("details") or {}
            context.abort(
                error.get("message", "Blocked."), retry=bool(details.get("retry")), metadata=details.get("metadata")
            )
        if result.status != "success":
            raise RunError(
                f"The guard {self.id} ended as {result.status}: {(result.error or {}).get('message', '')}",
                run_id=context.run.run_id,
                details={"processorId": self.id, "workflowRunId": run.run_id},
            )
        return _messages_in(to_json(result.result), messages)


def _messages_in(result: Any, messages: list[Message]) -> list[Message]:
    """The messages of a result; guards that ran side by side answer under their steps' names."""
    if not isinstance(result, Mapping):
        return messages
    if isinstance(result.get("messages"), list):
        return list(read_messages(result["messages"]))
    return messages


def as_processor(one: Any) -> Any:
    """A processor as it is, or the workflow that stands in its place."""
    if hasattr(one, "create_run"):
        return WorkflowProcessor(one)
    hooks = ("process_input", "process_input_step", "process_output_stream", "process_output_step",
             "process_output_result", "process_error")  # fmt: skip
    if not isinstance(one, Processor) and not any(overrides(one, hook) for hook in hooks):
        raise BadDefinition(f"A {type(one).__name__} is no processor.", hint="Give a Processor or a workflow.")
    return one
