"""Finds which waiting step a resume means, and checks what it is answered with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, NotSuspended
from mastra.types.schema import to_json
from mastra.workflows.graph import NestedNode, leaves
from mastra.workflows.records import FINAL

if TYPE_CHECKING:
    from mastra.workflows.builder import Builder
    from mastra.workflows.records import RunState, StepRecord
    from mastra.workflows.step import Step


def find_targets(
    workflow: Builder[Any, Any],
    run: RunState,
    data: Any,
    step: Any = None,
    path: Sequence[str] | None = None,
    label: str | None = None,
    for_each_index: int | None = None,
) -> dict[str, Any]:
    """The answers by place; `NotSuspended` when what is meant does not wait."""
    waiting = run.suspended
    if not waiting or run.status in FINAL:
        raise NotSuspended("This workflow run was not suspended", run_id=run.run_id, hint="")
    if label is not None:
        chosen = [one for one in waiting if one.label == label]
        what = f"the label {label!r}"
    elif step is not None or path is not None:
        wanted = _path(step if step is not None else path)
        chosen = [one for one in waiting if one.id == wanted or one.id.startswith(f"{wanted}.")]
        what = f"the step {wanted!r}"
    else:
        chosen, what = waiting, "the run"
    if for_each_index is not None:
        chosen = [one for one in chosen if f"[{for_each_index}]" in one.key]
        what = f"item {for_each_index} of {what}"
    if not chosen:
        known = ", ".join(sorted({one.id for one in waiting}))
        raise NotSuspended(
            f"This workflow step was not suspended: {what} does not wait.", run_id=run.run_id, step=_shown(step),
            hint=f"These wait: {known}.",
        )  # fmt: skip
    if len({one.id for one in chosen}) > 1:
        known = ", ".join(sorted({one.id for one in chosen}))
        raise InvalidInput("Several steps wait; say which one is meant.", hint=f"step= is one of: {known}.")
    answer = _checked(workflow, chosen[0], data)
    return {one.key: answer for one in chosen}


def _path(step: Any) -> str:
    if isinstance(step, str):
        return step
    if isinstance(step, list | tuple):
        return ".".join(_path(one) for one in step)
    return str(step.id)


def _shown(step: Any) -> str | None:
    return None if step is None else _path(step)


def _checked(workflow: Builder[Any, Any], record: StepRecord, data: Any) -> Any:
    step = find_step(workflow, record.id)
    if step is None or step.resume is None:
        return to_json(data)
    try:
        return step.resume.validate(to_json(data))
    except InvalidInput as error:
        shown = "".join(f"\n- {issue['field']}: {issue['message']}" for issue in error.issues)
        raise InvalidInput(f"Invalid resume data: {shown}", issues=error.issues) from error


def find_step(workflow: Builder[Any, Any], id: str) -> Step[Any, Any] | None:
    """The step with this wire id, `nested.inner` among them; None for waits and nested workflows."""
    first, _, rest = id.partition(".")
    for leaf in leaves(workflow.nodes):
        if leaf.id == first:
            if isinstance(leaf, NestedNode):
                return find_step(leaf.workflow, rest) if rest else None
            return getattr(leaf, "step", None)
    return None
