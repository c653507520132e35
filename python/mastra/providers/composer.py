"""Puts the deltas of one answer in order: opens and closes texts, thoughts and calls, and ends with one `Finish`.

Every decoder of a wire format tells a composer what it read and hands on what the composer returns.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from mastra.errors import ResponseMalformed
from mastra.types.chunks import FinishReason
from mastra.types.model import (
    Finish,
    ModelDelta,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    ResponseStart,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
)
from mastra.types.usage import Usage

_new = tuple.__new__


def thought_of(provider: str, **facts: str | None) -> dict[str, Any] | None:
    """What marks a thought as `provider`'s, so that nobody else is sent its signature."""
    known = {name: value for name, value in facts.items() if value}
    return {provider: known} if known else None


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object that `text` is, strictly, or None."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def parse_event(text: str | bytes, provider: str) -> dict[str, Any]:
    """One event of a stream as a JSON object; `ResponseMalformed` when it is none."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ResponseMalformed(
            f"{provider} sent an event that is not JSON.", adapter=provider, details={"size": len(text)}
        ) from error
    if not isinstance(value, dict):
        raise ResponseMalformed(f"{provider} sent an event that is not a JSON object.", adapter=provider)
    return value


class OpenCall:
    """A tool call whose arguments are still being written."""

    __slots__ = ("call_id", "metadata", "name", "pieces", "provider_executed")

    def __init__(self, call_id: str, name: str, *, provider_executed: bool = False) -> None:
        self.call_id = call_id
        self.name = name
        self.pieces: list[str] = []
        self.provider_executed = provider_executed
        self.metadata: dict[str, Any] | None = None


class Composer:
    """The state of one answer on its way. `out` collects deltas until `take`."""

    __slots__ = ("_count", "_whole", "answer_id", "calls", "done", "finish_reason", "headers", "metadata", "out",
                 "output_tool", "raw_reason", "reasoning", "request_body", "response_body", "saw_call", "started",
                 "text", "usage", "warnings")  # fmt: skip

    def __init__(self, output_tool: str | None = None) -> None:
        self.out: list[ModelDelta] = []
        self.text: str | None = None
        self.reasoning: str | None = None
        self.calls: dict[Any, OpenCall] = {}
        # The tool that stands for the answer's shape: its arguments are the answer's text.
        self.output_tool = output_tool
        self.finish_reason: FinishReason | None = None
        self.raw_reason: str | None = None
        self.usage = Usage()
        self.metadata: dict[str, Any] = {}
        self.response_body: Any = None
        self.started = False
        self.answer_id = ""
        self.saw_call = False
        # The protocol's terminal event was seen and `Finish` is out.
        self.done = False
        # For the first delta, when they are known.
        self.headers: dict[str, str] | None = None
        self.request_body: Any = None
        self.warnings: tuple[str, ...] = ()
        self._count = 0
        self._whole: list[OpenCall] = []

    def take(self) -> list[ModelDelta]:
        """The deltas since the last time."""
        out = self.out
        self.out = []
        return out

    def start(self, id: str = "", model_id: str = "") -> None:
        """The answer has begun; only the first call counts."""
        if not self.started:
            self.started = True
            self.answer_id = id
            self.out.append(ResponseStart(id, model_id, self.headers, self.warnings, self.request_body))

    def new_id(self, kind: str) -> str:
        """A name for the next part of the answer."""
        self._count += 1
        return f"{kind}-{self._count - 1}"

    def add_text(self, piece: str) -> None:
        """More of the answer's text."""
        if self.text is None:
            self.open_text()
        if piece:
            # There are hundreds of these in an answer: the tuple is made without the way over its constructor.
            self.out.append(_new(TextDelta, (self.text, piece, None)))

    def open_text(self, metadata: dict[str, Any] | None = None) -> None:
        """A new text begins."""
        self.close_text()
        self.close_reasoning()
        self.text = self.new_id("txt")
        self.out.append(TextStart(self.text, metadata))

    def close_text(self, metadata: dict[str, Any] | None = None) -> None:
        """The text is whole."""
        if self.text is not None:
            self.out.append(TextEnd(self.text, metadata))
            self.text = None

    def add_reasoning(self, piece: str) -> None:
        """More of a thought."""
        if self.reasoning is None:
            self.open_reasoning()
        if piece:
            self.out.append(ReasoningDelta(self.reasoning, piece))  # type: ignore[arg-type]  # opened above

    def open_reasoning(self) -> None:
        """A new thought begins."""
        self.close_text()
        self.close_reasoning()
        self.reasoning = self.new_id("reasoning")
        self.out.append(ReasoningStart(self.reasoning))

    def close_reasoning(
        self,
        signature: str | None = None,
        redacted_data: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """The thought is whole."""
        if self.reasoning is not None:
            self.out.append(ReasoningEnd(self.reasoning, signature, redacted_data, metadata))
            self.reasoning = None

    def open_call(self, key: Any, call_id: str, name: str, *, provider_executed: bool = False) -> OpenCall:
        """The model begins a call; `key` is what the protocol calls it by."""
        self.close_text()
        self.close_reasoning()
        call = OpenCall(call_id, name, provider_executed=provider_executed)
        self.calls[key] = call
        if name == self.output_tool:
            self.open_text()
        else:
            self.saw_call = self.saw_call or not provider_executed
            self.out.append(ToolInputStart(call_id, name, provider_executed))
        return call

    def add_arguments(self, call: OpenCall, piece: str) -> None:
        """More of the argument text of a call."""
        if not piece:
            return
        if call.name == self.output_tool:
            self.add_text(piece)
        else:
            call.pieces.append(piece)
            self.out.append(ToolInputDelta(call.call_id, piece))

    def close_call(self, key: Any) -> None:
        """The arguments of a call are whole, or as whole as they will ever be."""
        call = self.calls.pop(key, None)
        if call is None:
            return
        if call.name == self.output_tool:
            self.close_text()
            return
        self.out.append(ToolInputEnd(call.call_id))
        if call.provider_executed:
            self._hand_out(call)
        else:
            # Held back until the terminal event: a call of an answer that was cut must never run.
            self._whole.append(call)

    def _hand_out(self, call: OpenCall, *, cut: bool = False) -> None:
        raw = "".join(call.pieces)
        # No text at all means no arguments, unless the model was stopped before it could write them.
        arguments = parse_object(raw) if raw.strip() else None if cut else {}
        self.out.append(ToolCall(call.call_id, call.name, arguments, raw, call.provider_executed, call.metadata))

    def close_all(self) -> None:
        """Everything that is still open is whole."""
        self.close_reasoning()
        for key in list(self.calls):
            self.close_call(key)
        self.close_text()

    def finish(self, reason: FinishReason | None = None, raw_reason: str | None = None) -> None:
        """The terminal event was seen: close what is open and say so, once."""
        if self.done:
            return
        self.start()
        self.close_all()
        final = reason or self.finish_reason or "unknown"
        for call in self._whole:
            self._hand_out(call, cut=final == "length")
        self._whole = []
        if self.saw_call and final == "stop":
            # Routers rename the reason; a turn with calls ends for the calls.
            final = "tool-calls"
        elif not self.saw_call and final == "tool-calls":
            final = "stop" if self.output_tool else "other"
        self.done = True
        self.out.append(
            Finish(final, self.usage, raw_reason or self.raw_reason, self.metadata or None, self.response_body)
        )
