"""Steps: plain functions, made into named, typed, retried parts of a workflow."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, get_type_hints, overload

from mastra.errors import BadDefinition, NotSerialisable
from mastra.runtime.processes import is_reachable
from mastra.types.ids import check_id
from mastra.types.json import find_unserialisable
from mastra.types.schema import Schema, to_json
from mastra.workflows.context import StepContext
from mastra.workflows.retry import RetrySpec, rules

# A step that takes any number serves where a whole one comes; one that gives a whole one, where any is wanted.
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
Place: TypeAlias = Literal["loop", "thread", "process"]

_LEAVES = frozenset({str, int, float, bool, type(None)})
_PLAIN = frozenset({str, int, bool, dict, list})
_CONTEXT_NAMES = ("ctx", "context")


class Step(Generic[In_contra, Out_co]):
    """A named part of a workflow: what runs, what goes in and comes out, and what happens when it fails."""

    def __init__(
        self,
        execute: Callable[..., Any],
        *,
        id: str,
        description: str = "",
        input: Any = None,
        output: Any = None,
        resume: Any = None,
        suspend: Any = None,
        state: Any = None,
        retries: RetrySpec = None,
        timeout: float | None = None,
        runs_on: Place = "loop",
        on_error: Callable[..., Any] | None = None,
        compensate: Callable[..., Any] | None = None,
        scorers: Sequence[Any] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = check_id(id, "step id")
        if any(mark in id for mark in ".#[]?!~"):
            raise BadDefinition(f"The step id {id!r} contains one of . # [ ] ? ! ~, which name places in a run.")
        if runs_on not in ("loop", "thread", "process"):
            raise BadDefinition(f"runs_on={runs_on!r}: choose 'loop', 'thread' or 'process'.")
        check_timeout(timeout, f"of step {id!r}")
        for name, function in (("The function", execute), ("on_error", on_error), ("compensate", compensate)):
            check_callable(function, f"{name} of step {id!r}")
        if not isinstance(metadata, Mapping | None):
            raise BadDefinition(f"The metadata of step {id!r} is an object.")
        self.execute = execute
        self.description = description
        self.retries = rules(retries)
        self.timeout = timeout
        self.runs_on = runs_on
        self.on_error = on_error
        self.compensate = compensate
        self.scorers = tuple(scorers)
        self.metadata = dict(metadata or {})
        takes = _parameters(execute)
        hints = _hints(execute)
        self.takes_input, self.takes_context = takes.value is not None, takes.context
        if runs_on == "process" and (self.takes_context or _is_async(execute)):
            raise BadDefinition(
                f"Step {id!r} runs in another process: it must be a plain function of its input alone.",
                hint="Drop the context parameter and async, or choose runs_on='thread'.",
            )
        if runs_on == "process" and not is_reachable(execute):
            raise BadDefinition(
                f"Step {id!r} runs in another process, which cannot find its function.",
                hint="Define the function with a name at the top level of a module.",
            )
        self.is_async = _is_async(execute)
        if timeout is not None and runs_on == "loop" and inspect.isfunction(execute) and not self.is_async:
            raise BadDefinition(
                f"Step {id!r} has a timeout and cannot be interrupted: it is not async and runs on the loop.",
                hint="Make it async, or choose runs_on='thread' or 'process'.",
            )
        self.input_source = input if input is not None else hints.get(takes.value or "")
        self.output_source = output if output is not None else _awaited(hints.get("return"))
        self.input = _schema(self.input_source)
        self.output = _schema(self.output_source)
        self.resume = _schema(resume)
        self.suspend = _schema(suspend)
        self.state = _schema(state)
        # A value of exactly this type needs no further check.
        self.input_type = self.input_source if isinstance(self.input_source, type) else None
        self.output_type = self.output_source if isinstance(self.output_source, type) else None
        # The plainest kind: nothing to retry, time, restore or hand over.
        self.is_plain = not self.retries and timeout is None and runs_on == "loop" and on_error is None

    @overload
    def __call__(self) -> Any: ...
    @overload
    def __call__(self, value: In_contra, /, *context: Any) -> Any: ...
    def __call__(self, *given: Any) -> Any:
        """Call the function itself, outside of any workflow: for tests and for reuse."""
        return self.execute(*given)

    def __repr__(self) -> str:
        return f"Step({self.id!r})"

    def accept(self, value: Any) -> Any:
        """`value` as the input type; `InvalidInput` that names what does not fit."""
        schema = self.input
        if schema is None or type(value) is self.input_type:
            return value
        return schema.validate(value if type(value) in _LEAVES else to_json(value))

    def give(self, value: Any) -> Any:
        """`value` as a result that can be stored; `NotSerialisable` or `InvalidInput` names what cannot."""
        kind = type(value)
        schema = self.output
        if schema is None:
            return value if kind in _LEAVES and kind is not float else as_json(value, self.id)
        if kind is self.output_type:
            return value if (kind in _LEAVES and kind is not float) or kind not in _PLAIN else as_json(value, self.id)
        return schema.validate(value if kind in _LEAVES else to_json(value))

    def restore(self, stored: Any) -> Any:
        """The result object for what the journal holds."""
        if self.output is None or type(stored) is self.output_type:
            return stored
        return self.output.validate(stored)

    def describe(self) -> dict[str, Any]:
        """The step in the serialised graph."""
        out: dict[str, Any] = {"id": self.id}
        if self.description:
            out["description"] = self.description
        if self.metadata:
            out["metadata"] = self.metadata
        out["canSuspend"] = self.resume is not None or self.suspend is not None
        return out

    def schemas(self) -> dict[str, Any]:
        """The JSON Schemas that are known, by their names on the wire."""
        known = {
            "inputSchema": self.input, "outputSchema": self.output, "resumeSchema": self.resume,
            "suspendSchema": self.suspend, "stateSchema": self.state,
        }  # fmt: skip
        return {name: schema.json_schema for name, schema in known.items() if schema is not None}


def check_timeout(seconds: Any, whose: str) -> None:
    """`BadDefinition` unless it is None or a number of seconds that some clock can count."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (is_number and 0 < seconds < 10**9):
        raise BadDefinition(f"The timeout {whose} must be greater than zero and a number of seconds.")


