"""What a workflow run came to: for Python as an object, for the wire as Mastra's JSON."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from mastra.errors import StepFailed, WorkflowError
from mastra.types.schema import to_json
from mastra.workflows.records import RunState, StepRecord

Out = TypeVar("Out")


class WorkflowResult(Generic[Out]):
    """How a run stands: finished, or waiting for somebody."""

    __slots__ = ("_run",)

    def __init__(self, run: RunState) -> None:
        self._run = run

    def __repr__(self) -> str:
        return f"WorkflowResult(run_id={self.run_id!r}, status={self.status!r})"

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run.run_id

    @property
    def status(self) -> str:
        """`success`, `failed`, `suspended`, `paused`, `waiting`, `canceled` or `tripwire`."""
        return self._run.status

    @property
    def result(self) -> Out:
        """What the workflow gave; None unless it succeeded."""
        value: Out = self._run.result
        return value

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it failed: `{"message", "name", ...}`."""
        return self._run.error

    @property
    def state(self) -> Any:
        """The run's state."""
        return self._run.state

    @property
    def steps(self) -> dict[str, StepRecord]:
        """The latest record of each step, by id."""
        return self._run.steps

    @property
    def suspended(self) -> list[list[str]]:
        """The paths of the steps that wait for a resume."""
        return [list(path) for path in dict.fromkeys(tuple(one.id.split(".")) for one in self._run.suspended)]

    @property
    def suspend_payload(self) -> dict[str, Any]:
        """What the waiting steps gave to `suspend`, by the id of the outermost step."""
        out: dict[str, Any] = {}
        for one in self._run.suspended:
            out.setdefault(one.id.split(".")[0], one.suspend_payload)
        return out

    @property
    def resume_labels(self) -> dict[str, dict[str, Any]]:
        """The labels that waiting steps may be resumed by."""
        return labels(self._run)

    def raise_for_status(self) -> WorkflowResult[Out]:
        """Itself; raises when the run failed."""
        if self.status in ("failed", "tripwire", "canceled"):
            if isinstance(self._run.cause, WorkflowError):
                raise self._run.cause
            message = (self._run.error or {}).get("message", self.status)
            raise StepFailed(f"The run ended as {self.status}: {message}", run_id=self.run_id, hint="")
        return self

    def to_wire(self) -> dict[str, Any]:
        """The JSON that start-async and its siblings answer with."""
        run = self._run
        out: dict[str, Any] = {
            "status": run.status, "steps": wire_steps(run), "input": to_json(run.input), "stepExecutionPath": run.path,
        }  # fmt: skip
        if run.status == "success":
            out["result"] = to_json(run.result)
        elif run.status in ("failed", "tripwire"):
            out["error"] = run.error
        elif run.status == "suspended":
            out["suspended"] = self.suspended
            out["suspendPayload"] = self.suspend_payload
        out["runId"] = run.run_id
        if run.trace is not None:
            out["traceId"], out["spanId"] = run.trace
        return out


def labels(run: RunState) -> dict[str, dict[str, Any]]:
    """The labels of waiting steps, as on the wire."""
    out: dict[str, dict[str, Any]] = {}
    for one in run.suspended:
        if one.label:
            out[one.label] = {"stepId": one.id}
            if one.key.endswith("]"):
                out[one.label]["foreachIndex"] = int(one.key.rpartition("[")[2][:-1])
    return out


def wire_steps(run: RunState) -> dict[str, Any]:
    """The outermost steps; one in a row whose input is the output before it does not repeat it."""
    out: dict[str, Any] = {"input": to_json(run.input)}
    before = out["input"]
    for record in list(run.steps.values()):
        if "." in record.id:
            continue
        shown = record.to_wire()
        if record.in_path:
            if shown.get("payload") == before:
                shown.pop("payload", None)
            before = shown.get("output")
        out[record.id] = shown
    return out
