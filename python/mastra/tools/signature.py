"""From a function's signature to the schema of its arguments; what has no type is refused at declaration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_origin, get_type_hints

from mastra.errors import BadDefinition, InvalidInput
from mastra.tools.context import ToolContext
from mastra.types.annotations import plain_schema
from mastra.types.json_schema import Check, Issue, compile_schema
from mastra.types.schema import Schema

_EMPTY = inspect.Parameter.empty
# Types that need no look at where the function stands, unless it gives their names to something else.
_PLAIN: dict[Any, type] = {"str": str, "int": int, "float": float, "bool": bool}
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Parameters:
    """The arguments of a function: their JSON Schema, and the way from what a model wrote to keyword arguments."""

    __slots__ = ("_check", "_rich", "context", "json_schema")

    def __init__(self, json_schema: dict[str, Any], rich: dict[str, Schema], context: str | None) -> None:
        self.json_schema = json_schema
        # Parameters whose values only pydantic can make.
        self._rich = rich
        # The parameter that receives the ToolContext.
        self.context = context
        checked = json_schema
        if rich:
            plain = {name: ({} if name in rich else sub) for name, sub in json_schema["properties"].items()}
            checked = {**json_schema, "properties": plain}
        self._check: Check = compile_schema(checked, lax=True)

    def validate(self, arguments: Any) -> dict[str, Any]:
        """Keyword arguments; `InvalidInput` that names each problem."""
        found: list[Issue] = []
        made: dict[str, Any] = self._check(arguments, "", found)
        if self._rich and not found:
            made = dict(made)
            for name, schema in self._rich.items():
                if name in made:
                    try:
                        made[name] = schema.validate(made[name])
                    except InvalidInput as error:
                        found += [{**one, "field": _under(name, one["field"])} for one in error.issues]
        if found:
            shown = "; ".join(f"{issue['field']} {issue['message']}" for issue in found[:5])
            raise InvalidInput(f"The arguments do not fit: {shown}.", issues=found)
        return made


def _under(name: str, field: str) -> str:
    return name if field == "root" else f"{name}{field if field.startswith('[') else '.' + field}"


def read_signature(function: Callable[..., Any], descriptions: dict[str, str], name: str) -> Parameters:
    """The parameters of `function`."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise BadDefinition(f"The signature of tool {name!r} cannot be read.") from error
    hints = _hints(function, name)
    properties: dict[str, Any] = {}
    required: list[str] = []
    definitions: dict[str, Any] = {}
    rich: dict[str, Schema] = {}
    context: str | None = None
    for parameter in signature.parameters.values():
        if parameter.kind in _VARIADIC or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise BadDefinition(
                f"The parameter {parameter} of tool {name!r} cannot be described to a model.",
                hint="Use named parameters with types.",
            )
        annotation = hints.get(parameter.name, _EMPTY)
        if annotation is _EMPTY:
            raise BadDefinition(
                f"The parameter {parameter.name!r} of tool {name!r} has no type.", hint="Annotate every parameter."
            )
        if annotation is ToolContext or get_origin(annotation) is ToolContext:
            context = parameter.name
            continue
        sub = plain_schema(annotation)
        if sub is None:
            schema = Schema.of(annotation)
            rich[parameter.name] = schema
            sub = dict(schema.json_schema)
            # References inside point to the root; there is one root for all parameters.
            definitions.update(sub.pop("$defs", {}))
        said = descriptions.get(parameter.name)
        if said and "description" not in sub:
            sub = {**sub, "description": said}
        if parameter.default is _EMPTY:
            required.append(parameter.name)
        elif isinstance(parameter.default, str | int | float | bool):
            sub = {**sub, "default": parameter.default}
        properties[parameter.name] = sub
    out: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    out["additionalProperties"] = False
    if definitions:
        out["$defs"] = definitions
    return Parameters(out, rich, context)


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    plain = getattr(function, "__annotations__", None)
    if plain is None:  # an object with __call__
        function = type(function).__call__
        plain = getattr(function, "__annotations__", {})
    if not any(isinstance(one, str) for one in plain.values()):
        return dict(plain)
    scope = getattr(inspect.unwrap(function), "__globals__", _PLAIN)
    if all(isinstance(one, str) and one in _PLAIN and one not in scope for one in plain.values()):
        return {one: _PLAIN[said] for one, said in plain.items()}
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise BadDefinition(
            f"A type of tool {name!r} is not known where the tool is declared: {error}.",
            hint="Import it at the top of the module, not under TYPE_CHECKING.",
        ) from error
