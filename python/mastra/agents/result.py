"""RunResult: what a run came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.agents.payloads import model_metadata, response_metadata, step_content
from mastra.types.chunks import Chunk
from mastra.types.message_wire import to_model_wire, to_ui_wire

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step
    from mastra.errors import MastraError
    from mastra.types.messages import Message
    from mastra.types.usage import Usage


class RunResult:
    """The result of a run: text, object, calls, steps, usage, messages; `to_wire()` is the JSON of generate."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def run_id(self) -> str:
        """The id of the run; needed to resume it."""
        return self._run.run_id

    @property
    def trace_id(self) -> str:
        """The id of its trace; empty when nobody traces."""
        return self._run.trace_id

    @property
    def text(self) -> str:
        """What the model said in its last step."""
        steps = self._run.steps
        return steps[-1].text if steps and self._run.finish_reason != "suspended" else ""

    @property
    def object(self) -> Any:
        """The structured answer, validated; None when none was asked for."""
        return self._run.object if self._run.structured is None else self._run.structured.typed(self._run.object)

    @property
    def reasoning(self) -> str:
        """What the model thought."""
        return "".join(step.reasoning for step in self._run.steps)

    @property
    def steps(self) -> list[Step]:
        """The calls of the model, each with its text, calls, results and usage."""
        return list(self._run.steps)

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """All calls: toolCallId, toolName, args."""
        return [call for step in self._run.steps for call in step.tool_calls]

    @property
    def tool_results(self) -> list[dict[str, Any]]:
        """All results: toolCallId, toolName, args, result."""
        return [result for step in self._run.steps for result in step.tool_results]

    @property
    def usage(self) -> Usage:
        """Tokens of the whole run."""
        return self._run.usage

    @property
    def total_usage(self) -> Usage:
        """Tokens of the whole run; the same as `usage`, under the name that the wire has for it."""
        return self._run.usage

    @property
    def cost(self) -> float:
        """US dollars, from the prices of the model's profile; 0 when they are not known."""
        return self._run.cost

    @property
    def finish_reason(self) -> str:
        """Why the run ended: stop, length, tool-calls, suspended, tripwire, error, ..."""
        return self._run.finish_reason

    @property
    def sources(self) -> list[dict[str, Any]]:
        """What the answer cites."""
        return [source for step in self._run.steps for source in step.sources]

    @property
    def files(self) -> list[dict[str, Any]]:
        """Files that the model made: data (base64), mimeType."""
        return [file for step in self._run.steps for file in step.files]

    @property
    def messages(self) -> list[Message]:
        """What this run adds to the conversation: the given messages and the answers."""
        return self._run.messages()

    @property
    def suspend_payload(self) -> dict[str, Any] | None:
        """The first call that waits for a person; None when none does."""
        return next(iter(self.pending), None)

    @property
    def pending(self) -> list[dict[str, Any]]:
        """All calls that wait for a person."""
        return [dict(one["payload"]) for one in self._run.pending.values()]

    @property
    def error(self) -> MastraError | None:
        """What ended the run."""
        return self._run.error

    @property
    def tripwire(self) -> dict[str, Any] | None:
        """Which processor blocked the run, and why: reason, metadata, processorId."""
        return self._run.tripwire

    @property
    def scoring_data(self) -> dict[str, Any] | None:
        """What a scorer is given of this run, `input` and `output`; None unless `return_scorer_data` was asked for."""
        if not self._run.options.return_scorer_data:
            return None
        from mastra.agents.scoring import scoring_data  # noqa: PLC0415 - only those who score by themselves

        return scoring_data(self._run)

    def to_wire(self) -> dict[str, Any]:
        """The JSON of a generate request."""
        run = self._run
        suspended = run.finish_reason == "suspended"
        last = run.steps[-1] if run.steps else None
        steps = [] if suspended else [_step_wire(run, step) for step in run.steps]
        usage = {} if suspended or last is None else run.usage.to_wire()
        calls = [chunk for step in run.steps for chunk in _call_chunks(run, step)]
        results = [] if suspended else [chunk for step in run.steps for chunk in _result_chunks(run, step)]
        out: dict[str, Any] = {
            "text": self.text,
            "usage": usage,
            "steps": steps,
            "finishReason": "other" if run.tripwire else run.finish_reason,
            "warnings": list(last.warnings) if last is not None else [],
        }
        if last is not None and last.metadata is not None and not suspended:
            out["providerMetadata"] = last.metadata
        out["request"] = {}
        out["reasoning"] = [_reasoning(step) for step in run.steps if step.reasoning]
        if self.reasoning:
            out["reasoningText"] = self.reasoning
        out.update(toolCalls=calls, toolResults=results, sources=self.sources, files=self.files)
        out["response"] = {"dbMessages": []} if suspended or last is None else _response(run, last)
        out["totalUsage"] = {"totalTokens": 0} if suspended else usage
        if run.object_set:
            out["object"] = run.object
        if run.error is not None:
            out["error"] = run.error.to_dict()
        out["usedFallbackValue"] = run.used_fallback
        if run.tripwire is not None:
            out["tripwire"] = run.tripwire
        if run.options.return_scorer_data:
            out["scoringData"] = self.scoring_data
        if run.trace_id:
            out["traceId"] = run.trace_id
        out["runId"] = run.run_id
        if suspended and self.suspend_payload is not None:
            out["suspendPayload"] = self.suspend_payload
            if "resumeSchema" in self.suspend_payload:
                out["resumeSchema"] = self.suspend_payload["resumeSchema"]
        out["messages"] = [message.to_wire() for message in run.messages()]
        out["rememberedMessages"] = [message.to_wire() for message in run.recalled]
        return out

    def __repr__(self) -> str:
        return f"RunResult(text={self.text!r}, finish_reason={self.finish_reason!r}, run_id={self.run_id!r})"


def _call_chunks(run: Run, step: Step) -> list[dict[str, Any]]:
    return [Chunk("tool-call", call, run.run_id).to_wire() for call in step.tool_calls]


def _result_chunks(run: Run, step: Step) -> list[dict[str, Any]]:
    return [Chunk("tool-result", result, run.run_id).to_wire() for result in step.tool_results]


def _reasoning(step: Step) -> dict[str, Any]:
    return {"type": "reasoning", "payload": {"text": step.reasoning}}


def _response(run: Run, step: Step) -> dict[str, Any]:
    out = response_metadata(step)
    out.pop("providerMetadata", None)
    if step.response_body is not None:
        out["body"] = step.response_body
    answers = run.answers()
    out["modelMetadata"] = model_metadata(step)
    out["messages"] = to_model_wire(answers)
    out["uiMessages"] = to_ui_wire(answers)
    out["dbMessages"] = [message.to_wire() for message in answers]
    return out


def _step_wire(run: Run, step: Step) -> dict[str, Any]:
    calls, results = _call_chunks(run, step), _result_chunks(run, step)
    out: dict[str, Any] = {
        "stepType": "initial" if step is run.steps[0] else "tool-result",
        "sources": step.sources,
        "files": step.files,
        "toolCalls": calls,
        "toolResults": results,
        "content": step_content(step),
        "text": step.text,
        "reasoningText": step.reasoning,
        "reasoning": [_reasoning(step)] if step.reasoning else [],
        "staticToolCalls": [],
        "dynamicToolCalls": [],
        "staticToolResults": [],
        "dynamicToolResults": [],
        "finishReason": step.finish_reason,
        "usage": step.usage.to_wire(),
        "warnings": list(step.warnings),
        "request": {},
        "response": _response(run, step),
    }
    if step.metadata is not None:
        out["providerMetadata"] = step.metadata
    return out
