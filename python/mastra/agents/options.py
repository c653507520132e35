"""The options of one run, with their defaults. Names are the wire's in snake_case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from mastra.agents.model_settings import read_settings
from mastra.errors import InvalidInput, near_miss
from mastra.runtime.limits import NO_LIMITS, Limits
from mastra.types.ids import check_id
from mastra.types.model import ModelSettings

if TYPE_CHECKING:
    from mastra.runtime.request_context import RequestContext


class RunOptions(NamedTuple):
    """Everything that a run can be told beside its messages."""

    # Who and where.
    thread: str | Mapping[str, Any] | None = None
    resource: str | None = None
    run_id: str | None = None
    request_context: RequestContext | Mapping[str, Any] | None = None
    deps: Any = None
    # What the model sees.
    instructions: Any = None
    system: Any = None
    context: Any = None
    model: Any = None
    model_settings: ModelSettings | Mapping[str, Any] | None = None
    provider_options: Mapping[str, Any] | None = None
    # Tools.
    toolsets: Any = None
    client_tools: Mapping[str, Any] | None = None
    active_tools: Sequence[str] | None = None
    tool_choice: Any = "auto"
    tool_call_concurrency: int = 10
    require_tool_approval: bool | Callable[..., Any] = False
    hooks: Mapping[str, Callable[..., Any]] | None = None
    # The loop.
    max_steps: int = 5
    stop_when: Any = None
    prepare_step: Callable[..., Any] | None = None
    limits: Limits = NO_LIMITS
    timeout_s: float | None = None
    # The answer.
    output: Any = None
    structured_output: Any = None
    # Memory.
    memory_options: Mapping[str, Any] | None = None
    read_only: bool = False
    # Processors and scorers; each replaces the agent's.
    input_processors: Sequence[Any] | None = None
    output_processors: Sequence[Any] | None = None
    error_processors: Sequence[Any] | None = None
    max_processor_retries: int | None = None
    scorers: Any = None
    return_scorer_data: bool = False
    # Callbacks.
    on_chunk: Callable[..., Any] | None = None
    on_step_finish: Callable[..., Any] | None = None
    on_finish: Callable[..., Any] | None = None
    on_error: Callable[..., Any] | None = None
    on_abort: Callable[..., Any] | None = None
    on_iteration_complete: Callable[..., Any] | None = None
    is_task_complete: Any = None
    delegation: Any = None
    # Tracing and the stream.
    tracing_options: Mapping[str, Any] | None = None
    approval_ttl_s: float | None = None
    detached: bool = False
    # Written down as it goes, so that another process can go on with it; such a run is detached, too.
    durable: bool = False
    # Background tools: False runs them like all others; how long (True: 300 s) the run waits for their results.
    background: bool = True
    until_idle: bool | float = False


class Options(TypedDict, total=False):
    """`RunOptions` as keyword arguments, for type checkers."""

    thread: str | Mapping[str, Any] | None
    resource: str | None
    run_id: str | None
    request_context: RequestContext | Mapping[str, Any] | None
    deps: Any
    instructions: Any
    system: Any
    context: Any
    model: Any
    model_settings: ModelSettings | Mapping[str, Any] | None
    provider_options: Mapping[str, Any] | None
    toolsets: Any
    client_tools: Mapping[str, Any] | None
    active_tools: Sequence[str] | None
    tool_choice: Any
    tool_call_concurrency: int
    require_tool_approval: bool | Callable[..., Any]
    hooks: Mapping[str, Callable[..., Any]] | None
    max_steps: int
    stop_when: Any
    prepare_step: Callable[..., Any] | None
    limits: Limits
    timeout_s: float | None
    output: Any
    structured_output: Any
    memory_options: Mapping[str, Any] | None
    read_only: bool
    input_processors: Sequence[Any] | None
    output_processors: Sequence[Any] | None
    error_processors: Sequence[Any] | None
    max_processor_retries: int | None
    scorers: Any
    return_scorer_data: bool
    on_chunk: Callable[..., Any] | None
    on_step_finish: Callable[..., Any] | None
    on_finish: Callable[..., Any] | None
    on_error: Callable[..., Any] | None
    on_abort: Callable[..., Any] | None
    on_iteration_complete: Callable[..., Any] | None
    is_task_complete: Any
    delegation: Any
    tracing_options: Mapping[str, Any] | None
    approval_ttl_s: float | None
    detached: bool
    durable: bool
    background: bool
    until_idle: bool | float


DEFAULTS = RunOptions()
# What a tool choice may be that names no tool.
CHOICES = frozenset({"auto", "none", "required"})


def read_options(defaults: RunOptions, given: Mapping[str, Any]) -> RunOptions:
    """`defaults` with what is given, checked."""
    if not given:
        return defaults
    unknown = given.keys() - _KNOWN
    if unknown:
        name = min(unknown)
        raise InvalidInput(f"There is no run option {name!r}.", hint=near_miss(name, _KNOWN))
    for name, value in given.items():
        kind = _KINDS.get(name)
        if kind is not None and value is not None and not isinstance(value, kind[0]):
            raise InvalidInput(f"{name} cannot be a {type(value).__name__}.", hint=kind[1])
    options = defaults._replace(**given)
    if options.run_id is not None:
        check_id(options.run_id, "run id")
    for name in ("max_steps", "tool_call_concurrency"):
        count = getattr(options, name)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise InvalidInput(f"{name} must be at least 1, a whole number.")
    for name in ("timeout_s", "approval_ttl_s"):
        _check_seconds(name, getattr(options, name))
    if not isinstance(options.until_idle, bool):
        _check_seconds("until_idle", options.until_idle)
    for name in _READ.keys() & given.keys():
        value = given[name]
        if value is not None or name == "tool_choice":
            options = options._replace(**{name: _READ[name](value)})
    return options


def _check_seconds(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise InvalidInput(f"{name} must be a number of seconds above 0.")


_KNOWN = frozenset(RunOptions._fields)
_FUNCTION = (Callable, "Give a function.")
_LIST = (list | tuple, "Give a list.")
_SWITCH = (bool, "Give True or False.")
# What an option must be, and what to do when it is something else; the others are checked where they are read.
_KINDS: dict[str, tuple[Any, str]] = {
    "limits": (Limits, "Write Limits(tokens=..., cost=...)."),
    "hooks": (Mapping, 'Give {"before_tool_call": function, "after_tool_call": function}.'),
    "toolsets": (Iterable, 'Give {"name": tools} or a list of sets of tools.'),
    "client_tools": (Mapping, 'Give {"name": {"description": ..., "inputSchema": {...}}}.'),
    "active_tools": (list | tuple | set | frozenset, "Give a list of names."),
    "memory_options": (Mapping, 'Give a mapping like {"last_messages": 5}.'),
    "provider_options": (Mapping, 'Give {"provider": {"option": value}}.'),
    "stop_when": (Callable | str | list | tuple, "Give a function of the steps, a tool's name, or a list of both."),
    "scorers": (Mapping | list | tuple, 'Give a list of scorers or {"name": scorer}.'),
    # A value that only looks like a yes must not switch a guard off.
    "require_tool_approval": (bool | Callable, "Give True, or a function of (arguments, context)."),
    **dict.fromkeys(("read_only", "return_scorer_data", "detached", "durable", "background"), _SWITCH),
    **dict.fromkeys(("input_processors", "output_processors", "error_processors"), _LIST),
    **dict.fromkeys(
        ("prepare_step", "on_chunk", "on_step_finish", "on_finish", "on_error", "on_abort", "on_iteration_complete"),
        _FUNCTION,
    ),
}


# ---------------------------------------------------------------- options that are read


def read_choice(given: Any) -> str:
    """A tool choice: auto, none, required, or the name of a tool; also as the AI SDK writes it."""
    if isinstance(given, Mapping):
        given = given.get("toolName") or given.get("type")
    if not isinstance(given, str) or not given:
        raise InvalidInput(f"{given!r} is no tool choice.", hint="Use 'auto', 'none', 'required' or a tool's name.")
    return given


def _read_completion(given: Any) -> Any:
    from mastra.agents.completion import read_completion  # noqa: PLC0415 - only those who check completion

    read_completion(given)
    return given


def _read_memory(given: Mapping[str, Any]) -> Any:
    if not given:
        return given
    from mastra.memory.recall_options import read_recall_options  # noqa: PLC0415 - only those who ask memory for more

    return read_recall_options(given)


def _read_conditions(given: Any) -> Any:
    for condition in given if isinstance(given, list | tuple) else (given,):
        if not callable(condition) and not isinstance(condition, str):
            raise InvalidInput(
                f"A {type(condition).__name__} cannot stop a run.",
                hint="Give a function of the steps, or a tool's name.",
            )
    return given


def _read_functions(name: str, fields: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
    for field, value in given.items():
        if field not in fields:
            raise InvalidInput(f"{name} has no field {field!r}.", hint=near_miss(str(field), fields))
        if value is not None and not callable(value):
            raise InvalidInput(f"{name}[{field!r}] cannot be a {type(value).__name__}.", hint="Give a function.")
    return given


def _read_hooks(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return _read_functions("hooks", ("before_tool_call", "after_tool_call"), given)


_DELEGATION = ("on_delegation_start", "on_delegation_complete", "message_filter", "memory")
_CHILD_MEMORY = ("own", "shared", "none")


def _read_delegation(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidInput(f"delegation cannot be a {type(given).__name__}.", hint='Give {"message_filter": function}.')
    rest = {name: value for name, value in given.items() if name != "memory"}
    _read_functions("delegation", _DELEGATION, rest)
    memory = given.get("memory", "own")
    if memory not in _CHILD_MEMORY:
        hint = near_miss(str(memory), _CHILD_MEMORY) or f"Use {', '.join(_CHILD_MEMORY)}."
        raise InvalidInput(f"delegation['memory'] is {memory!r}.", hint=hint)
    return given


_TRACING = {
    "rootSpanName": "root_span_name",
    "requestContextKeys": "request_context_keys",
    "traceId": "trace_id",
    "parentSpanId": "parent_span_id",
    "hideInput": "hide_input",
    "hideOutput": "hide_output",
    "metadata": "metadata",
    "tags": "tags",
}
_TRACING_KINDS: dict[str, tuple[Any, str]] = {
    "metadata": (Mapping, "a mapping"),
    "tags": (list | tuple, "a list of texts"),
    "request_context_keys": (list | tuple, "a list of texts"),
    "hide_input": (bool, "true or false"),
    "hide_output": (bool, "true or false"),
}


def read_tracing(given: Any) -> dict[str, Any]:
    """Tracing options by their Python names; each may be written as on the wire."""
    if not isinstance(given, Mapping):
        raise InvalidInput(f"tracing_options cannot be a {type(given).__name__}.", hint='Give {"tags": ["..."]}.')
    read: dict[str, Any] = {}
    for key, value in given.items():
        name = _TRACING.get(str(key), str(key))
        if name not in _TRACING.values():
            raise InvalidInput(
                f"tracing_options has no field {key!r}.", hint=near_miss(str(key), (*_TRACING.values(), *_TRACING))
            )
        if value is None:
            continue
        kind, words = _TRACING_KINDS.get(name, (str, "a text"))
        texts = value if isinstance(value, list | tuple) else ()
        if not isinstance(value, kind) or not all(isinstance(one, str) for one in texts):
            raise InvalidInput(f"tracing_options[{key!r}] must be {words}.")
        read[name] = value
    if "trace_id" in read or "parent_span_id" in read:
        from mastra.agents.traced import check_trace  # noqa: PLC0415 - only runs of a trace of somebody else

        check_trace(read)
    return read


def _read_retries(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise InvalidInput("max_processor_retries must be a whole number, 0 or more.")
    return given


# How the options that have a shape of their own are read.
_READ: dict[str, Callable[[Any], Any]] = {
    "tool_choice": read_choice,
    "model_settings": read_settings,
    "is_task_complete": _read_completion,
    "memory_options": _read_memory,
    "stop_when": _read_conditions,
    "hooks": _read_hooks,
    "delegation": _read_delegation,
    "tracing_options": read_tracing,
    "max_processor_retries": _read_retries,
}
