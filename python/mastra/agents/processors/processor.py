"""Processor: one guard or change of a run. Override the hooks you need; the others cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mastra.errors import Tripwire

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step
    from mastra.runtime.request_context import RequestContext
    from mastra.types.chunks import Chunk
    from mastra.types.messages import Message


class ProcessorContext:
    """What a hook may know and do."""

    __slots__ = ("_processor", "run", "state")

    def __init__(self, run: Run, processor: Processor) -> None:
        self.run = run
        self._processor = processor
        # Kept for the length of this run; a processor itself is shared by all runs.
        self.state: dict[str, Any] = run.state.setdefault(f"processor:{processor.id}", {})

    @property
    def request_context(self) -> RequestContext:
        """The request context of the run."""
        return self.run.request_context

    @property
    def retries(self) -> int:
        """How often processors have sent the model back in this run."""
        return self.run.processor_retries

    def abort(self, reason: str, *, retry: bool = False, metadata: Any = None) -> NoReturn:
        """Block the run; with `retry`, let the model try again with the reason as feedback, where retries are on."""
        details: dict[str, Any] = {"processorId": self._processor.id}
        if metadata is not None:
            details["metadata"] = metadata
        if retry:
            details["retry"] = True
        raise Tripwire(reason, run_id=self.run.run_id, details=details)


class Processor:
    """A named set of hooks. Each returns what to go on with; calling `context.abort` blocks the run."""

    id: str = ""

    def __init__(self, id: str | None = None) -> None:
        self.id = id or self.id or type(self).__name__

    async def process_input(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """The messages of the caller, once, before anything is sent or stored."""
        del context
        return messages

    async def process_input_step(self, run: Run, number: int, context: ProcessorContext) -> None:
        """Before every call of the model: change `run.prompt`, `run.plan` or `run.tool_choice`."""

    async def process_output_stream(self, chunk: Chunk, context: ProcessorContext) -> Chunk | list[Chunk] | None:
        """A chunk of the answer on its way out: the same, others, or None to hold it back."""
        del context
        return chunk

    async def process_output_step(self, step: Step, context: ProcessorContext) -> None:
        """A step before it is recorded: change its parts and text."""

    async def process_output_result(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """The answer before it is recorded for the last time."""
        del context
        return messages

    async def process_error(self, error: Exception, context: ProcessorContext) -> bool:
        """A model failed: True to try the step again."""
        del error, context
        return False


def overrides(processor: Any, hook: str) -> bool:
    """Whether a processor has its own version of a hook."""
    own = getattr(type(processor), hook, None)
    return own is not None and own is not getattr(Processor, hook)
