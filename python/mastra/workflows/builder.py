"""How a workflow is written down: the fluent part, checked again as a whole by `commit`."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar, Union, cast, overload

from mastra.errors import BadDefinition
from mastra.types.ids import check_id
from mastra.types.schema import Schema, to_json
from mastra.workflows.checks import check_flow
from mastra.workflows.context import StepContext
from mastra.workflows.graph import (
    BranchNode,
    EventNode,
    ForeachNode,
    Leaf,
    LoopNode,
    MapNode,
    NestedNode,
    Node,
    OnFailure,
    ParallelNode,
    SleepNode,
    StepNode,
    definition_hash,
    leaves,
    shapes,
)
from mastra.workflows.mapping import mapping_step
from mastra.workflows.parts import as_step, is_agent, is_tool
from mastra.workflows.retry import Retry, RetrySpec, rules
from mastra.workflows.step import Step, _schema, check_callable, check_timeout

if TYPE_CHECKING:
    from mastra.workflows.workflow import Workflow

In = TypeVar("In")
Cur = TypeVar("Cur")
Out = TypeVar("Out")
Item = TypeVar("Item")


class AgentLike(Protocol):
    """What generates and streams: an agent."""

    def generate(self, *arguments: Any, **options: Any) -> Any:
        """Answer."""
        ...

    def stream(self, *arguments: Any, **options: Any) -> Any:
        """Answer bit by bit."""
        ...


class ToolLike(Protocol):
    """What is invoked with arguments that fit a schema: a tool."""

    @property
    def json_schema(self) -> Any:
        """The schema of the arguments."""
        ...

    def invoke(self, *arguments: Any, **options: Any) -> Any:
        """Do it."""
        ...


# What may stand side by side, given a value of this type; and what may be repeated with its own result.
Part: TypeAlias = Union[
    "Step[Cur, Any]", "Builder[Cur, Any]", AgentLike, ToolLike, Callable[[Cur], Any], Callable[[Cur, StepContext], Any]
]
Loop: TypeAlias = Union[
    "Step[Cur, Cur]",
    "Builder[Cur, Cur]",
    Callable[[Cur], Cur],
    Callable[[Cur, StepContext], Cur],
    Callable[[Cur], Awaitable[Cur]],
    Callable[[Cur, StepContext], Awaitable[Cur]],
]


@dataclass(slots=True)
class Hooks:
    """What a workflow calls besides its steps, and what holds for all of them."""

    state: Schema | None = None
    retries: tuple[Retry, ...] = ()
    on_start: Callable[..., Any] | None = None
    on_finish: Callable[..., Any] | None = None
    on_error: Callable[..., Any] | None = None
    on_step_start: Callable[..., Any] | None = None
    on_step_finish: Callable[..., Any] | None = None


class Builder(Generic[In, Cur]):
    """The sequence of nodes while it is put together. `Cur` is the type of the value that flows at its end."""

    def __init__(
        self,
        id: str,
        *,
        input: Any = None,
        output: Any = None,
        state: Any = None,
        description: str = "",
        retries: RetrySpec = None,
        on_start: Callable[..., Any] | None = None,
        on_finish: Callable[..., Any] | None = None,
        on_error: Callable[..., Any] | None = None,
        on_step_start: Callable[..., Any] | None = None,
        on_step_finish: Callable[..., Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = check_id(id, "workflow id")
        self.description = description
        self.metadata = dict(metadata or {})
        self.input_source, self.output_source = input, output
        self.input, self.output, self.state = _schema(input), _schema(output), _schema(state)
        for name, hook in (
            ("on_start", on_start), ("on_finish", on_finish), ("on_error", on_error),
            ("on_step_start", on_step_start), ("on_step_finish", on_step_finish),
        ):  # fmt: skip
            check_callable(hook, f"{name} of workflow {id!r}")
        self.hooks = Hooks(self.state, rules(retries), on_start, on_finish, on_error, on_step_start, on_step_finish)
        self.nodes: tuple[Node, ...] = ()
        self.hash = ""
        self.shape: list[Any] = []

    @property
    def is_committed(self) -> bool:
        """Whether it is finished: only then can it run."""
        return bool(self.hash)

    def _add(self, node: Node) -> Any:
        if self.is_committed:
            raise BadDefinition(
                f"Workflow {self.id!r} is committed.", hint="Add steps before commit(), or build on a clone()."
            )
        self.nodes = (*self.nodes, node)
        return self

    def _leaf(self, part: Any) -> Leaf:
        if isinstance(part, StepNode | MapNode | NestedNode):
            return part
        if isinstance(part, Builder):
            if not part.is_committed:
                raise BadDefinition(
                    f"Workflow {part.id!r} is used inside {self.id!r} before its commit().",
                    hint="Call .commit() on it first.",
                )
            return NestedNode(part.id, cast("Any", part))
        if getattr(part, "__name__", "") == "<lambda>":
            # By position, so that a recorded run finds it again.
            count = sum(leaf.id.startswith("step") for leaf in leaves(self.nodes))
            return StepNode(Step(part, id=f"step_{count}" if count else "step"))
        made = as_step(part)
        if is_agent(part):
            return StepNode(made, "agent", {"id": made.id, "agentId": part.id})
        if is_tool(part):
            return StepNode(made, "tool", {"id": made.id, "toolId": part.id})
        return StepNode(made)

    # ------------------------------------------------------------ the graph

    @overload
    def then(self, part: Step[Cur, Out]) -> Workflow[In, Out]: ...
    @overload
    def then(self, part: Builder[Cur, Out]) -> Workflow[In, Out]: ...
    @overload
    def then(self, part: AgentLike) -> Workflow[In, dict[str, Any]]: ...
    @overload
    def then(self, part: ToolLike) -> Workflow[In, Any]: ...
    @overload
    def then(self, part: Callable[[Cur], Awaitable[Out]]) -> Workflow[In, Out]: ...
    @overload
    def then(self, part: Callable[[Cur, StepContext], Awaitable[Out]]) -> Workflow[In, Out]: ...
    @overload
    def then(self, part: Callable[[Cur], Out]) -> Workflow[In, Out]: ...
    @overload
    def then(self, part: Callable[[Cur, StepContext], Out]) -> Workflow[In, Out]: ...
    def then(self, part: Any) -> Any:
        """A step, function, agent, tool or workflow that gets what came before."""
        return self._add(self._leaf(part))

    def parallel(
        self, parts: Sequence[Part[Cur]], *, on_failure: OnFailure = "wait", concurrency: int | None = None
    ) -> Workflow[In, dict[str, Any]]:
        """Steps side by side, each with what came before; the result is an object by step id.

        A failure lets the others finish first (`wait`), stops them (`fail_fast`), or stands in the result as
        `{"error": ...}` (`collect`).
        """
        if not parts:
            raise BadDefinition(f"parallel in workflow {self.id!r} has no steps.")
        node = ParallelNode(tuple(map(self._leaf, parts)), _failure(on_failure), _at_least_one(concurrency))
        return cast("Workflow[In, dict[str, Any]]", self._add(node))

    def branch(self, cases: Sequence[tuple[Callable[..., Any], Part[Cur]]]) -> Workflow[In, dict[str, Any]]:
        """(condition, step) pairs: every step whose condition holds runs; the result is an object by step id."""
        if not cases:
            raise BadDefinition(f"branch in workflow {self.id!r} has no cases.")
        for case in cases:
            pair: Any = case
            if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[0]):
                raise BadDefinition("branch takes a list of (condition, step) pairs.")
        children = tuple(self._leaf(part) for _, part in cases)
        node = BranchNode(tuple(condition for condition, _ in cases), children)
        return cast("Workflow[In, dict[str, Any]]", self._add(node))

    def dowhile(self, part: Loop[Cur], condition: Callable[..., Any]) -> Workflow[In, Cur]:
        """Run the step, and again with its own result as long as the condition holds for that."""
        return self._loop(part, condition, until=False)

    def dountil(self, part: Loop[Cur], condition: Callable[..., Any]) -> Workflow[In, Cur]:
        """Run the step, and again with its own result until the condition holds for that."""
        return self._loop(part, condition, until=True)

    def _loop(self, part: Any, condition: Any, *, until: bool) -> Workflow[In, Cur]:
        if condition is None:
            raise BadDefinition(f"A loop in workflow {self.id!r} has no condition.")
        check_callable(condition, f"The condition of a loop in workflow {self.id!r}")
        return cast("Workflow[In, Cur]", self._add(LoopNode(self._leaf(part), condition, until=until)))

    @overload
    def foreach(
        self: Builder[In, list[Item]],
        part: Step[Item, Out],
        *,
        concurrency: int = 1,
        on_failure: OnFailure = "wait",
    ) -> Workflow[In, list[Out]]: ...
    @overload
    def foreach(
        self: Builder[In, list[Item]],
        part: Builder[Item, Out],
        *,
        concurrency: int = 1,
        on_failure: OnFailure = "wait",
    ) -> Workflow[In, list[Out]]: ...
    @overload
    def foreach(
        self: Builder[In, list[Item]],
        part: AgentLike,
        *,
        concurrency: int = 1,
        on_failure: OnFailure = "wait",
    ) -> Workflow[In, list[dict[str, Any]]]: ...
    @overload
    def foreach(
        self: Builder[In, list[Item]],
        part: ToolLike,
        *,
        concurrency: int = 1,
        on_failure: OnFailure = "wait",
    ) -> Workflow[In, list[Any]]: ...
    @overload
    def foreach(
        self: Builder[In, list[Item]],
        part: Callable[[Item], Awaitable[Out]] | Callable[[Item, StepContext], Awaitable[Out]],
        *,
        concurrency: int = 1,
        on_failure: OnFailure = "wait",
    ) -> Workflow[In, list[Out]]: ...
    @overload
    def foreach(
        self: Builder[In, list[Item]],
        part: Callable[[Item], Out] | Callable[[Item, StepContext], Out],
        *,
        concurrency: int = 1,
        on_failure: OnFailure = "wait",
    ) -> Workflow[In, list[Out]]: ...
    def foreach(self: Any, part: Any, *, concurrency: int = 1, on_failure: OnFailure = "wait") -> Any:
        """The step for each item of the list that came before; the result keeps the order."""
        node = ForeachNode(self._leaf(part), _at_least_one(concurrency) or 1, _failure(on_failure))
        return self._add(node)

    def map(self, mapping: Callable[..., Out] | Mapping[str, Any]) -> Workflow[In, Out]:
        """A value made from what came before: by a function, or field by field.

        A field is `{"step": "id", "path": "a.b"}`, `{"init_data": True, "path": ...}`, `{"value": ...}`,
        `{"request_context": "key"}` or a function of the value.
        """
        count = sum(isinstance(node, MapNode) for node in self.nodes)
        name = f"mapping_{self.id}_{count}".replace(".", "_")
        if not callable(mapping) and not isinstance(mapping, Mapping):
            raise BadDefinition(f"map in workflow {self.id!r} takes a function or fields, not {mapping!r}.")
        config = dict(mapping) if isinstance(mapping, Mapping) else None
        return cast("Workflow[In, Out]", self._add(MapNode(name, mapping_step(name, mapping), config)))

    def sleep(self, seconds: float | timedelta | Callable[..., Any]) -> Self:
        """Wait so many seconds, or as many as the function of the value says."""
        if callable(seconds):
            return cast("Self", self._add(SleepNode(self._sleep_id(), compute=seconds)))
        given: Any = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not (is_number and 0 <= (pause := float(given)) < 10**9):
            raise BadDefinition(f"sleep({seconds!r}) needs zero or more seconds.")
        return cast("Self", self._add(SleepNode(self._sleep_id(), seconds=pause)))

    def sleep_until(self, moment: datetime | Callable[..., Any]) -> Self:
        """Wait until the moment, or until the one that the function of the value names."""
        if isinstance(moment, datetime):
            return cast("Self", self._add(SleepNode(self._sleep_id(), until=moment)))
        if not callable(moment):
            raise BadDefinition("sleep_until takes a datetime or a function that returns one.")
        return cast("Self", self._add(SleepNode(self._sleep_id(), seconds=0, compute=moment)))

    def wait_for_event(self, event: str, *, timeout: float | None = None, id: str | None = None) -> Workflow[In, Any]:
        """Wait for an event sent to the run; its data is the value that flows on."""
        check_id(event, "event name")
        check_timeout(timeout, f"of wait_for_event({event!r})")
        if id is not None:
            check_id(id, "step id")
        count = sum(isinstance(node, EventNode) and node.event == event for node in self.nodes)
        name = id or f"event_{event}{f'_{count}' if count else ''}"
        return cast("Workflow[In, Any]", self._add(EventNode(name.replace(".", "_"), event, timeout)))

    def _sleep_id(self) -> str:
        # The same in every process and every release, because recorded runs refer to it.
        count = sum(isinstance(node, SleepNode) for node in self.nodes)
        text = hashlib.sha256(f"{self.id}/sleep/{count}".encode()).hexdigest()
        return f"sleep_{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"

    def commit(self) -> Self:
        """Check the whole and finish it."""
        if self.is_committed:
            return self
        if not self.nodes:
            raise BadDefinition(f"Workflow {self.id!r} has no steps.", hint="Add some with .then(step).")
        self._infer()
        seen: set[str] = set()
        for leaf in leaves(self.nodes):
            if leaf.id in seen:
                raise BadDefinition(
                    f"Workflow {self.id!r} has two steps with the id {leaf.id!r}.",
                    hint="Give one of them another id: step(id=...) or clone_step(step, id=...).",
                )
            seen.add(leaf.id)
            if isinstance(leaf, NestedNode) and self._contains(leaf.workflow):
                raise BadDefinition(f"Workflow {self.id!r} contains itself.")
        check_flow(self)
        self.hash = definition_hash(self.nodes)
        self.shape = shapes(self.nodes)
        return self

    def _infer(self) -> None:
        first, last = self.nodes[0], self.nodes[-1]
        if self.input is None and isinstance(first, StepNode):
            self.input, self.input_source = first.step.input, first.step.input_source
        if self.output is None and isinstance(last, StepNode):
            self.output, self.output_source = last.step.output, last.step.output_source

    def _contains(self, other: Any) -> bool:
        return other is self or any(
            isinstance(leaf, NestedNode) and self._contains(leaf.workflow) for leaf in leaves(other.nodes)
        )

    # ------------------------------------------------------------ values at its ends

    def accept(self, value: Any) -> Any:
        """`value` as the workflow's input; `InvalidInput` that names what does not fit."""
        if self.input is None or type(value) is self.input_source:
            return value
        return self.input.validate(to_json(value))

    def give(self, value: Any) -> Any:
        """`value` as the workflow's result."""
        if self.output is None or type(value) is self.output_source:
            return value
        return self.output.validate(to_json(value))

    def restore(self, stored: Any) -> Any:
        """The result object for what the journal holds."""
        return self.give(stored)


def _failure(given: str) -> OnFailure:
    if given not in ("wait", "fail_fast", "collect"):
        raise BadDefinition(f"on_failure={given!r}: choose 'wait', 'fail_fast' or 'collect'.")
    return cast("OnFailure", given)


def _at_least_one(count: int | None) -> int | None:
    given: Any = count
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
        raise BadDefinition(f"concurrency={count!r} must be a whole number of at least 1.")
    return count
