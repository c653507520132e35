"""Checks of a definition as a whole: does what one step gives fit what the next one takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, near_miss
from mastra.workflows.graph import (
    BranchNode,
    EventNode,
    ForeachNode,
    Leaf,
    LoopNode,
    MapNode,
    NestedNode,
    Node,
    ParallelNode,
    SleepNode,
    StepNode,
    leaves,
)

if TYPE_CHECKING:
    from mastra.workflows.builder import Builder

# None: not known, fits everything.
Shape = dict[str, Any] | None


def check_flow(workflow: Builder[Any, Any]) -> None:
    """`BadDefinition` that names the two steps that do not fit, before anything can run."""
    flowing: Shape = workflow.input.json_schema if workflow.input is not None else None
    before = "the workflow's input"
    _check_references(workflow)
    for node in workflow.nodes:
        if isinstance(node, SleepNode):
            continue
        for name, wanted in _wants(node):
            given = flowing
            if isinstance(node, ForeachNode):
                given = _items(flowing, workflow.id, before, name)
            reason = misfit(given, wanted, {})
            if reason:
                raise BadDefinition(
                    f"Workflow {workflow.id!r}: {before} does not fit {name!r}: {reason}.",
                    hint="Change one of the two types, or put a .map(...) between them.",
                )
        if isinstance(node, LoopNode) and (reason := misfit(_output(node.child), _input(node.child), {})):
            raise BadDefinition(
                f"Workflow {workflow.id!r}: {node.child.id!r} does not fit itself: {reason}.",
                hint="A step that is repeated gets its own result.",
            )
        flowing = _gives(node)
        before = "what came before"
        if isinstance(node, StepNode | MapNode | NestedNode | EventNode):
            before = f"what step {node.id!r} gives"
    wanted = workflow.output.json_schema if workflow.output is not None else None
    reason = misfit(flowing, wanted, {})
    if reason:
        raise BadDefinition(
            f"Workflow {workflow.id!r}: what its last step gives does not fit its output: {reason}.",
            hint="Change one of the two types, or put a .map(...) at the end.",
        )


def _check_references(workflow: Builder[Any, Any]) -> None:
    """What a mapping names has to stand before it."""
    known: set[str] = set()
    for node in workflow.nodes:
        for field, spec in (node.config or {}).items() if isinstance(node, MapNode) else ():
            wanted = spec.get("step", ()) if isinstance(spec, Mapping) else ()
            for step in wanted if isinstance(wanted, list | tuple) else (wanted,):
                name = step if isinstance(step, str) else step.id
                if name not in known:
                    raise BadDefinition(
                        f"Workflow {workflow.id!r}: the mapping of {field!r} names {name!r}, which is not before it.",
                        hint=near_miss(name, known),
                    )
        known |= {leaf.id for leaf in leaves((node,))}


def _items(flowing: Shape, workflow: str, before: str, name: str) -> Shape:
    if flowing is None or not flowing.get("type"):
        return None
    if flowing["type"] != "array":
        raise BadDefinition(
            f"Workflow {workflow!r}: foreach {name!r} needs a list, but {before} is {flowing['type']!r}.",
            hint="Put a .map(...) before it that makes a list.",
        )
    items = flowing.get("items")
    return items if isinstance(items, dict) else None


def _wants(node: Node) -> list[tuple[str, Shape]]:
    if isinstance(node, ParallelNode | BranchNode):
        return [(child.id, _input(child)) for child in node.children]
    if isinstance(node, LoopNode | ForeachNode):
        return [(node.child.id, _input(node.child))]
    return [(node.id, _input(node))] if isinstance(node, StepNode | MapNode | NestedNode) else []


def _input(leaf: Leaf) -> Shape:
    schema = leaf.workflow.input if isinstance(leaf, NestedNode) else leaf.step.input
    return schema.json_schema if schema is not None else None


def _output(leaf: Leaf) -> Shape:
    schema = leaf.workflow.output if isinstance(leaf, NestedNode) else leaf.step.output
    return schema.json_schema if schema is not None else None


def _gives(node: Node) -> Shape:
    if isinstance(node, ParallelNode | BranchNode):
        known = {child.id: _output(child) or {} for child in node.children}
        return {"type": "object", "properties": known, "required": [] if isinstance(node, BranchNode) else list(known)}
    if isinstance(node, LoopNode):
        return _output(node.child)
    if isinstance(node, ForeachNode):
        return {"type": "array", "items": _output(node.child) or {}}
    if isinstance(node, EventNode | SleepNode):
        return None
    return _output(node)


_NUMBERS = frozenset({"integer", "number"})


def misfit(given: Shape, wanted: Shape, seen: dict[int, bool], path: str = "") -> str:
    """Why a value of one JSON Schema surely fails another; empty when it may fit. What is unclear passes."""
    if not given or not wanted or id(wanted) in seen:
        return ""
    seen[id(wanted)] = True
    given, wanted = _resolved(given, given), _resolved(wanted, wanted)
    have, want = given.get("type"), wanted.get("type")
    if isinstance(have, str) and isinstance(want, str) and have != want and not {have, want} <= _NUMBERS:
        return f"{path or 'it'} is {have!r}, wanted {want!r}"
    if want == "array" and isinstance(given.get("items"), dict) and isinstance(wanted.get("items"), dict):
        return misfit(_inside(given["items"], given), _inside(wanted["items"], wanted), seen, f"{path}[]")
    if want != "object" or have != "object":
        return ""
    known = given.get("properties")
    if not isinstance(known, dict) or (not known and given.get("additionalProperties", True) is not False):
        return ""
    for name in wanted.get("required", []):
        if name not in known:
            if given.get("additionalProperties", False) not in (False, None):
                continue
            return f"{f'{path}.' if path else ''}{name} is missing"
    for name, part in wanted.get("properties", {}).items():
        if name in known and isinstance(part, dict) and isinstance(known[name], dict):
            place = f"{path}.{name}" if path else name
            reason = misfit(_inside(known[name], given), _inside(part, wanted), seen, place)
            if reason:
                return reason
    return ""


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        found = (root.get("$defs") or {}).get(reference.removeprefix("#/$defs/"))
        if isinstance(found, dict):
            return {**found, "$defs": root.get("$defs")}
    return schema


def _inside(part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if not part:
        return part
    return {**part, "$defs": root["$defs"]} if root.get("$defs") and "$defs" not in part else part
