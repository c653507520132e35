"""A value that is still being written, by its type: what is there and fits is kept, what does not (yet) is left out.

A model or a dataclass of which only a part is there is an object of its class whose missing fields are None.
"""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from mastra.errors import BadDefinition
from mastra.types.schema import Schema

Read: TypeAlias = Callable[[Any], Any]
MISSING: Any = object()
_LISTS = {list: list, tuple: tuple, set: set, frozenset: frozenset}
_QUALIFIERS = ("NotRequired", "Required", "ReadOnly")


def grower(schema: Schema) -> Read:
    """From JSON that is written so far to the value it comes to; `MISSING` when nothing of it fits yet."""
    if isinstance(schema.source, dict):
        return _Json(schema.json_schema).read(schema.json_schema)
    return _Typed().read(schema.source)


def whole_item(schema: Schema) -> Read:
    """For a list: from one whole element to its value, `MISSING` when it does not fit."""
    arguments = get_args(schema.source)
    if get_origin(schema.source) in _LISTS and arguments:
        return _whole(Schema.of(arguments[0]))
    items = schema.json_schema.get("items")
    if not isinstance(items, dict):
        return lambda value: value
    return _whole(Schema.of({**items, "$defs": schema.json_schema.get("$defs", {})}))


def _whole(schema: Schema) -> Read:
    def read(value: Any) -> Any:
        return MISSING if schema.issues(value) else schema.validate(value)

    return read


class _Object:
    """An object with known fields."""

    __slots__ = ("fields", "make")

    def __init__(self, make: Callable[[dict[str, Any]], Any]) -> None:
        self.fields: dict[str, Read] = {}
        self.make = make

    def knows(self, value: Any) -> bool:
        """Whether all that is written belongs to it."""
        return isinstance(value, Mapping) and value.keys() <= self.fields.keys()

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return MISSING
        read = {name: field(value[name]) for name, field in self.fields.items() if name in value}
        return self.make({name: made for name, made in read.items() if made is not MISSING})


def _one_of(readers: list[Read]) -> Read:
    def read(value: Any) -> Any:
        for reader in readers:
            made = MISSING if isinstance(reader, _Object) and not reader.knows(value) else reader(value)
            if made is not MISSING:
                return made
        return MISSING

    return read


def _several(item: Read, make: Callable[[list[Any]], Any]) -> Read:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return MISSING
        return make([made for one in value if (made := item(one)) is not MISSING])

    return read


class _Typed:
    """Readers for annotations; one for each class, so that a class may contain itself."""

    def __init__(self) -> None:
        self._known: dict[Any, Read] = {}

    def read(self, kind: Any) -> Read:
        origin, arguments = get_origin(kind), get_args(kind)
        if kind is Any:
            return lambda value: value
        if origin is not None and getattr(origin, "_name", None) in _QUALIFIERS:
            return self.read(arguments[0])
        if origin is Annotated:
            inner = self.read(arguments[0])
            return inner if not _is_leaf(arguments[0]) else _leaf(kind)
        if origin in (Union, types.UnionType):
            return _one_of([_leaf(kind), *(self.read(one) for one in arguments if not _is_leaf(one))])
        if origin in _LISTS and len(arguments) in (1, 2) and (len(arguments) == 1 or arguments[1] is ...):
            return _several(self.read(arguments[0]), _LISTS[origin])
        if origin is dict:
            return self._mapping(arguments[1])
        return self._class(kind) if _is_object(kind) else _leaf(kind)

    def _mapping(self, kind: Any) -> Read:
        values = self.read(kind)

        def read(value: Any) -> Any:
            if not isinstance(value, Mapping):
                return MISSING
            return {key: made for key, one in value.items() if (made := values(one)) is not MISSING}

        return read

    def _class(self, kind: Any) -> Read:
        if kind in self._known:
            return self._known[kind]
        if typing.is_typeddict(kind) or _is_typed_dict(kind):
            made, fields = _Object(dict), typing.get_type_hints(kind, include_extras=True)
        elif dataclasses.is_dataclass(kind):
            made, fields = _Object(_dataclass_maker(kind)), _dataclass_fields(kind)
        else:
            made, fields = _Object(_model_maker(kind)), _model_fields(kind)
        self._known[kind] = made
        made.fields.update({name: self.read(one) for name, one in fields.items()})
        return made


