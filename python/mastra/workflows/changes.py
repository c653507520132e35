"""Code that changed while runs were in flight: old definitions, migrations, or a refusal before any effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mastra.errors import HistoryMismatch
from mastra.workflows.graph import shapes
from mastra.workflows.records import RunState, StepRecord

if TYPE_CHECKING:
    from mastra.workflows.carrier import Carrier
    from mastra.workflows.workflow import Workflow


class Migration:
    """A recorded run, opened for changes so that it fits the definition of today."""

    def __init__(self, state: RunState, now: int) -> None:
        self._state = state
        self._now = now
        # Of the definition that the run was started with.
        self.hash = state.hash

    @property
    def outputs(self) -> dict[str, Any]:
        """What the finished steps gave, by id, as JSON."""
        return {one.id: one.output for one in self._state.steps.values() if one.status == "success"}

    def rename(self, old: str, new: str) -> None:
        """A step has another id now."""
        state = self._state
        record = state.records.pop(old, None)
        if record is None:
            return
        state.steps.pop(record.id, None)
        record.id = record.key = new
        state.add(record)
        state.path = [new if one == old else one for one in state.path]

    def complete(self, step: str, output: Any) -> None:
        """A step counts as done, with this output."""
        record = StepRecord(step, step, None, self._now)
        record.status, record.output, record.ended_at = "success", output, self._now
        record.is_stored = record.in_path = True
        self._state.add(record)

    def forget(self, step: str) -> None:
        """A step is no longer there, or is to run again."""
        record = self._state.records.pop(step, None)
        if record is not None:
            self._state.steps.pop(record.id, None)


def reconcile(run: Carrier[Any, Any]) -> bool:
    """Choose the definition that fits the recorded run; True when a migration rewrote its past.

    The one it was started with when that is still there (`versions=`); today's one when it only goes on where the
    run has not been yet; today's one after `migrate=`. Otherwise `HistoryMismatch`, and nothing has run.
    """
    workflow, state = run.workflow, run.state
    if state.hash == workflow.hash or not state.hash:
        return False
    for version in workflow.versions:
        if version.hash == state.hash:
            run.definition = version
            return False
    if workflow.migrate is not None:
        _migrate(workflow.migrate, state, int(run.now()))
        state.hash = workflow.hash
        return True
    if not _goes_on(workflow, state):
        raise HistoryMismatch(
            f"Run {state.run_id!r} was started with another definition of workflow {workflow.id!r} "
            f"({state.hash}, today {workflow.hash}).",
            run_id=state.run_id,
            hint="Keep the old definition in versions=[...], or declare migrate=.",
        )
    state.hash = workflow.hash
    return True


def _migrate(migrate: Callable[[Migration], Any], state: RunState, now: int) -> None:
    migrate(Migration(state, now))


def _goes_on(workflow: Workflow[Any, Any], state: RunState) -> bool:
    """Whether every node the run has touched stands unchanged at the beginning of today's definition."""
    if state.shape is None:
        return False
    today = shapes(workflow.nodes)
    touched = 0
    for index, shape in enumerate(state.shape):
        if any(_mentions(shape, record.key) for record in state.records.values()):
            touched = index + 1
    return state.shape[:touched] == today[:touched]


def _mentions(shape: Any, key: str) -> bool:
    name = key.split(".", maxsplit=1)[0].split("#", maxsplit=1)[0].split("[", maxsplit=1)[0].split("!", maxsplit=1)[0]
    return _has(shape, name)


def _has(shape: Any, name: str) -> bool:
    if isinstance(shape, list):
        return any(_has(one, name) for one in shape)
    return bool(shape == name)
