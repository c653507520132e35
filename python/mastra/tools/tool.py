"""Tool: something a model may call. Declared once, with its schema compiled; it holds no state of any run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, overload

from mastra.errors import BadDefinition, InvalidInput
from mastra.tools.declared import check_declaration
from mastra.tools.docstring import read_docstring
from mastra.tools.signature import Parameters, read_signature
from mastra.types.model import ToolSpec
from mastra.types.schema import Schema, to_json

if TYPE_CHECKING:
    from mastra.tools.context import ToolContext
    from mastra.types.prompt import ProviderOptions

Approval: TypeAlias = "bool | Callable[..., bool | Awaitable[bool]]"
"""True, or a function of (arguments, context) that says whether this call needs a person's yes."""

_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Background(NamedTuple):
    """How a tool runs in the background."""

    timeout_s: float = 300.0
    retries: int = 0


class Tool:
    """A named function with a schema. Make one with `@tool` or `create_tool`.

    `execute=None` declares a tool that the caller runs: the run ends with the call, and goes on when its result
    is sent.
    """

    __slots__ = ("_parameters", "background", "blocking", "description", "execute", "hooks", "id", "idempotent",
                 "metadata", "output", "provider_options", "require_approval", "resume_schema", "retries",
                 "sequential", "spec", "strict", "suspend_schema", "timeout_s", "to_model_output", "version",
                 "wants_context")  # fmt: skip

    def __init__(
        self,
        id: str,
        *,
        description: str = "",
        input: Any = None,
        output: Any = None,
        execute: Callable[..., Any] | None = None,
        require_approval: Approval = False,
        suspend: Any = None,
        resume: Any = None,
        to_model_output: Callable[[Any], Any] | None = None,
        timeout_s: float | None = None,
        retries: int = 0,
        sequential: bool = False,
        idempotent: bool = False,
        background: bool | Mapping[str, Any] = False,
        strict: bool = False,
        provider_options: ProviderOptions | None = None,
        hooks: Mapping[str, Callable[..., Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        version: str = "",
    ) -> None:
        self.id = check_name(id)
        self.description = description
        self.require_approval = require_approval
        self.to_model_output = to_model_output
        self.timeout_s = timeout_s
        self.retries = retries
        # Never beside another call of the same step.
        self.sequential = sequential
        # Twice has the effect of once: it may be run again when a process died while it ran.
        self.idempotent = idempotent
        # Its calls go on after the answer.
        self.background = _read_background(background)
        self.strict = strict
        self.provider_options = provider_options
        self.hooks = {} if hooks is None else hooks
        self.metadata = dict(metadata or {})
        self.version = version
        self.output = None if output is None else Schema.of(output)
        self.suspend_schema = None if suspend is None else Schema.of(suspend)
        self.resume_schema = None if resume is None else Schema.of(resume)
        if isinstance(input, Parameters):
            self._parameters: Parameters | Schema | None = input
        else:
            self._parameters = None if input is None else Schema.of(input, lax=True)
        self.execute = execute
        self.blocking = execute is not None and not _is_async(execute)
        # `execute(arguments, context)` may leave the context out.
        self.wants_context = execute is not None and not isinstance(input, Parameters) and _takes_two(execute)
        self.spec = self._make_spec(self.id)
        check_declaration(self)
        self.hooks = dict(self.hooks)

    def _make_spec(self, name: str) -> ToolSpec:
        return ToolSpec(
            name, self.description, self.json_schema, strict=self.strict, provider_options=self.provider_options
        )

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.spec.name

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        return _NO_PARAMETERS if self._parameters is None else self._parameters.json_schema

    def validate(self, arguments: Any) -> Any:
        """The arguments as the function wants them; `InvalidInput` that names each problem."""
        if self._parameters is None:
            if not isinstance(arguments, dict):
                raise InvalidInput("The arguments are not an object.")
            return arguments
        return self._parameters.validate(arguments)

    def invoke(self, arguments: Any, context: ToolContext) -> Any:
        """Call the function with validated arguments: the result, or an awaitable of it."""
        execute = self.execute
        if execute is None:
            raise BadDefinition(f"Tool {self.id!r} is run by the caller.")
        parameters = self._parameters
        if isinstance(parameters, Parameters):
            if parameters.context is not None:
                return execute(**arguments, **{parameters.context: context})
            return execute(**arguments)
        return execute(arguments, context) if self.wants_context else execute(arguments)

    def but(self, **changes: Any) -> Tool:
        """A copy with other attributes: `name`, `description`, `require_approval`, `timeout_s`, ..."""
        made = object.__new__(Tool)
        for slot in Tool.__slots__:
            setattr(made, slot, getattr(self, slot))
        name = check_name(changes.pop("name", self.name))
        for key, value in changes.items():
            if key not in Tool.__slots__ or key.startswith("_"):
                raise BadDefinition(f"A tool has no attribute {key!r}.")
            setattr(made, key, value)
        check_declaration(made)
        made.spec = made._make_spec(name)
        return made

    def to_wire(self) -> dict[str, Any]:
        """The tool as the HTTP protocol describes it; schemas are JSON objects here."""
        out: dict[str, Any] = {"id": self.id, "description": self.description, "inputSchema": self.json_schema}
        if self.output is not None:
            out["outputSchema"] = self.output.json_schema
        out["requireApproval"] = self.require_approval is not False
        return out

    async def __call__(self, arguments: Any = None, /, *, context: ToolContext | None = None, **named: Any) -> Any:
        """Run the tool by hand: checked as if a model had called it."""
        from mastra.tools.call import run_tool  # noqa: PLC0415 - the two modules need each other
        from mastra.tools.context import ToolContext  # noqa: PLC0415 - the same

        given = named if arguments is None else arguments
        return await run_tool(self, given, context or ToolContext(tool_name=self.name))

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


def _read_background(given: bool | Mapping[str, Any]) -> Background | None:  # noqa: FBT001 - on, off, or how
    if not given:
        return None
    if given is True:
        return Background()
    try:
        made = Background(**given)
    except TypeError as error:
        raise BadDefinition("background has timeout_s and retries.") from error
    if not made.timeout_s > 0 or made.retries < 0:
        raise BadDefinition("A background tool needs a time above 0 and no negative retries.")
    return made


def check_name(name: object) -> str:
    """`name` when every provider accepts it as the name of a tool."""
    if isinstance(name, str) and 0 < len(name) <= 64 and _NAME_CHARS.issuperset(name):
        return name
    raise BadDefinition(
        f"{str(name)[:80]!r} is not a name for a tool.", hint="Use 1 to 64 letters, digits, '_' or '-'."
    )


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - looks at the method, not whether it can be called


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        kinds = [one.kind for one in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return True
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in positional for kind in kinds) >= 2


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(function: None = None, /, **options: Any) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function: its name, docstring and types say everything a model needs.

    ```
    @tool
    async def get_weather(city: str, days: int = 1) -> str:
        "Weather in a city."

    @tool(require_approval=True, timeout_s=10)
    def delete_record(id: str) -> bool: ...
    ```

    A parameter annotated with `ToolContext` receives the context and is hidden from the model. A function that is
    not async runs in a worker thread. Options are those of `Tool`.
    """
    if function is None:
        return lambda decorated: tool_from(decorated, **options)
    return tool_from(function, **options)


def tool_from(function: Callable[..., Any], *, name: str | None = None, description: str | None = None,
              id: str | None = None, **options: Any) -> Tool:  # fmt: skip
    """The tool that a function makes; `@tool` without the decorator."""
    if not callable(function):
        raise BadDefinition(f"A {type(function).__name__} cannot become a tool.", hint="Give a function.")
    called = id or name or getattr(function, "__name__", "") or type(function).__name__
    doc = read_docstring(getattr(function, "__doc__", None))
    said = doc.description if description is None else description
    return Tool(
        called, description=said, input=read_signature(function, doc.parameters, called), execute=function, **options
    )


def create_tool(id: str, *, description: str, input: Any = None, execute: Callable[..., Any] | None = None,
                **options: Any) -> Tool:  # fmt: skip
    """A tool from a schema: `input` is a JSON Schema, a type or a pydantic model; `execute(input, context)` runs it."""
    return Tool(id, description=description, input=input, execute=execute, **options)


def as_tools(given: Any) -> dict[str, Tool]:
    """Tools by the name the model calls them: from a list of tools and functions, a mapping, or a toolset."""
    if given is None:
        return {}
    listed = getattr(given, "tools", None)
    if isinstance(listed, Mapping):  # a toolset
        return dict(listed)
    if isinstance(given, Mapping):
        return {name: named(one, name) for name, one in given.items()}
    if isinstance(given, Tool) or callable(given):
        given = (given,)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadDefinition(f"A {type(given).__name__} is no set of tools.", hint="Give a list of tools, or a Toolset.")
    out: dict[str, Tool] = {}
    for one in given:
        several = getattr(one, "tools", None)
        made = several.values() if isinstance(several, Mapping) else (as_tool(one),)
        for each in made:
            if out.setdefault(each.name, each) is not each:
                raise BadDefinition(f"Two tools are called {each.name!r}.", hint="Rename one: tool.but(name=...).")
    return out


def named(one: Any, name: str) -> Tool:
    """The tool that `one` stands for, under another name when it differs."""
    made = as_tool(one)
    return made if made.name == name else made.but(name=name)


def as_tool(one: Any) -> Tool:
    """The tool that `one` stands for: a tool, or a function."""
    if isinstance(one, Tool):
        return one
    if callable(one):
        return tool_from(one)
    if isinstance(one, Mapping) and ("inputSchema" in one or "parameters" in one):
        return client_tool(str(one.get("id") or one.get("name") or ""), one)
    raise BadDefinition(f"A {type(one).__name__} is no tool.", hint="Use @tool, create_tool, or a typed function.")


def client_tool(name: str, one: Mapping[str, Any]) -> Tool:
    """A tool that the caller runs, from its JSON: {description, inputSchema}."""
    if not isinstance(one, Mapping):
        raise InvalidInput(f"The tool {name!r} of the caller is a {type(one).__name__}, not an object.")
    schema = one.get("inputSchema", one.get("parameters"))
    return Tool(name, description=str(one.get("description") or ""), input=schema or None)


def model_output(tool: Tool, result: Any) -> Any:
    """What the model reads as the result: JSON, or what `to_model_output` makes of it."""
    return to_json(result if tool.to_model_output is None else tool.to_model_output(result))