def _is_typed_dict(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__")


def _is_model(kind: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return (
        pydantic is not None
        and isinstance(kind, type)
        and issubclass(kind, pydantic.BaseModel)
        and not issubclass(kind, pydantic.RootModel)
    )


def _is_object(kind: Any) -> bool:
    return _is_model(kind) or _is_typed_dict(kind) or (dataclasses.is_dataclass(kind) and isinstance(kind, type))


def _is_leaf(kind: Any) -> bool:
    return not _is_object(kind) and get_origin(kind) not in (*_LISTS, dict, Union, types.UnionType, Annotated)


def _leaf(kind: Any) -> Read:
    try:
        schema = Schema.of(kind)
    except BadDefinition:
        return lambda _: MISSING  # the whole value is checked at its end all the same

    return _whole(schema)


def _dataclass_fields(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _dataclass_maker(kind: Any) -> Callable[[dict[str, Any]], Any]:
    def make(found: dict[str, Any]) -> Any:
        made = object.__new__(kind)
        for field in dataclasses.fields(kind):
            if field.name in found:
                value = found[field.name]
            elif field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
            else:
                value = None if field.default is dataclasses.MISSING else field.default
            object.__setattr__(made, field.name, value)
        return made

    return make


def _model_fields(kind: Any) -> dict[str, Any]:
    return {
        field.alias or name: Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        for name, field in kind.model_fields.items()
    }


def _model_maker(kind: Any) -> Callable[[dict[str, Any]], Any]:
    names = {field.alias or name: name for name, field in kind.model_fields.items()}
    required = {name: None for name, field in kind.model_fields.items() if field.is_required()}

    def make(found: dict[str, Any]) -> Any:
        given = {names[name]: value for name, value in found.items()}
        made = kind.model_construct(given.keys(), **{**required, **given})
        # By name: what is constructed by alias would be looked for under it.
        for name, value in given.items():
            object.__getattribute__(made, "__dict__")[name] = value
        return made

    return make


class _Json:
    """Readers for JSON Schema."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, Read] = {}

    def read(self, schema: Any) -> Read:
        if not isinstance(schema, dict):
            return lambda value: value
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._refer(reference)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return _one_of([self._leaf(schema), *(self.read(one) for one in schema[several])])
        if isinstance(schema.get("properties"), dict):
            return self._object(schema)
        if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
            return _several(self.read(schema["items"]), list)
        return self._leaf(schema)

    def _refer(self, reference: str) -> Read:
        """A reference is followed when it is first needed, for it may lead back to where it stands."""

        def read(value: Any) -> Any:
            if reference not in self._known:
                found: Any = self._root
                for token in reference.removeprefix("#").split("/")[1:]:
                    found = found.get(token.replace("~1", "/").replace("~0", "~"), {})
                self._known[reference] = self.read(found)
            return self._known[reference](value)

        return read

    def _object(self, schema: dict[str, Any]) -> Read:
        fields = {name: self.read(one) for name, one in schema["properties"].items()}
        is_open = schema.get("additionalProperties", True) is not False

        def read(value: Any) -> Any:
            if not isinstance(value, Mapping):
                return MISSING
            made = {name: fields[name](one) if name in fields else one for name, one in value.items()
                    if is_open or name in fields}  # fmt: skip
            return {name: one for name, one in made.items() if one is not MISSING}

        return read

    def _leaf(self, schema: dict[str, Any]) -> Read:
        kept = {name: self._root[name] for name in ("$defs", "definitions") if name in self._root}
        return _whole(Schema.of({**kept, **schema}))
