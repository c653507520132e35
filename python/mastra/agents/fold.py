"""Fold: the deltas of one model answer become chunks for the listener and one step for the history."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from mastra.errors import LimitReached, StreamBroken
from mastra.types.chunks import Chunk
from mastra.types.model import (
    Finish,
    GeneratedFile,
    ModelDelta,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    ResponseStart,
    Source,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
    ToolResult,
)

if TYPE_CHECKING:
    from mastra.agents.guards import StreamFilter
    from mastra.agents.run import Run, Step

_new = tuple.__new__


async def fold(deltas: AsyncIterator[ModelDelta], step: Step, run: Run) -> None:
    """Read an answer to its end. `StreamBroken` when it ends without its terminal event."""
    reading = Fold(step, run)
    try:
        await _read_all(deltas, reading, step, run)
    except BaseException as error:
        reading.close(error)  # what was said before the break is kept
        raise


async def _read_all(deltas: AsyncIterator[ModelDelta], fold: Fold, step: Step, run: Run) -> None:
    push = run.push if fold.filter is None and run.structured is None else None
    plain = push is not None or (run.push is None and fold.filter is None)
    room = None if run.emit is None else run.emit.room
    run_id, path = run.run_id, run.path
    texts = fold.texts
    left = run.budget.limits.answer_chars
    async for delta in deltas:
        if delta.__class__ is TextDelta and plain:
            # The hot path: one tuple, one dict, one append for each delta.
            text = delta[1]  # pyright: ignore[reportGeneralTypeIssues]  # mypy reads it right
            texts.append(text)  # pyright: ignore[reportArgumentType]  # mypy reads it right
            left -= len(text)  # pyright: ignore[reportArgumentType]  # mypy reads it right
            if push is not None:
                payload: dict[str, Any] = {"id": delta[0], "text": text}
                if delta[2] is not None:  # pyright: ignore[reportGeneralTypeIssues]  # mypy reads it right
                    payload["providerMetadata"] = delta[2]  # pyright: ignore[reportGeneralTypeIssues]  # mypy reads it right
                if push(_new(Chunk, ("text-delta", payload, run_id, "AGENT", None, path))) and room is not None:
                    await room()
        else:
            size = await fold.read(delta)
            left -= size
            if room is not None and size:
                await room()
        if left < 0:
            raise LimitReached(
                "The model's answer is longer than allowed.",
                run_id=run_id,
                details={"limit": "answer_chars", "value": run.budget.limits.answer_chars},
            )
    if not fold.finished:
        raise StreamBroken("The model's answer ended without its terminal event.", adapter=step.model.provider)
    fold.close()


class Fold:
    """What has been read of one answer; one method a kind of delta."""

    __slots__ = ("filter", "finished", "inputs", "reasoning", "run", "step", "text_at", "texts", "thoughts")

    def __init__(self, step: Step, run: Run) -> None:
        self.step = step
        self.run = run
        self.texts: list[str] = []
        self.text_at = 0
        self.thoughts: dict[str, list[str]] = {}
        self.inputs: dict[str, str] = {}
        self.finished = False
        self.filter: StreamFilter | None = None
        if run.plan.output_processors:
            from mastra.agents.guards import stream_filter  # noqa: PLC0415 - only guarded agents need it

            self.filter = stream_filter(run)

    async def read(self, delta: ModelDelta) -> int:
        """Take one delta; how many characters it brought."""
        handle = _HANDLERS.get(delta.__class__)
        if handle is None:
            return 0
        chunk = handle(self, delta)
        if chunk is None:
            return 0
        if delta.__class__ in _INPUTS:
            await self.tell_tool(delta)
        if self.filter is None:
            self.accept(chunk)
        else:
            for passed in await self.filter.passed(chunk):
                self.accept(passed)
        text = chunk.payload.get("text") or chunk.payload.get("argsTextDelta")
        return len(text) if isinstance(text, str) else 0

    async def tell_tool(self, delta: Any) -> None:
        """Let the tool that is called listen to its input while the model still writes it."""
        call_id = delta.call_id
        name = self.inputs.get(call_id, "") if delta.__class__ is ToolInputDelta else delta.name
        tool = self.run.plan.tools.get(name)
        if tool is None or not tool.hooks:
            return
        hook, said = _INPUTS[delta.__class__]
        heard = tool.hooks.get(hook)
        if heard is None:
            return
        from mastra.agents.callbacks import tell  # noqa: PLC0415 - only tools that listen need it
        from mastra.agents.calls import context_of  # noqa: PLC0415 - the same

        context = context_of(self.run, ToolCall(call_id, name, {}))
        arguments = () if said is None else (getattr(delta, said),)
        if hook == "on_input_available" and delta.arguments is None:
            return  # what is no object is not available
        await tell(self.run, hook, heard, *arguments, context)

    def accept(self, chunk: Chunk) -> None:
        """Keep what a chunk says, and send it on."""
        kind = chunk.type
        if kind == "text-delta":
            self.texts.append(chunk.payload["text"])
        elif kind == "text-end":
            self.end_text(chunk.payload.get("providerMetadata"))
        elif kind == "reasoning-delta":
            self.thoughts.setdefault(chunk.payload["id"], []).append(chunk.payload["text"])
        push = self.run.push
        if push is None:
            return
        structured = self.run.structured
        if structured is not None and kind == "text-delta":
            partial = structured.partial(chunk.payload["text"])
            if partial is not None:
                push(Chunk("object", partial, self.run.run_id, path=self.run.path))
        push(chunk)
        if structured is not None and kind == "text-end":
            whole = structured.early(self.texts_so_far())
            if whole is not None:
                push(Chunk("object-result", whole, self.run.run_id, path=self.run.path))

    def texts_so_far(self) -> str:
        """The text of this answer."""
        return self.step.text + "".join(self.texts)

    def chunk(self, type: str, payload: dict[str, Any]) -> Chunk:
        """A chunk of this run."""
        return _new(Chunk, (type, payload, self.run.run_id, "AGENT", None, self.run.path))

    def end_text(self, metadata: dict[str, Any] | None = None) -> None:
        """A text is whole: it becomes a part."""
        if self.texts:
            text = "".join(self.texts)
            self.texts.clear()
            self.step.text += text
            part: dict[str, Any] = {"type": "text", "text": text, "createdAt": int(time.time() * 1000)}
            if metadata is not None:
                part["providerMetadata"] = metadata
            self.step.parts.append(part)

    def close(self, error: BaseException | None = None) -> None:
        """The answer is whole, or broke."""
        if self.filter is not None:
            self.filter.end(error)
        self.end_text()
        for name in list(self.thoughts):
            self.end_thought(name, None, None, None)

    def end_thought(
        self, name: str, signature: str | None, redacted: str | None, metadata: dict[str, Any] | None
    ) -> None:
        """A thought is whole: it becomes a part."""
        text = "".join(self.thoughts.pop(name, ()))
        if not text and signature is None and redacted is None:
            return
        self.step.reasoning += text
        detail: dict[str, Any] = {"type": "text", "text": text}
        if redacted is not None:
            detail = {"type": "redacted", "data": redacted}
        elif signature is not None:
            detail["signature"] = signature
        part: dict[str, Any] = {"type": "reasoning", "reasoning": "", "details": [detail]}
        part["createdAt"] = int(time.time() * 1000)
        if metadata is not None:
            part["providerMetadata"] = metadata
        self.step.parts.append(part)

    # ------------------------------------------------------------ deltas

    def _response_start(self, delta: ResponseStart) -> None:
        self.step.response = delta
        self.step.warnings = delta.warnings

    def _text_start(self, delta: TextStart) -> Chunk | None:
        return self._with_metadata("text-start", {"id": delta.id}, delta.provider_metadata)

    def _text_delta(self, delta: TextDelta) -> Chunk:
        return self._with_metadata("text-delta", {"id": delta.id, "text": delta.text}, delta.provider_metadata)

    def _text_end(self, delta: TextEnd) -> Chunk:
        return self._with_metadata("text-end", {"type": "text-end", "id": delta.id}, delta.provider_metadata)

    def _reasoning_start(self, delta: ReasoningStart) -> Chunk:
        return self._with_metadata("reasoning-start", {"id": delta.id}, delta.provider_metadata)

    def _reasoning_delta(self, delta: ReasoningDelta) -> Chunk:
        return self._with_metadata("reasoning-delta", {"id": delta.id, "text": delta.text}, delta.provider_metadata)

    def _reasoning_end(self, delta: ReasoningEnd) -> Chunk:
        self.end_thought(delta.id, delta.signature, delta.redacted_data, delta.provider_metadata)
        payload: dict[str, Any] = {"id": delta.id}
        if delta.signature is not None:
            payload["signature"] = delta.signature
        return self._with_metadata("reasoning-end", payload, delta.provider_metadata)

    def _input_start(self, delta: ToolInputStart) -> Chunk:
        self.inputs[delta.call_id] = delta.name
        payload: dict[str, Any] = {"toolCallId": delta.call_id, "toolName": delta.name}
        if delta.provider_executed:
            payload["providerExecuted"] = True
        return self.chunk("tool-call-input-streaming-start", payload)

    def _input_delta(self, delta: ToolInputDelta) -> Chunk:
        name = self.inputs.get(delta.call_id, "")
        return self.chunk(
            "tool-call-delta", {"argsTextDelta": delta.text, "toolCallId": delta.call_id, "toolName": name}
        )

    def _input_end(self, delta: ToolInputEnd) -> Chunk:
        return self.chunk("tool-call-input-streaming-end", {"toolCallId": delta.call_id})

    def _tool_call(self, delta: ToolCall) -> Chunk:
        self.end_text()
        self.step.calls.append(delta)
        args = delta.arguments if delta.arguments is not None else {}
        call: dict[str, Any] = {
            "state": "call",
            "toolCallId": delta.call_id,
            "toolName": delta.name,
            "args": args,
        }
        payload: dict[str, Any] = {"toolCallId": delta.call_id, "toolName": delta.name, "args": args}
        if delta.provider_executed:
            call["providerExecuted"] = payload["providerExecuted"] = True
        part: dict[str, Any] = {
            "type": "tool-invocation",
            "toolInvocation": call,
            "createdAt": int(time.time() * 1000),
        }
        if delta.provider_metadata is not None:
            part["providerMetadata"] = payload["providerMetadata"] = delta.provider_metadata
        self.step.parts.append(part)
        return self.chunk("tool-call", payload)

    def _tool_result(self, delta: ToolResult) -> Chunk:
        for part in self.step.parts:
            call = part.get("toolInvocation")
            if call is not None and call["toolCallId"] == delta.call_id:
                call.update(state="result", result=delta.result)
                if delta.is_error:
                    call["isError"] = True
        payload = {"toolCallId": delta.call_id, "toolName": delta.name, "result": delta.result}
        payload["providerExecuted"] = True
        if delta.is_error:
            payload["isError"] = True
        return self._with_metadata("tool-result", payload, delta.provider_metadata)

    def _source(self, delta: Source) -> Chunk:
        payload: dict[str, Any] = {"id": delta.id, "sourceType": delta.kind, "title": delta.title}
        known = {"url": delta.url, "mimeType": delta.media_type, "filename": delta.filename}
        payload.update({key: value for key, value in known.items() if value is not None})
        self.step.sources.append(payload)
        self.step.parts.append({"type": "source", "source": payload})
        return self._with_metadata("source", payload, delta.provider_metadata)

    def _file(self, delta: GeneratedFile) -> Chunk:
        data = base64.b64encode(delta.data).decode()
        payload: dict[str, Any] = {"data": data, "base64": data, "mimeType": delta.media_type}
        self.step.files.append(payload)
        self.step.parts.append({"type": "file", "data": data, "mimeType": delta.media_type})
        return self._with_metadata("file", payload, delta.provider_metadata)

    def _finish(self, delta: Finish) -> None:
        self.finished = True
        step = self.step
        step.finish_reason = delta.reason
        step.raw_reason = delta.raw_reason
        step.usage = delta.usage
        step.metadata = delta.provider_metadata
        step.response_body = delta.response_body

    def _with_metadata(self, type: str, payload: dict[str, Any], metadata: dict[str, Any] | None) -> Chunk:
        if metadata is not None:
            payload["providerMetadata"] = metadata
        return self.chunk(type, payload)


# They are one class with the table, whatever the underscore says.
_HANDLERS: dict[type, Callable[[Fold, Any], Chunk | None]] = {
    ResponseStart: Fold._response_start,  # noqa: SLF001
    TextStart: Fold._text_start,  # noqa: SLF001
    TextDelta: Fold._text_delta,  # noqa: SLF001
    TextEnd: Fold._text_end,  # noqa: SLF001
    ReasoningStart: Fold._reasoning_start,  # noqa: SLF001
    ReasoningDelta: Fold._reasoning_delta,  # noqa: SLF001
    ReasoningEnd: Fold._reasoning_end,  # noqa: SLF001
    ToolInputStart: Fold._input_start,  # noqa: SLF001
    ToolInputDelta: Fold._input_delta,  # noqa: SLF001
    ToolInputEnd: Fold._input_end,  # noqa: SLF001
    ToolCall: Fold._tool_call,  # noqa: SLF001
    ToolResult: Fold._tool_result,  # noqa: SLF001
    Source: Fold._source,  # noqa: SLF001
    GeneratedFile: Fold._file,  # noqa: SLF001
    Finish: Fold._finish,  # noqa: SLF001
}
# The hooks of tools for their input, and what of the delta each is given beside the context.
_INPUTS: dict[Any, tuple[str, str | None]] = {
    ToolInputStart: ("on_input_start", None),
    ToolInputDelta: ("on_input_delta", "text"),
    ToolCall: ("on_input_available", "arguments"),
}