def check_callable(function: Any, what: str) -> None:
    """`BadDefinition` unless it is None or can be called."""
    if function is not None and not callable(function):
        raise BadDefinition(f"{what} is {function!r}, which cannot be called.")


def as_json(value: Any, step: str) -> Any:
    """`value` as JSON data; `NotSerialisable` with the path to the first thing that is none."""
    found = find_unserialisable(value)
    if found is None:
        return value
    try:
        made = to_json(value)
        found = find_unserialisable(made)
    except (ValueError, RecursionError) as error:
        raise _not_json(found or ("$", str(error)), step) from error
    if found is not None:
        raise _not_json(found, step)
    return made


def _not_json(found: tuple[str, str], step: str) -> NotSerialisable:
    path, reason = found
    return NotSerialisable(
        f"Step {step!r} returned a value that cannot be stored: {path}: {reason}.",
        step=step,
        hint="Return JSON types, dataclasses or pydantic models.",
        details={"path": path},
    )


class _Parameters:
    __slots__ = ("context", "value")

    def __init__(self, value: str | None, context: bool) -> None:  # noqa: FBT001 - internal
        self.value = value
        self.context = context


def _parameters(execute: Callable[..., Any]) -> _Parameters:
    try:
        given = [
            one for one in inspect.signature(execute).parameters.values()
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]  # fmt: skip
    except (TypeError, ValueError):
        return _Parameters("value", context=False)
    names = [one.name for one in given if one.default is one.empty or one.name in _CONTEXT_NAMES]
    hints = _hints(execute)
    context = [one for one in names if hints.get(one) is StepContext or one in _CONTEXT_NAMES]
    rest = [one for one in names if one not in context]
    if len(rest) > 1 or len(context) > 1:
        name = getattr(execute, "__name__", "step")
        raise BadDefinition(
            f"{name}({', '.join(names)}): a step takes one input and, after it, a context.",
            hint="Put several values into one dataclass, TypedDict or pydantic model.",
        )
    if context and rest and names.index(context[0]) < names.index(rest[0]):
        raise BadDefinition("A step takes its input first and the context after it.")
    return _Parameters(rest[0] if rest else None, context=bool(context))


