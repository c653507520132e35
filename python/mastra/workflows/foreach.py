"""A step for each item of a list: in turn or side by side, each item recorded for itself."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mastra.errors import StepFailed
from mastra.runtime.signals import Bail, Signal
from mastra.types.schema import to_json
from mastra.workflows.chunks import brief, plain_words, suspension_facts
from mastra.workflows.gather import gather
from mastra.workflows.graph import ForeachNode, Leaf, NestedNode
from mastra.workflows.records import StepRecord

if TYPE_CHECKING:
    from mastra.workflows.engine import Execution
    from mastra.workflows.records import Scope


async def run_foreach(execution: Execution, node: ForeachNode, value: Any, scope: Scope) -> list[Any]:
    """The outputs of the child for every item, in the order of the items."""
    if not isinstance(value, list | tuple):
        raise StepFailed(
            f"foreach {node.child.id!r} needs a list, not a {type(value).__name__}.",
            run_id=execution.run.run_id,
            step=node.child.id,
            hint="Put a map before it that makes a list.",
        )
    run, child = execution.run, node.child
    key = f"{scope.prefix}{child.id}"
    whole = run.records.get(key)
    if whole is not None and whole.status == "success":
        if whole.is_stored:
            part = child.workflow if isinstance(child, NestedNode) else child.step
            whole.output = [part.restore(item) for item in whole.output]
            whole.is_stored = False
        return list(whole.output)
    if whole is None:
        whole = StepRecord(f"{scope.wire}{child.id}", key, value, execution.now())
        whole.is_container = True
        run.add(whole)
    whole.payload = value
    whole.status = "running"
    execution.emit("workflow-step-start", brief(whole) | {
        "payload": to_json(value), "startedAt": whole.started_at, "status": "running"
    })  # fmt: skip
    progress = _Progress(execution, whole, len(value))
    beside = scope.beside() if node.concurrency > 1 else scope
    items = [_item(execution, child, item, beside, index, progress) for index, item in enumerate(value)]
    try:
        outputs = (
            await _in_turn(items)
            if node.concurrency == 1 and node.on_failure == "wait"
            else await gather(items, node.on_failure, node.concurrency)
        )
    except Exception as error:
        await _close_foreach(execution, whole, "failed", error=error)
        raise
    except Signal:
        whole.status = "suspended"
        waiting = next((one for one in _items(execution, key) if one.status == "suspended"), None)
        if waiting is not None:
            whole.suspend_payload, whole.suspended_at = foreach_suspension(execution, key, waiting), execution.now()
            execution.emit("workflow-step-suspended", suspension_facts(whole))
        raise
    whole.output = outputs
    await _close_foreach(execution, whole, "success")
    for index in range(len(value)):
        run.forget(f"{key}[{index}]")
    return outputs


async def _in_turn(items: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    outputs, waits = [], None
    left = iter(items)
    try:
        for item in left:
            try:
                outputs.append(await item)
            except Bail:
                raise
            except Signal as signal:
                waits = waits or signal
    finally:
        for item in left:
            item.close()
    if waits is not None:
        raise waits
    return outputs


class _Progress:
    """Counts the finished items of one foreach, for its progress chunks."""

    def __init__(self, execution: Execution, whole: StepRecord, total: int) -> None:
        self.execution, self.whole, self.total, self.done = execution, whole, total, 0

    def report(self, index: int, status: str, output: Any = None) -> None:
        """Emit one chunk."""
        if status == "success":
            self.done += 1
        facts = brief(self.whole) | {
            "completedCount": self.done, "totalCount": self.total, "currentIndex": index, "iterationStatus": status,
        }  # fmt: skip
        if status == "success":
            facts["iterationOutput"] = to_json(output)
        self.execution.emit("workflow-step-progress", facts)


async def _item(execution: Execution, child: Leaf, item: Any, scope: Scope, index: int, progress: _Progress) -> Any:
    try:
        output = await execution.leaf(child, item, scope, f"[{index}]", is_item=True)
    except StepFailed:
        progress.report(index, "failed")
        raise
    except Bail:
        raise
    except Signal:
        progress.report(index, "suspended")
        raise
    if execution.feed is not None:
        progress.report(index, "success", output)
    return output


def _items(execution: Execution, key: str) -> Iterator[StepRecord]:
    index = 0
    while (record := execution.run.records.get(f"{key}[{index}]")) is not None:
        yield record
        index += 1


def foreach_suspension(execution: Execution, key: str, waiting: StepRecord) -> dict[str, Any]:
    """The suspend payload of a foreach: that of its first waiting item, and how all items stand."""
    items = list(_items(execution, key))
    labels = {
        one.label: {"stepId": one.id, "foreachIndex": index}
        for index, one in enumerate(items) if one.label and one.status == "suspended"
    }  # fmt: skip
    meta = {
        "foreachIndex": items.index(waiting), "foreachOutput": [one.to_wire() for one in items], "resumeLabels": labels,
    }  # fmt: skip
    payload = waiting.suspend_payload
    return {**(payload if isinstance(payload, dict) else {"value": payload}), "__workflow_meta": meta}


async def _close_foreach(execution: Execution, whole: StepRecord, status: str, error: Exception | None = None) -> None:
    whole.status = status
    whole.ended_at = execution.now()
    facts: dict[str, Any] = brief(whole) | {"status": status}
    if error is not None:
        cause = error.__cause__ or error
        whole.error = {"message": plain_words(cause), "name": type(cause).__name__}
        facts["error"] = whole.error
    else:
        facts["output"] = to_json(whole.output)
    if execution.journal is not None:
        await execution.journal.step(whole, None)
    execution.emit("workflow-step-result", facts | {"endedAt": whole.ended_at})
