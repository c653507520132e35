"""What the wire shows of steps and runs: the payloads of step-finish and finish, the JSON of generate."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra.types.chunks import Chunk
from mastra.types.message_wire import content_part, result_part, to_model_wire, to_ui_wire
from mastra.types.messages import Message
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step
    from mastra.types.usage import Usage

_Json = dict[str, Any]
MODEL_VERSION = "v2"


def start_chunk(run: Run) -> Chunk:
    """The first chunk of a run."""
    return Chunk("start", {"id": run.agent.id, "messageId": run.message_id}, run.run_id, path=run.path)


def step_start_chunk(run: Run, step: Step) -> Chunk:
    """A call of the model begins."""
    payload = {
        "warnings": list(step.warnings),
        "messageId": run.message_id,
        "startedAt": step.started_ms,
        "request": {},
    }
    return Chunk("step-start", payload, run.run_id, path=run.path)


def remember_wire(run: Run, step: Step) -> None:
    """Keep how the step looked when the model had spoken and no tool had answered: step-finish shows it so."""
    content, messages = _open_step(run, step)
    step.content, step.response_messages = content, messages


def _open_step(run: Run, step: Step) -> tuple[list[_Json], list[_Json]]:
    content = [made for part in step.parts if (made := content_part(part)) is not None]
    if step.stored:
        return content, to_model_wire(run.responses)
    answer = Message(id="", role="assistant", parts=(*run.parts, *step.parts), created_at=datetime.now(UTC))
    return content, to_model_wire([*run.responses, answer])


def step_finish_chunk(run: Run, step: Step, *, continued: bool) -> Chunk:
    """A step is over, its tools included."""
    payload = _common(run, step, continued=continued)
    payload["output"] = _output(run, step, step.usage)
    payload["messages"] = _messages(run)
    payload["processorRetryCount"] = run.processor_retries
    return Chunk("step-finish", payload, run.run_id, path=run.path)


def finish_chunk(run: Run, step: Step) -> Chunk:
    """The run is over."""
    payload = _common(run, step, continued=False)
    payload["output"] = _output(run, step, run.usage)
    payload["messages"] = _messages(run)
    payload["processorRetryCount"] = run.processor_retries
    answers = run.answers()
    response = dict(payload["metadata"])
    response.pop("providerMetadata", None)
    response["messages"] = to_model_wire(answers)
    response["uiMessages"] = to_ui_wire(answers)
    payload["response"] = response
    return Chunk("finish", payload, run.run_id, path=run.path)


def _common(run: Run, step: Step, *, continued: bool) -> _Json:
    result: _Json = {"reason": run.finish_reason if run.error else step.finish_reason}
    if step.raw_reason is not None:
        result["rawReason"] = step.raw_reason
    if run.error is not None or step.warnings:
        result["warnings"] = list(step.warnings)
    result["isContinued"] = continued
    if run.resumed and continued:
        result["messageId"] = run.message_id
    return {"messageId": run.message_id, "stepResult": result, "metadata": response_metadata(step)}


def response_metadata(step: Step) -> _Json:
    """Who answered: provider metadata, id, time, model, headers."""
    out: _Json = {}
    if step.metadata is not None:
        out["providerMetadata"] = step.metadata
    out.update(_response_head(step))
    out["modelMetadata"] = model_metadata(step)
    return out


def model_metadata(step: Step) -> _Json:
    """The model that was asked."""
    model = step.model
    return {"modelId": model.model_id, "modelVersion": MODEL_VERSION, "modelProvider": model.provider}


def _response_head(step: Step) -> _Json:
    response = step.response
    out: _Json = {
        "id": (response.id if response is not None else "") or f"step-{step.number}",
        "timestamp": to_wire(datetime.fromtimestamp(step.started_ms / 1000, UTC)),
        "modelId": (response.model_id if response is not None else "") or step.model.model_id,
    }
    if response is not None and response.headers:
        out["headers"] = response.headers
    return out


def _output(run: Run, step: Step, usage: Usage) -> _Json:
    out: _Json = {
        "text": step.text,
        "toolCalls": step.tool_calls,
        "usage": usage.to_wire(),
        "steps": [_step_wire(one, last=one is run.steps[-1]) for one in run.steps],
    }
    if run.object_set:
        out["object"] = run.object
    return out


def _step_wire(step: Step, *, last: bool) -> _Json:
    content = step.content if last and step.content is not None else step_content(step)
    response = {**_response_head(step), "messages": step.response_messages or []}
    out: _Json = {
        "content": content,
        "usage": step.usage.to_wire(),
        "warnings": list(step.warnings),
        "response": response,
    }
    if step.metadata is not None:
        out["providerMetadata"] = step.metadata
    return out


def step_content(step: Step) -> list[_Json]:
    """What a finished step holds: what was said and called, then the results."""
    content = [made for part in step.parts if (made := content_part(part)) is not None]
    for part in step.parts:
        result = result_part(part)
        if result is not None:
            about = {"toolCallId": result["toolCallId"], "toolName": result["toolName"]}
            content.append({"type": "tool-result", "input": result["input"], "output": result["output"], **about})
    return content


def _messages(run: Run) -> _Json:
    given, other = to_model_wire(run.input), to_model_wire(run.answers())
    if all(message.role == "user" for message in run.input):
        user, rest = given, other
    else:  # a history that was given, or the results of tools that the caller ran
        user = to_model_wire([message for message in run.input if message.role == "user"])
        rest = [*to_model_wire([message for message in run.input if message.role != "user"]), *other]
    return {"all": [*to_model_wire(run.recalled), *given, *other], "user": user, "nonUser": rest}


def error_chunk(run: Run, error: Exception) -> Chunk:
    """The run failed: what is safe to show, without stack and request."""
    facts: _Json = {"message": getattr(error, "message", str(error)), "name": type(error).__name__}
    to_dict = getattr(error, "to_dict", None)
    if to_dict is not None:
        said = to_dict()
        facts.update(code=said["code"], isRetryable=said["retryable"])
        status = said.get("details", {}).get("status")
        if status is not None:
            facts["statusCode"] = status
    return Chunk("error", {"type": "error", "error": facts}, run.run_id, path=run.path)


def now_ms() -> int:
    """The time in milliseconds, as parts carry it."""
    return int(time.time() * 1000)