def _hints(execute: Callable[..., Any]) -> dict[str, Any]:
    target = execute if inspect.isroutine(execute) else getattr(execute, "__call__", execute)  # noqa: B004 - the method
    try:
        return get_type_hints(target, include_extras=True)
    except (NameError, TypeError):
        return dict(getattr(target, "__annotations__", {}))


def _awaited(hint: Any) -> Any:
    return None if hint is type(None) else hint


def _is_async(execute: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(execute) or inspect.iscoroutinefunction(getattr(execute, "__call__", None))  # noqa: B004


def _schema(source: Any) -> Schema | None:
    if source is None or source is Any or isinstance(source, str | TypeVar):
        return None
    return Schema.of(source)


def named(function: Callable[..., Any]) -> str:
    """The id that a function has as a step."""
    name = getattr(function, "__name__", type(function).__name__)
    return "step" if name == "<lambda>" else str(name)


@overload
def step(execute: Callable[[In_contra], Awaitable[Out_co]], /) -> Step[In_contra, Out_co]: ...
@overload
def step(execute: Callable[[In_contra, StepContext], Awaitable[Out_co]], /) -> Step[In_contra, Out_co]: ...
@overload
def step(execute: Callable[[In_contra], Out_co], /) -> Step[In_contra, Out_co]: ...
@overload
def step(execute: Callable[[In_contra, StepContext], Out_co], /) -> Step[In_contra, Out_co]: ...
@overload
def step(
    *,
    id: str | None = None,
    description: str = "",
    input: Any = None,
    output: Any = None,
    resume: Any = None,
    suspend: Any = None,
    state: Any = None,
    retries: RetrySpec = None,
    timeout: float | None = None,
    runs_on: Place = "loop",
    on_error: Callable[..., Any] | None = None,
    compensate: Callable[..., Any] | None = None,
    scorers: Sequence[Any] = (),
    metadata: Mapping[str, Any] | None = None,
) -> StepMaker: ...
def step(execute: Any = None, /, *, id: str | None = None, description: str = "", **options: Any) -> Any:
    """Make a function a step: `@step`, or `@step(id=..., retries=3, ...)`.

    The function takes the step's input and, if it likes, a `StepContext` after it. Its annotations are the schemas
    unless `input=` and `output=` say otherwise.
    """
    maker = StepMaker(id, description, options)
    return maker if execute is None else maker(execute)


class StepMaker:
    """What `@step(...)` with options returns: it takes the function."""

    def __init__(self, id: str | None, description: str, options: dict[str, Any]) -> None:
        self._id, self._description, self._options = id, description, options

    @overload
    def __call__(self, execute: Callable[[In_contra], Awaitable[Out_co]], /) -> Step[In_contra, Out_co]: ...
    @overload
    def __call__(
        self, execute: Callable[[In_contra, StepContext], Awaitable[Out_co]], /
    ) -> Step[In_contra, Out_co]: ...
    @overload
    def __call__(self, execute: Callable[[In_contra], Out_co], /) -> Step[In_contra, Out_co]: ...
    @overload
    def __call__(self, execute: Callable[[In_contra, StepContext], Out_co], /) -> Step[In_contra, Out_co]: ...
    def __call__(self, execute: Any, /) -> Any:
        """Make `execute` the step."""
        about = self._description or (inspect.getdoc(execute) or "").split("\n\n")[0]
        made: Step[Any, Any] = Step(
            execute, id=named(execute) if self._id is None else self._id, description=about, **self._options
        )
        return cast("Any", made)
