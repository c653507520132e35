"""The options of one run, with their defaults. Names are the wire's in snake_case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

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
    background: bool
    until_idle: bool | float


DEFAULTS = RunOptions()
_CHOICES = frozenset({"auto", "none", "required"})


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
    if options.is_task_complete is not None and "is_task_complete" in given:
        from mastra.agents.completion import read_completion  # noqa: PLC0415 - only those who check completion

        read_completion(options.is_task_complete)
    if given.get("memory_options"):
        from mastra.memory.recall_options import read_recall_options  # noqa: PLC0415 - only those who ask memory for more

        options = options._replace(memory_options=read_recall_options(options.memory_options))
    if "model_settings" in given:
        options = options._replace(model_settings=read_settings(options.model_settings))
    if "tool_choice" in given:
        options = options._replace(tool_choice=read_choice(options.tool_choice))
    return options


def _check_seconds(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise InvalidInput(f"{name} must be a number of seconds above 0.")


_KNOWN = frozenset(RunOptions._fields)
_FUNCTION = (Callable, "Give a function.")
_LIST = (list | tuple, "Give a list.")
# What an option must be, and what to do when it is something else; the others are checked where they are read.
_KINDS: dict[str, tuple[Any, str]] = {
    "limits": (Limits, "Write Limits(tokens=..., cost=...)."),
    "hooks": (Mapping, 'Give {"before_tool_call": function, "after_tool_call": function}.'),
    "toolsets": (Iterable, 'Give {"name": tools} or a list of sets of tools.'),
    "client_tools": (Mapping, 'Give {"name": {"description": ..., "inputSchema": {...}}}.'),
    "active_tools": (list | tuple | set | frozenset, "Give a list of names."),
    "memory_options": (Mapping, 'Give a mapping like {"last_messages": 5}.'),
    "stop_when": (Callable | str | list | tuple, "Give a function of the steps, a tool's name, or a list of both."),
    "scorers": (Mapping | list | tuple, 'Give a list of scorers or {"name": scorer}.'),
    **dict.fromkeys(("input_processors", "output_processors", "error_processors"), _LIST),
    **dict.fromkeys(
        ("prepare_step", "on_chunk", "on_step_finish", "on_finish", "on_error", "on_abort", "on_iteration_complete"),
        _FUNCTION,
    ),
}

_TEXT_SETTINGS = frozenset({"service_tier", "reasoning_effort"})
_WHOLE_SETTINGS = frozenset({"max_output_tokens", "top_k", "seed", "max_retries"})
_SETTINGS = {
    "temperature": "temperature",
    "maxOutputTokens": "max_output_tokens",
    "maxTokens": "max_output_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "stopSequences": "stop_sequences",
    "seed": "seed",
    "serviceTier": "service_tier",
    "reasoningEffort": "reasoning_effort",
    "parallelToolCalls": "parallel_tool_calls",
    "maxRetries": "max_retries",
    "timeoutS": "timeout_s",
    "headers": "headers",
}
_SETTING_NAMES = frozenset(_SETTINGS.values())


def read_settings(given: ModelSettings | Mapping[str, Any] | None) -> ModelSettings | None:
    """Model settings from an object or a mapping with names of Python or of the wire."""
    if given is None or isinstance(given, ModelSettings):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput(f"Model settings cannot be a {type(given).__name__}.", hint="Use a mapping.")
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in _SETTING_NAMES else _SETTINGS.get(key)
        if key == "timeout":
            total = value.get("totalMs") if isinstance(value, Mapping) else value
            _check_setting("timeout_s", total)
            name, value = "timeout_s", None if total is None else total / 1000  # noqa: PLW2901 - another unit
        if name is None:
            raise InvalidInput(f"There is no model setting {key!r}.", hint=near_miss(key, _SETTING_NAMES))
        if name == "stop_sequences" and (isinstance(value, str) or value is None):
            value = () if value is None else (value,)  # noqa: PLW2901 - one shape
        _check_setting(name, value)
        if name == "headers" and value is None:
            continue
        values[name] = tuple(value) if name == "stop_sequences" else value  # pyright: ignore[reportArgumentType]  # mypy reads it right
    return ModelSettings(**values)


def _check_setting(name: str, value: Any) -> None:
    """What goes to a provider has the type that every provider expects; values of headers are never shown."""
    if value is None:
        return
    if name == "headers":
        fits = isinstance(value, Mapping) and all(
            isinstance(part, str) and part.isprintable() for pair in value.items() for part in pair
        )
        kind = "a mapping of printable texts"
    elif name == "stop_sequences":
        fits = isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
        kind = "a text or a list of texts"
    elif name in _TEXT_SETTINGS:
        fits, kind = isinstance(value, str), "a text"
    elif name == "parallel_tool_calls":
        fits, kind = isinstance(value, bool), "true or false"
    elif name in _WHOLE_SETTINGS:
        fits, kind = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        kind = "a number"
    if not fits:
        raise InvalidInput(f"The model setting {name!r} must be {kind}.")


def read_choice(given: Any) -> str:
    """A tool choice: auto, none, required, or the name of a tool; also as the AI SDK writes it."""
    if isinstance(given, Mapping):
        given = given.get("toolName") or given.get("type")
    if not isinstance(given, str) or not given:
        raise InvalidInput(f"{given!r} is no tool choice.", hint="Use 'auto', 'none', 'required' or a tool's name.")
    return given


def is_named_choice(choice: str) -> bool:
    """Whether a tool choice names a tool."""
    return choice not in _CHOICES
