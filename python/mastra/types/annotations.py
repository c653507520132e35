"""JSON Schema from plain Python annotations, without pydantic: what most tools need, in microseconds."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    Any: {},
    object: {},
    dict: {"type": "object"},
    list: {"type": "array"},
}


def plain_schema(annotation: Any) -> dict[str, Any] | None:
    """The schema of an annotation made of JSON's own types; None when it takes pydantic to understand it."""
    try:
        known = _PLAIN.get(annotation)
    except TypeError:
        return None
    if known is not None:
        return dict(known)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        items = plain_schema(arguments[0])
        return None if items is None else {"type": "array", "items": items}
    if origin is dict:
        values = plain_schema(arguments[1]) if arguments[0] is str else None
        return None if values is None else {"type": "object", "additionalProperties": values or True}
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        parts = [plain_schema(one) for one in arguments]
        return None if None in parts else {"anyOf": parts}
    if origin is Annotated:
        return _annotated(arguments)
    return None


def _literal(values: tuple[Any, ...]) -> dict[str, Any] | None:
    if all(isinstance(value, str) for value in values):
        return {"type": "string", "enum": list(values)}
    if all(isinstance(value, str | int | bool) or value is None for value in values):
        return {"enum": list(values)}
    return None


def _annotated(arguments: tuple[Any, ...]) -> dict[str, Any] | None:
    inner = plain_schema(arguments[0])
    # A text in the annotation describes the parameter; anything else (pydantic's Field) is for pydantic.
    if inner is None or not all(isinstance(note, str) for note in arguments[1:]):
        return None
    return {**inner, "description": arguments[1]}
