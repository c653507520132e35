"""Where processors are called in a run: input, each prompt, the stream, each step, the result, errors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra.agents.model_settings import read_settings
from mastra.agents.options import read_choice
from mastra.agents.plan import check_choice, read_models, read_system
from mastra.agents.processors.processor import Processor, ProcessorContext, overrides
from mastra.agents.traced import processor_span
from mastra.errors import InvalidInput, near_miss
from mastra.tools.tool import as_tools
from mastra.types.message_input import read_messages
from mastra.types.message_prompt import to_prompt
from mastra.types.prompt import SystemMessage

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step
    from mastra.types.chunks import Chunk
    from mastra.types.messages import Message

_HELD = frozenset({"text-start", "text-delta", "text-end", "reasoning-start", "reasoning-delta", "reasoning-end",
                   "tool-call", "source", "file"})  # fmt: skip


async def process_input(run: Run, messages: list[Message]) -> list[Message]:
    """What the input processors, in their order, make of messages of the caller."""
    for processor in run.plan.input_processors:
        if overrides(processor, "process_input"):
            with processor_span(processor, "input"):
                messages = list(await processor.process_input(list(messages), ProcessorContext(run, processor)))
    return messages


async def prepare_step(run: Run, number: int) -> None:
    """Before a call of the model: the step hooks of input processors, then `prepare_step` of the options."""
    for processor in run.plan.input_processors:
        if overrides(processor, "process_input_step"):
            with processor_span(processor, "inputStep"):
                await processor.process_input_step(run, number, ProcessorContext(run, processor))
    prepare = run.options.prepare_step
    if prepare is None:
        return
    changes = prepare(run, number)
    if inspect.isawaitable(changes):
        changes = await changes
    if not changes:
        return
    if not isinstance(changes, Mapping):
        raise InvalidInput(f"prepare_step returned a {type(changes).__name__}.", hint="Return a mapping or None.")
    _apply(run, changes)


def _apply(run: Run, changes: Mapping[str, Any]) -> None:
    """What a prepare-step function may change for the rest of the run: model, tools, choice, system, messages."""
    known = ("model", "tools", "active_tools", "tool_choice", "system", "messages", "model_settings")
    for name, value in changes.items():
        if name == "model":
            run.plan = run.plan._replace(models=read_models(value))
        elif name == "tools":
            tools = as_tools(value)
            run.plan = run.plan._replace(tools=tools, specs=tuple(tool.spec for tool in tools.values()))
        elif name == "active_tools":
            for wanted in value:
                if wanted not in run.plan.tools:
                    raise InvalidInput(
                        f"There is no tool {wanted!r} to activate.", hint=near_miss(wanted, run.plan.tools)
                    )
            active = tuple(tool.spec for key, tool in run.plan.tools.items() if key in value)
            run.plan = run.plan._replace(specs=active)
        elif name == "tool_choice":
            run.tool_choice = read_choice(value)
        elif name == "model_settings":
            run.options = run.options._replace(model_settings=read_settings(value))
        elif name == "system":
            rest = [message for message in run.prompt if not isinstance(message, SystemMessage)]
            run.prompt = [*read_system(value), *rest]
        elif name == "messages":
            system = [message for message in run.prompt if isinstance(message, SystemMessage)]
            run.prompt = [*system, *to_prompt(read_messages(value))]
        else:
            raise InvalidInput(f"prepare_step cannot change {name!r}.", hint=near_miss(name, known))
    if "tool_choice" in changes:
        check_choice(run.tool_choice, run.plan)


class StreamFilter:
    """The way of the chunks of one answer through the output processors that look at the stream.

    Each of them has one span, however many pieces the answer has.
    """

    def __init__(self, run: Run, processors: Sequence[Processor]) -> None:
        self._chain = [(one, ProcessorContext(run, one), processor_span(one, "outputStream")) for one in processors]

    async def passed(self, chunk: Chunk) -> list[Chunk]:
        """What is left of a chunk behind the last of them."""
        chunks = [chunk]
        if chunk.type not in _HELD:
            return chunks
        for processor, context, span in self._chain:
            out: list[Chunk] = []
            with span.around():
                for one in chunks:
                    made = await processor.process_output_stream(one, context)
                    if made is None:
                        continue
                    out.extend(made if isinstance(made, list) else [made])
            chunks = out
        return chunks

    def end(self, error: BaseException | None = None) -> None:
        """The answer has ended, or broke."""
        for _, _, span in self._chain:
            span.end(error)


def stream_filter(run: Run) -> StreamFilter | None:
    """The filter of an answer; None when no processor looks at the stream."""
    looking = [one for one in run.plan.output_processors if overrides(one, "process_output_stream")]
    return StreamFilter(run, looking) if looking else None


async def process_output_step(run: Run, step: Step) -> None:
    """Give a finished step to the output processors, in their order."""
    for processor in run.plan.output_processors:
        if overrides(processor, "process_output_step"):
            with processor_span(processor, "outputStep"):
                await processor.process_output_step(step, ProcessorContext(run, processor))


async def process_output_result(run: Run) -> None:
    """Give the whole answer to the output processors before it is recorded."""
    for processor in run.plan.output_processors:
        if overrides(processor, "process_output_result"):
            with processor_span(processor, "outputResult"):
                made = await processor.process_output_result(run.answers(), ProcessorContext(run, processor))
            if made:
                *run.responses, last = made
                run.parts = list(last.parts)


async def process_error(run: Run, error: Exception) -> bool:
    """Whether an error processor wants the step to be tried again."""
    for processor in run.plan.error_processors:
        if overrides(processor, "process_error"):
            with processor_span(processor, "error"):
                again = await processor.process_error(error, ProcessorContext(run, processor))
            if again:
                return True
    return False
