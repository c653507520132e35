"""Schema: one face for every way to describe a value. JSON Schema, annotations, dataclasses, pydantic models."""

from __future__ import annotations

import sys
import types
import typing
from typing import Any, cast

from mastra.errors import BadDefinition, InvalidInput
from mastra.types.annotations import plain_schema
from mastra.types.json_schema import Check, Issue, compile_schema

_LEAVES = (str, int, float, bool, type(None))
_NO_SCHEMA = (str, bytes, int, float, list)
_JSON = (str, int, float, list, dict, type(None))


class Schema:
    """A compiled description: the JSON Schema for models and clients, and the check for values."""

    __slots__ = ("_adapter", "_check", "json_schema", "source")

    def __init__(self, json_schema: dict[str, Any], check: Check | None, adapter: Any, source: Any) -> None:
        self.json_schema = json_schema
        self._check = check
        self._adapter = adapter
        # What it was made of: the type of validated values, or the JSON Schema itself.
        self.source = source

    @classmethod
    def of(cls, spec: Any, *, lax: bool = False) -> Schema:
        """The schema of a JSON Schema object, an annotation, a dataclass, a TypedDict or a pydantic model.

        `lax` matters for JSON Schema only: numbers and booleans written as text are then accepted.
        """
        if isinstance(spec, Schema):
            return spec
        if isinstance(spec, dict):
            return cls._of_json_schema(spec, lax=lax)
        if isinstance(spec, _NO_SCHEMA):
            # Above all a text: pydantic reads one as an annotation, which means that it runs it.
            raise BadDefinition(
                f"A {type(spec).__name__} is no schema.",
                hint="Use JSON types, dataclasses, TypedDicts, pydantic models or a JSON Schema object.",
            )
        plain = plain_schema(spec)
        if plain is not None:
            return cls(plain, compile_schema(plain, lax=True), None, spec)
        return cls._of_type(spec)

    @classmethod
    def _of_json_schema(cls, spec: dict[str, Any], *, lax: bool) -> Schema:
        if spec and not any(isinstance(value, _JSON) for value in spec.values()):
            return cls._of_fields(spec)  # {"city": str, "days": int}: the short form of an object
        return cls(spec, compile_schema(spec, lax=lax), None, spec)

    @classmethod
    def _of_fields(cls, fields: dict[str, Any]) -> Schema:
        parts = {name: cls.of(kind).json_schema for name, kind in fields.items()}
        spec = {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}
        return cls(spec, compile_schema(spec, lax=True), None, fields)

    @classmethod
    def _of_type(cls, spec: Any) -> Schema:
        from pydantic import TypeAdapter  # noqa: PLC0415 - 60 ms, paid by those who use its types
        from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError  # noqa: PLC0415 - the same

        try:
            adapter: Any = TypeAdapter(_modern(spec))
            json_schema = adapter.json_schema()
        except (PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError) as error:
            name = getattr(spec, "__name__", repr(spec))
            raise BadDefinition(
                f"There is no schema for {name}: {str(error).splitlines()[0]}",
                hint="Use JSON types, dataclasses, TypedDicts, pydantic models or a JSON Schema object.",
            ) from error
        return cls(json_schema, None, adapter, spec)

    def issues(self, value: Any) -> list[Issue]:
        """What is wrong with `value`; empty when it fits."""
        return self._run(value)[1]

    def validate(self, value: Any) -> Any:
        """`value` as the described type; `InvalidInput` that names each place where it does not fit."""
        made, found = self._run(value)
        if found:
            shown = "; ".join(f"{issue['field']} {issue['message']}" for issue in found[:5])
            raise InvalidInput(f"The value does not fit its schema: {shown}.", issues=found)
        return made

    def _run(self, value: Any) -> tuple[Any, list[Issue]]:
        if self._check is not None:
            found: list[Issue] = []
            made = self._check(value, "", found)
            return made, found
        from pydantic import ValidationError  # noqa: PLC0415 - loaded already when there is an adapter

        try:
            return self._adapter.validate_python(value), []
        except ValidationError as error:
            # The input is left out: it may hold secrets, and it may be huge.
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            return value, [{"field": _path(one["loc"]), "message": one["msg"]} for one in problems]

    def dump(self, value: Any) -> Any:
        """`value` as JSON data."""
        if self._adapter is not None:
            return self._adapter.dump_python(value, mode="json", by_alias=True)
        return to_json(value)


def _modern(spec: Any) -> Any:
    """`spec` with each typing.TypedDict as one of typing_extensions: before Python 3.12 pydantic wants those."""
    if sys.version_info >= (3, 12):
        return spec
    if typing.is_typeddict(spec) and type(spec).__module__ == "typing":
        import typing_extensions  # noqa: PLC0415 - comes with pydantic

        hints = typing.get_type_hints(spec, include_extras=True)
        fields = {
            name: _modern(kind) if name in spec.__required_keys__ else typing_extensions.NotRequired[_modern(kind)]
            for name, kind in hints.items()
        }
        make: Any = typing_extensions.TypedDict
        made = make(spec.__name__, fields)
        made.__doc__ = spec.__doc__
        return made
    arguments = typing.get_args(spec)
    if typing.get_origin(spec) in (typing.Union, types.UnionType):
        return typing.Union[tuple(_modern(one) for one in arguments)]  # noqa: UP007 - of as many as there are
    if arguments and typing.get_origin(spec) in (list, dict, tuple, set, frozenset):
        return typing.get_origin(spec)[tuple(_modern(one) for one in arguments)]
    return spec


def _path(location: tuple[Any, ...]) -> str:
    out = ""
    for step in location:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else str(step)
    return out or "root"


def to_json(value: Any) -> Any:
    """JSON data for any value a tool or step may return: models, dataclasses, dates, sets, bytes and so on."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is dict:
        return {key if type(key) is str else str(key): to_json(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [to_json(item) for item in value]
    return _exotic(value)


def _exotic(value: Any) -> Any:
    # sys.modules: who never loaded pydantic has no instance of its models.
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if hasattr(value, "to_wire"):
        return to_json(value.to_wire())
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in value.__dataclass_fields__}
    fields = getattr(value, "_fields", None)
    if isinstance(value, tuple) and fields is not None:
        return {name: to_json(item) for name, item in zip(fields, value, strict=True)}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    from pydantic_core import PydanticSerializationError, to_jsonable_python  # noqa: PLC0415 - rare values only

    try:
        return cast("Any", to_jsonable_python(value))
    except (PydanticSerializationError, ValueError) as error:
        raise InvalidInput(
            f"A {type(value).__name__} cannot be written as JSON.", hint="Return JSON types, models or dataclasses."
        ) from error
