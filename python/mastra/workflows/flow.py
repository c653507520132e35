"""How the parts of a graph other than plain steps run: side by side, branches, loops, nesting."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mastra.runtime.signals import Bail, Signal
from mastra.runtime.tracing import current_span, inside
from mastra.types.ids import new_id
from mastra.workflows.chunks import describe_error, facts, result_facts, suspension_facts
from mastra.workflows.foreach import run_foreach
from mastra.workflows.gather import gather
from mastra.workflows.graph import (
    BranchNode,
    EventNode,
    ForeachNode,
    LoopNode,
    MapNode,
    NestedNode,
    Node,
    ParallelNode,
    SleepNode,
    StepNode,
)
from mastra.workflows.records import Scope, StepRecord
from mastra.workflows.waits import run_event, run_sleep

if TYPE_CHECKING:
    from mastra.workflows.engine import Execution

_UNDECIDED: Any = object()


# Kind of node -> the type of its span.
_SPANS: dict[type[Node], str] = {
    ParallelNode: "workflow_parallel",
    BranchNode: "workflow_conditional",
    LoopNode: "workflow_loop",
    ForeachNode: "workflow_loop",
    SleepNode: "workflow_sleep",
    EventNode: "workflow_wait_event",
}


async def run(execution: Execution, node: Node, value: Any, scope: Scope) -> Any:
    """Run any node; its output."""
    kind = None if current_span() is None else _SPANS.get(type(node))
    if kind is None:
        return await _run(execution, node, value, scope)
    with inside(kind.replace("_", " "), kind):
        return await _run(execution, node, value, scope)


async def _run(execution: Execution, node: Node, value: Any, scope: Scope) -> Any:
    if isinstance(node, ParallelNode):
        return await _parallel(execution, node, value, scope)
    if isinstance(node, BranchNode):
        return await _branch(execution, node, value, scope)
    if isinstance(node, LoopNode):
        return await _loop(execution, node, value, scope)
    if isinstance(node, ForeachNode):
        return await run_foreach(execution, node, value, scope)
    if isinstance(node, SleepNode):
        return await run_sleep(execution, node, value, scope)
    if isinstance(node, EventNode):
        return await run_event(execution, node, value, scope)
    return await execution.leaf(node, value, scope, "", in_path=scope.is_root)


async def _parallel(execution: Execution, node: ParallelNode, value: Any, scope: Scope) -> dict[str, Any]:
    beside = scope.beside()
    outputs = await gather(
        [execution.leaf(child, value, beside, "") for child in node.children], node.on_failure, node.concurrency
    )
    return {child.id: output for child, output in zip(node.children, outputs, strict=True)}


async def _branch(execution: Execution, node: BranchNode, value: Any, scope: Scope) -> dict[str, Any]:
    key = f"{scope.prefix}{node.children[0].id}?"
    chosen = execution.run.decisions.get(key, _UNDECIDED)
    if chosen is _UNDECIDED:
        chosen = []
        for child, condition in zip(node.children, node.conditions, strict=True):
            if await execution.call(condition, value, scope, f"{child.id}-condition"):
                chosen.append(child.id)
        _decide(execution, key, chosen)
    children = [child for child in node.children if child.id in chosen]
    if len(children) == 1:
        return {children[0].id: await execution.leaf(children[0], value, scope, "")}
    beside = scope.beside()
    outputs = await gather([execution.leaf(child, value, beside, "") for child in children], "wait", None)
    return {child.id: output for child, output in zip(children, outputs, strict=True)}


def _decide(execution: Execution, key: str, decision: Any) -> None:
    execution.run.decisions[key] = decision
    if execution.journal is not None:
        execution.journal.decided(key, decision)


async def run_child(execution: Execution, node: Node, value: Any, prefix: str) -> Any:
    """Run a node at a place of its own: a call of a durable function."""
    scope = Scope((), prefix, prefix)
    if isinstance(node, StepNode | MapNode | NestedNode):
        return await execution.leaf(node, value, scope, "")
    return await run(execution, node, value, scope)


# ---------------------------------------------------------------- again and again


async def _loop(execution: Execution, node: LoopNode, value: Any, scope: Scope) -> Any:
    base = f"{scope.prefix}{node.child.id}"
    count = execution.run.loops.get(base, 1)
    if count > 1:
        record = execution.run.records.get(f"{base}#{count}")
        value = record.payload if record is not None else value
    while True:
        key = f"{base}#{count}"
        output = await execution.leaf(node.child, value, scope, f"#{count}", iteration=count)
        decided = execution.run.decisions.get(key, _UNDECIDED)
        if decided is _UNDECIDED:
            decided = bool(await execution.call(node.condition, output, scope, f"{node.child.id}-condition"))
            _decide(execution, key, decided)
        if decided == node.until:
            return output
        value, count = output, count + 1


# ---------------------------------------------------------------- nesting


async def run_nested(
    execution: Execution,
    node: NestedNode,
    value: Any,
    scope: Scope,
    suffix: str,
    in_path: bool,  # noqa: FBT001 - internal
    iteration: int | None,
    is_item: bool,  # noqa: FBT001 - internal
) -> Any:
    """The result of a workflow inside this one: same run, same state, places below its own."""
    run, key, inner = execution.run, f"{scope.prefix}{node.id}{suffix}", node.workflow
    record = run.records.get(key)
    if record is not None and record.status == "success":
        if record.is_stored:
            record.output = inner.restore(record.output)
            record.is_stored = False
        return record.output
    if key in run.injected:
        value = run.injected[key]
    if record is None:
        record = StepRecord(f"{scope.wire}{node.id}", key, value, execution.now())
        record.is_container = True
        record.in_path = in_path
        record.iteration = iteration
        if iteration is not None:
            run.loops[key.rpartition("#")[0]] = iteration
        run.add(record, visible=not is_item)
        if in_path:
            run.path.append(record.id)
    record.payload = value
    record.status = "running"
    _open(execution, record, is_item=is_item)
    place = Scope(inner.nodes, f"{key}.", f"{scope.wire}{node.id}.", side_by_side=scope.side_by_side)
    try:
        given = inner.accept(value)
        run.scopes[key] = given
        record.output = inner.give(await execution.sequence(place, given))
    except Bail as signal:
        record.output = signal.result
    except Signal:
        record.status = "suspended"
        waiting = next((one for one in run.suspended if one.key.startswith(place.prefix)), None)
        if waiting is not None:
            record.suspended_at = execution.now()
            record.suspend_payload = _nested_suspension(waiting, place.wire)
            if not is_item:
                execution.emit("workflow-step-suspended", suspension_facts(record))
        raise
    except Exception as error:
        await _close(execution, record, error, is_item=is_item)
        raise
    await _close(execution, record, None, is_item=is_item)
    return record.output


def _open(execution: Execution, record: StepRecord, *, is_item: bool) -> None:
    if execution.feed is not None and not is_item:
        record.call_id = new_id()
        execution.emit("workflow-step-start", facts(record, "running"))


async def _close(execution: Execution, record: StepRecord, error: Exception | None, *, is_item: bool) -> None:
    record.status = "success" if error is None else "failed"
    record.error = None if error is None else describe_error(error)
    record.ended_at = execution.now()
    if execution.journal is not None:
        await execution.journal.step(record, None)
    if not is_item:
        execution.emit("workflow-step-result", result_facts(record))


def _nested_suspension(waiting: StepRecord, wire: str) -> dict[str, Any]:
    payload = waiting.suspend_payload
    shown = payload if isinstance(payload, dict) else {"value": payload}
    meta = dict(shown.get("__workflow_meta", {}))
    return {**shown, "__workflow_meta": {**meta, "path": waiting.id.removeprefix(wire).split(".")}}


@functools.lru_cache(maxsize=4096)
def takes_context(function: Callable[..., Any]) -> bool:
    """Whether a condition or mapping takes a context after the value."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len([one for one in needed if one.default is one.empty]) > 1
