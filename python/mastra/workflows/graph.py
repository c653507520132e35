"""The parts of a definition: what stands after what. Immutable, serialised as on the wire, hashed by structure."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mastra.types.json import dumps
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.workflows.step import Step
    from mastra.workflows.workflow import Workflow

OnFailure: TypeAlias = Literal["wait", "fail_fast", "collect"]


@dataclass(frozen=True, slots=True)
class StepNode:
    """One step."""

    step: Step[Any, Any]
    kind: str = "step"
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The step's id."""
        return self.step.id


@dataclass(frozen=True, slots=True)
class MapNode:
    """A value made from what came before; recorded as a step."""

    id: str
    step: Step[Any, Any]
    config: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SleepNode:
    """A pause of some seconds, or until a moment; either may be computed."""

    id: str
    seconds: float | None = None
    until: datetime | None = None
    compute: Callable[..., Any] | None = None

    @property
    def is_moment(self) -> bool:
        """Whether it was written as `sleep_until`."""
        return self.until is not None or (self.compute is not None and self.seconds == 0)


@dataclass(frozen=True, slots=True)
class EventNode:
    """A wait for an event that is sent to the run."""

    id: str
    event: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class NestedNode:
    """Another workflow as a step."""

    id: str
    workflow: Workflow[Any, Any]


Leaf: TypeAlias = StepNode | MapNode | NestedNode


@dataclass(frozen=True, slots=True)
class ParallelNode:
    """Steps side by side; the result is an object by step id."""

    children: tuple[Leaf, ...]
    on_failure: OnFailure = "wait"
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class BranchNode:
    """Steps of which those run whose condition holds; the result is an object by step id."""

    conditions: tuple[Callable[..., Any], ...]
    children: tuple[Leaf, ...]
    serialised: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class LoopNode:
    """A step that repeats while, or until, its condition holds."""

    child: Leaf
    condition: Callable[..., Any]
    until: bool
    serialised: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeachNode:
    """A step for each item of a list; the result keeps the order."""

    child: Leaf
    concurrency: int = 1
    on_failure: OnFailure = "wait"


Node: TypeAlias = (
    StepNode | MapNode | SleepNode | EventNode | NestedNode | ParallelNode | BranchNode | LoopNode | ForeachNode
)


def leaves(nodes: Sequence[Node]) -> Iterator[Leaf | SleepNode | EventNode]:
    """Every node that has an id of its own, in order; nested workflows are not entered."""
    for node in nodes:
        if isinstance(node, ParallelNode | BranchNode):
            yield from node.children
        elif isinstance(node, LoopNode | ForeachNode):
            yield node.child
        else:
            yield node


