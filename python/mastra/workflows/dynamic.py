"""Workflows from JSON: definitions that are data, name only what is on the list, and have filters for conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mastra.errors import BadDefinition, InvalidInput, near_miss
from mastra.types.filters import compile_filter
from mastra.types.json import find_unserialisable, loads
from mastra.types.schema import to_json
from mastra.types.times import from_wire
from mastra.workflows.parts import as_step, clone_step
from mastra.workflows.workflow import Workflow

MAX_NODES = 500
MAX_DEPTH = 20


class _Parts:
    """What a definition may name, by kind."""

    def __init__(self, **known: Mapping[str, Any]) -> None:
        self._known = known
        self._count = 0

    def find(self, kind: str, name: Any) -> Any:
        known = self._known[kind]
        if not isinstance(name, str) or name not in known:
            hint = near_miss(str(name), known) or f"On the list: {', '.join(sorted(known)) or 'none'}."
            raise BadDefinition(
                f"The definition names the {kind} {str(name)[:80]!r}, which is not on the list.", hint=hint
            )
        return known[name]

    def count(self, depth: int) -> None:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            raise BadDefinition(f"A definition has at most {MAX_NODES} nodes and {MAX_DEPTH} levels.")


def workflow_from_json(
    definition: Mapping[str, Any] | str,
    *,
    steps: Mapping[str, Any] | None = None,
    agents: Mapping[str, Any] | None = None,
    tools: Mapping[str, Any] | None = None,
    workflows: Mapping[str, Any] | None = None,
) -> Workflow[Any, Any]:
    """A committed workflow. `graph` has the entries of the wire; conditions are `{"where": filter}`.

    Nothing in a definition is evaluated or imported: steps, agents, tools and workflows come from the lists.
    """
    made = _loaded(definition)
    if not isinstance(made, dict) or not isinstance(made.get("graph"), list):
        raise BadDefinition("A definition is an object with an id and a graph.", hint='{"id": ..., "graph": [...]}')
    found = find_unserialisable(made)
    if found is not None:
        raise BadDefinition(f"The definition is not JSON: {found[0]}: {found[1]}.")
    parts = _Parts(step=steps or {}, agent=agents or {}, tool=tools or {}, workflow=workflows or {})
    workflow: Workflow[Any, Any] = Workflow(
        made.get("id", ""), description=str(made.get("description", "")), input=made.get("inputSchema"),
        output=made.get("outputSchema"), state=made.get("stateSchema"), metadata=_object(made.get("metadata")),
    )  # fmt: skip
    try:
        for entry in made["graph"]:
            workflow = _add(workflow, entry, parts, 1)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadDefinition(f"The definition of {workflow.id!r} has a node that lacks {error}.") from error
    return workflow.commit()


def _loaded(text: Any) -> Any:
    try:
        return loads(text) if isinstance(text, str) else text
    except ValueError as error:
        raise BadDefinition(f"The definition is not JSON: {error}.") from error


def _add(workflow: Workflow[Any, Any], entry: Any, parts: _Parts, depth: int) -> Workflow[Any, Any]:
    if not isinstance(entry, dict):
        raise BadDefinition("A node of a definition is an object with a type.")
    parts.count(depth)
    kind = entry.get("type")
    if kind == "mapping":
        return workflow.map(_mapping(entry["mapConfig"]))
    if kind == "sleep":
        return workflow.sleep(_milliseconds(entry["duration"]))
    if kind == "sleepUntil":
        return workflow.sleep_until(from_wire(entry["date"], "date"))
    if kind == "waitForEvent":
        timeout = None if entry.get("timeout") is None else _milliseconds(entry["timeout"])
        return workflow.wait_for_event(entry["event"], timeout=timeout, id=entry.get("id"))
    if kind == "parallel":
        return workflow.parallel([_leaf(one, parts, depth + 1) for one in entry["steps"]])
    if kind == "conditional":
        conditions = [_condition(one) for one in entry["serializedConditions"]]
        children = [_leaf(one, parts, depth + 1) for one in entry["steps"]]
        if len(conditions) != len(children):
            raise BadDefinition("A conditional has one condition for each step.")
        return workflow.branch(list(zip(conditions, children, strict=True)))
    if kind == "loop":
        condition = _condition(entry["serializedCondition"])
        child = _leaf(entry["step"], parts, depth + 1)
        if entry.get("loopType") not in ("dowhile", "dountil"):
            raise BadDefinition("The loopType of a loop is dowhile or dountil.")
        until = entry["loopType"] == "dountil"
        return workflow.dountil(child, condition) if until else workflow.dowhile(child, condition)
    if kind == "foreach":
        concurrency = (entry.get("opts") or {}).get("concurrency", 1)
        return workflow.foreach(_leaf(entry["step"], parts, depth + 1), concurrency=concurrency)
    return workflow.then(_leaf(entry, parts, depth))


def _leaf(entry: Any, parts: _Parts, depth: int) -> Any:
    if not isinstance(entry, dict):
        raise BadDefinition("A node of a definition is an object with a type.")
    parts.count(depth)
    kind = entry.get("type")
    if kind == "workflow":
        return parts.find("workflow", entry["workflowId"])
    if kind == "step":
        return as_step(parts.find("step", entry["step"]["id"]))
    if kind in ("agent", "tool"):
        part = parts.find(kind, entry[f"{kind}Id"])
        wanted = entry.get("id")
        return clone_step(as_step(part), id=wanted) if wanted and wanted != getattr(part, "id", None) else part
    raise BadDefinition(
        f"{str(kind)[:40]!r} is not a kind of node that can stand here.",
        hint="Known: step, agent, tool, workflow, mapping, parallel, conditional, loop, foreach, sleep, sleepUntil, "
        "waitForEvent.",
    )


def _object(given: Any) -> Any:
    if given is not None and not isinstance(given, dict):
        raise BadDefinition("The metadata of a definition is an object.")
    return given


def _milliseconds(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadDefinition(f"{given!r} is not a number of milliseconds.")
    return given / 1000


def _condition(spec: Any) -> Callable[[Any], bool]:
    if not isinstance(spec, dict) or not isinstance(spec.get("where"), dict):
        raise BadDefinition('A condition of a definition is {"where": filter}.', hint='{"where": {"n": {"$gt": 1}}}')
    fits = compile_filter(spec["where"])

    def holds(value: Any) -> bool:
        plain = to_json(value)
        return bool(fits(plain if isinstance(plain, dict) else {"value": plain}))

    return holds


def _mapping(config: Any) -> dict[str, Any]:
    made = _loaded(config)
    if not isinstance(made, dict):
        raise InvalidInput("mapConfig is an object of fields.")
    fields: dict[str, Any] = {}
    for name, spec in made.items():
        if not isinstance(spec, dict) or "fn" in spec:
            raise BadDefinition(f"The mapping of {name!r} must be data.", hint='{"step": "id", "path": "a.b"}')
        fields[name] = {_NAMES.get(key, key): value for key, value in spec.items()}
    return fields


# The names of the wire.
_NAMES = {"initData": "init_data", "requestContextPath": "request_context"}
