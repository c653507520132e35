"""The payloads of workflow chunks, as they are on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, MastraError, StepFailed, Tripwire
from mastra.types.schema import to_json
from mastra.types.secrets import redact

if TYPE_CHECKING:
    from mastra.workflows.records import RunState, StepRecord


def brief(record: StepRecord) -> dict[str, Any]:
    """The two names of a step."""
    return {"stepName": record.id, "id": record.id}


def facts(record: StepRecord, status: str) -> dict[str, Any]:
    """What the start, suspension and result of a step have in common."""
    out: dict[str, Any] = {"stepName": record.id, "id": record.id}
    if record.call_id:
        out["stepCallId"] = record.call_id
    out |= {"payload": to_json(record.payload), "startedAt": record.started_at, "status": status}
    if record.resumed_at is not None:
        out |= {"resumePayload": to_json(record.resume_payload), "resumedAt": record.resumed_at}
    if record.iteration is not None:
        out["metadata"] = {"iterationCount": record.iteration}
    return out


def suspension_facts(record: StepRecord) -> dict[str, Any]:
    """The payload of `workflow-step-suspended`."""
    out = facts(record, "suspended")
    return out | {"suspendPayload": to_json(record.suspend_payload), "suspendedAt": record.suspended_at}


def result_facts(record: StepRecord) -> dict[str, Any]:
    """The payload of `workflow-step-result`."""
    out = facts(record, record.status)
    if record.status == "success":
        out["output"] = to_json(record.output)
    else:
        out["error"] = record.error
    out["endedAt"] = record.ended_at
    return out


def finish_facts(run: RunState) -> dict[str, Any]:
    """The payload of `workflow-finish`."""
    out: dict[str, Any] = {"workflowStatus": run.status, "metadata": {}, "output": {"usage": dict(run.usage)}}
    if run.status == "success":
        out["finalWorkflowResult"] = to_json(run.result)
    return out


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error as the JSON of results and chunks."""
    if type(error) is StepFailed and error.__cause__ is not None:
        return describe_error(error.__cause__)
    if isinstance(error, MastraError):
        out = {"message": _storable(error.message), "name": type(error).__name__, "code": error.code}
        if isinstance(error, InvalidInput) and error.issues:
            out["issues"] = to_json(error.issues)
        if isinstance(error, Tripwire) and error.details:
            out["details"] = to_json(error.details)  # what the guard says beside its reason
        return out
    return {"message": plain_words(error), "name": type(error).__name__}


def plain_words(error: BaseException) -> str:
    """What an error says, without secrets and without what storage does not take."""
    return _storable(redact(str(error)))


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