def serialise(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """The graph as the JSON of the wire."""
    return [_entry(node) for node in nodes]


def _entry(node: Node) -> dict[str, Any]:
    if isinstance(node, StepNode):
        return {"type": node.kind, **node.about, "step": node.step.describe()}
    if isinstance(node, MapNode):
        return {"type": "mapping", "id": node.id, "mapConfig": _map_config(node)}
    if isinstance(node, SleepNode):
        return _sleep(node)
    if isinstance(node, EventNode):
        wait: dict[str, Any] = {"type": "waitForEvent", "id": node.id, "event": node.event}
        if node.timeout is not None:
            wait["timeout"] = round(node.timeout * 1000)
        return wait
    if isinstance(node, NestedNode):
        flow = serialise(node.workflow.nodes)
        return {"type": "workflow", "id": node.id, "workflowId": node.workflow.id, "serializedStepFlow": flow}
    if isinstance(node, ParallelNode):
        return {"type": "parallel", "steps": [_entry(child) for child in node.children]}
    if isinstance(node, BranchNode):
        conditions = [
            {"id": f"{child.id}-condition", "fn": source(condition)}
            for child, condition in zip(node.children, node.conditions, strict=True)
        ]
        return {
            "type": "conditional",
            "steps": [_entry(child) for child in node.children],
            "serializedConditions": [dict(one) for one in node.serialised] or conditions,
        }
    if isinstance(node, LoopNode):
        condition = dict(node.serialised) or {"id": f"{node.child.id}-condition", "fn": source(node.condition)}
        kind = "dountil" if node.until else "dowhile"
        return {"type": "loop", "step": _entry(node.child), "serializedCondition": condition, "loopType": kind}
    return {"type": "foreach", "step": _entry(node.child), "opts": {"concurrency": node.concurrency}}


def _sleep(node: SleepNode) -> dict[str, Any]:
    if node.is_moment:
        out: dict[str, Any] = {"type": "sleepUntil", "id": node.id}
        out |= {"date": to_wire(node.until)} if node.until else {"fn": source(node.compute)}
        return out
    out = {"type": "sleep", "id": node.id}
    return out | ({"fn": source(node.compute)} if node.compute else {"duration": round((node.seconds or 0) * 1000)})


def _map_config(node: MapNode) -> str:
    if node.config is None:
        return source(node.step.execute)
    shown = {name: {"fn": source(value)} if callable(value) else value for name, value in node.config.items()}
    return dumps(shown)


def source(function: Any) -> str:
    """How a condition or mapping reads, for people: never evaluated."""
    try:
        text = " ".join(inspect.getsource(function).split())
    except (OSError, TypeError):
        return str(getattr(function, "__qualname__", type(function).__name__))
    return text[:500]


def definition_hash(nodes: Sequence[Node]) -> str:
    """Names the structure: ids, kinds and order; not the code inside of steps, which may be mended freely."""
    return hashlib.sha256(dumps(shapes(nodes)).encode()).hexdigest()[:16]


def shapes(nodes: Sequence[Node]) -> list[Any]:
    """The structure as JSON: what the hash is made of."""
    return [_shape(node) for node in nodes]


def _shape(node: Node) -> Any:
    if isinstance(node, NestedNode):
        return ["workflow", node.id, [_shape(child) for child in node.workflow.nodes]]
    if isinstance(node, ParallelNode):
        return ["parallel", [_shape(child) for child in node.children]]
    if isinstance(node, BranchNode):
        return ["branch", [_shape(child) for child in node.children]]
    if isinstance(node, LoopNode):
        return ["until" if node.until else "while", _shape(node.child)]
    if isinstance(node, ForeachNode):
        return ["foreach", _shape(node.child)]
    if isinstance(node, EventNode):
        return ["event", node.id, node.event]
    return [type(node).__name__, node.id]


def mermaid(nodes: Sequence[Node]) -> str:
    """The graph as a Mermaid flowchart."""
    lines = ["flowchart TD", "  start([start])"]
    last, count = ["start"], 0

    def place(node: Any) -> str:
        nonlocal count
        count += 1
        name = f"n{count}"
        if isinstance(node, SleepNode):
            lines.append(f"  {name}{{{{sleep}}}}")
        elif isinstance(node, EventNode):
            lines.append(f"  {name}>event {node.event}]")
        elif isinstance(node, NestedNode):
            lines.append(f"  {name}[[{node.id}]]")
        else:
            lines.append(f"  {name}[{node.id}]")
        return name

    def connect(sources: list[str], target: str, label: str = "") -> None:
        arrow = f"-->|{label}|" if label else "-->"
        lines.extend(f"  {one} {arrow} {target}" for one in sources)

    for node in nodes:
        if isinstance(node, ParallelNode | BranchNode):
            names = []
            for child in node.children:
                name = place(child)
                connect(last, name, "if" if isinstance(node, BranchNode) else "")
                names.append(name)
            last = names
            continue
        name = place(node.child if isinstance(node, LoopNode | ForeachNode) else node)
        connect(last, name)
        if isinstance(node, LoopNode):
            connect([name], name, "until" if node.until else "while")
        elif isinstance(node, ForeachNode):
            connect([name], name, "each")
        last = [name]
    lines.append("  finish([finish])")
    connect(last, "finish")
    return "\n".join(lines)
