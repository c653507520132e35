"""Time travel: puts a run back to before a step, with other input or another past if wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra.errors import InvalidInput
from mastra.types.schema import to_json
from mastra.workflows.graph import BranchNode, ForeachNode, LoopNode, NestedNode, Node, ParallelNode
from mastra.workflows.records import RunState, StepRecord

if TYPE_CHECKING:
    from mastra.workflows.builder import Builder


class Trip(NamedTuple):
    """What the pass after a journey needs: inputs and answers by place."""

    injected: dict[str, Any]
    answers: dict[str, Any]


def prepare_travel(
    workflow: Builder[Any, Any],
    run: RunState,
    step: Any,
    input: Any,
    context: Mapping[str, Any] | None,
    resume_data: Any,
    *,
    now: int,
) -> Trip:
    """Forget the records from `step` on and write those before it as `context` and `input` say."""
    path = _path(step)
    if not path:
        raise InvalidInput("No step is named to travel to.")
    _check(workflow, path)
    past = {str(key): dict(value) for key, value in (context or {}).items() if isinstance(value, Mapping)}
    trip = Trip({}, {})
    run.epoch += 1
    run.decisions.clear()
    given = dict(context or {}).get("input", run.input)
    run.input = workflow.accept(given) if given is not None else run.input
    _rewind(workflow.nodes, run, path, "", past, input, trip, now)
    if resume_data is not None:
        trip.answers[".".join(path)] = to_json(resume_data)
        record = StepRecord(".".join(path), ".".join(path), input, now)
        record.status = "suspended"
        record.suspend_payload = past.get(".".join(path), {}).get("suspendPayload")
        record.suspended_at = now
        run.add(record)
    return trip


def _path(step: Any) -> list[str]:
    if isinstance(step, str):
        return step.split(".")
    if isinstance(step, list | tuple):
        return [part for one in step for part in _path(one)]
    name = getattr(step, "id", None)
    if not isinstance(name, str):
        raise InvalidInput(f"{step!r} is no step to travel to.")
    return [name]


def _check(workflow: Builder[Any, Any], path: Sequence[str]) -> None:
    nodes = workflow.nodes
    for depth, part in enumerate(path):
        found = next((leaf for node in nodes for leaf in _leaves(node) if leaf.id == part), None)
        if found is None:
            known = ", ".join(leaf.id for node in nodes for leaf in _leaves(node))
            raise InvalidInput(f"There is no step {'.'.join(path)!r} to travel to.", hint=f"Known here: {known}.")
        if depth < len(path) - 1:
            if not isinstance(found, NestedNode):
                raise InvalidInput(f"Step {part!r} is no workflow; it has nothing inside.")
            nodes = found.workflow.nodes


def _leaves(node: Node) -> Sequence[Any]:
    if isinstance(node, ParallelNode | BranchNode):
        return node.children
    return (node.child,) if isinstance(node, LoopNode | ForeachNode) else (node,)


def _rewind(
    nodes: Sequence[Node],
    run: RunState,
    path: Sequence[str],
    prefix: str,
    past: dict[str, Any],
    input: Any,
    trip: Trip,
    now: int,
) -> None:
    target = next(index for index, node in enumerate(nodes) if any(leaf.id == path[0] for leaf in _leaves(node)))
    for index, node in enumerate(nodes):
        if index > target:
            for leaf in _leaves(node):
                _forget(run, f"{prefix}{leaf.id}")
        elif index < target:
            for leaf in _leaves(node):
                _recall(run, node, leaf.id, prefix, past, input if index == target - 1 else None, now)
        else:
            _at_target(node, run, path, prefix, past, input, trip, now)


def _at_target(
    node: Node,
    run: RunState,
    path: Sequence[str],
    prefix: str,
    past: dict[str, Any],
    input: Any,
    trip: Trip,
    now: int,
) -> None:
    for leaf in _leaves(node):
        key = f"{prefix}{leaf.id}"
        if leaf.id != path[0]:
            if key in past:
                _recall(run, node, leaf.id, prefix, past, None, now)
            continue
        if len(path) > 1 and isinstance(leaf, NestedNode):
            record = run.records.get(key)
            if record is not None:
                record.status = "running"
            _rewind(leaf.workflow.nodes, run, path[1:], f"{key}.", past, input, trip, now)
            continue
        _forget(run, key)
        if input is not None:
            trip.injected[f"{key}#1" if isinstance(node, LoopNode) else key] = input
    if isinstance(node, BranchNode):
        # Who travels into a branch has decided it.
        run.decisions[f"{prefix}{node.children[0].id}?"] = [path[0]]


def _recall(run: RunState, node: Node, id: str, prefix: str, past: dict[str, Any], output: Any, now: int) -> None:
    key = f"{prefix}{id}"
    place = f"{key}#{run.loops.get(key, 1)}" if isinstance(node, LoopNode) else key
    record = run.records.get(place)
    told = past.get(key)
    if isinstance(node, BranchNode):
        if told is None and (record is None or record.status != "success"):
            return
        chosen = run.decisions.setdefault(f"{prefix}{node.children[0].id}?", [])
        if id not in chosen:
            chosen.append(id)
    if record is None or told is not None or record.status != "success":
        record = StepRecord(key, place, (told or {}).get("payload"), (told or {}).get("startedAt", now))
        record.output = (told or {}).get("output")
        record.ended_at = (told or {}).get("endedAt", now)
        record.is_stored = True
        run.add(record)
    if isinstance(node, LoopNode):
        record.iteration = run.loops.setdefault(key, 1)
        run.decisions[place] = node.until
    if output is not None and not isinstance(node, ParallelNode | BranchNode):
        record.output, record.is_stored = to_json(output), True
    record.status = "success"


def _forget(run: RunState, key: str) -> None:
    for place in [one for one in run.records if one == key or one.startswith((f"{key}.", f"{key}#", f"{key}["))]:
        del run.records[place]
    for known in (run.loops, run.scopes, run.decisions):
        for place in [one for one in known if one == key or one.startswith((f"{key}.", f"{key}#", f"{key}["))]:
            del known[place]
    for name in [one for one in run.steps if one == key or one.startswith(f"{key}.")]:
        del run.steps[name]
