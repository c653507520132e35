"""Runs as the JSON documents that clients list and fetch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.types.schema import to_json
from mastra.types.times import from_wire, to_wire
from mastra.workflows.graph import BranchNode, ForeachNode, LoopNode, Node, ParallelNode
from mastra.workflows.results import labels

if TYPE_CHECKING:
    from mastra.workflows.records import RunState
    from mastra.workflows.workflow import Workflow

FIELDS = ("result", "error", "payload", "steps", "activeStepsPath", "serializedStepGraph")


def moment(milliseconds: int) -> str:
    """Milliseconds since 1970 as on the wire."""
    return to_wire(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _steps(run: RunState) -> dict[str, Any]:
    return {name: one.to_wire() for name, one in list(run.steps.items())}


def matches_dates(created_at: int, from_date: Any, to_date: Any) -> bool:
    """Whether the run was created in this period."""
    created = created_at / 1000
    if from_date is not None and created < from_wire(from_date, "from_date").timestamp():
        return False
    return to_date is None or created <= from_wire(to_date, "to_date").timestamp()


def snapshot(run: RunState, workflow: Workflow[Any, Any]) -> dict[str, Any]:
    """The run as it is stored on the wire: in entries of a list of runs."""
    context = {"input": to_json(run.input)} | _steps(run)
    out: dict[str, Any] = {
        "runId": run.run_id, "status": run.status, "value": {}, "context": context,
        "activePaths": _active_path(run, workflow), "stepExecutionPath": run.path,
        "activeStepsPath": _active(run, workflow),
        "serializedStepGraph": workflow.graph(), "suspendedPaths": _suspended(run, workflow), "waitingPaths": {},
        "resumeLabels": labels(run), "requestContext": run.request_values, "timestamp": run.updated_at,
    }  # fmt: skip
    if run.status == "success":
        out["result"] = to_json(run.result)
    if run.error is not None:
        out["error"] = run.error
    return out


def list_entry(run: RunState, workflow: Workflow[Any, Any]) -> dict[str, Any]:
    """An entry in the list of runs."""
    return {
        "workflowName": run.workflow_id, "runId": run.run_id, "snapshot": snapshot(run, workflow),
        "resourceId": run.resource_id, "createdAt": moment(run.created_at), "updatedAt": moment(run.updated_at),
    }  # fmt: skip


def run_info(run: RunState, workflow: Workflow[Any, Any], fields: Sequence[str] | None = None) -> dict[str, Any]:
    """The answer to a read of one run; `fields` selects among the large ones."""
    for name in fields or ():
        if name not in FIELDS:
            raise InvalidInput(f"A run has no field {name!r}.", hint=f"Choose among: {', '.join(FIELDS)}.")
    out: dict[str, Any] = {
        "runId": run.run_id, "workflowName": run.workflow_id, "resourceId": run.resource_id,
        "createdAt": moment(run.created_at), "updatedAt": moment(run.updated_at), "status": run.status,
    }  # fmt: skip
    if run.initial_state:
        out["initialState"] = to_json(run.initial_state)
    large: dict[str, Any] = {}
    if run.status == "success":
        large["result"] = to_json(run.result)
    if run.error is not None:
        large["error"] = run.error
    large["payload"] = to_json(run.input)
    large["steps"] = _steps(run)
    large["activeStepsPath"] = _active(run, workflow)
    large["serializedStepGraph"] = workflow.graph()
    if fields is not None:
        return out | {name: value for name, value in large.items() if name in fields}
    return out | large | {
        "suspendedPaths": _suspended(run, workflow), "resumeLabels": labels(run), "waitingPaths": {},
    }  # fmt: skip


def _position(nodes: Sequence[Node], id: str) -> list[int]:
    first = id.partition(".")[0]
    for index, node in enumerate(nodes):
        if isinstance(node, ParallelNode | BranchNode):
            for place, child in enumerate(node.children):
                if child.id == first:
                    return [index, place]
        elif (node.child.id if isinstance(node, LoopNode | ForeachNode) else node.id) == first:
            return [index]
    return []


def _active(run: RunState, workflow: Workflow[Any, Any]) -> dict[str, list[int]]:
    if run.status not in ("running", "waiting"):
        return {}
    busy = [one for one in run.steps.values() if one.status in ("running", "waiting") and "." not in one.id]
    return {one.id: _position(workflow.nodes, one.id) for one in busy}


def _suspended(run: RunState, workflow: Workflow[Any, Any]) -> dict[str, list[int]]:
    return {one.id.partition(".")[0]: _position(workflow.nodes, one.id) for one in run.suspended}


def _active_path(run: RunState, workflow: Workflow[Any, Any]) -> list[int]:
    latest = next(reversed(run.steps), None)
    return _position(workflow.nodes, latest) if latest is not None else []
