"""Whether a value fits a type made of typed dictionaries, strictly: a name that the type does not know is a fault."""

from __future__ import annotations

import collections.abc
import types
import typing
from functools import cache
from typing import Any, Literal, Union

import typing_extensions as ext

_UNIONS = (Union, types.UnionType)
_REQUIRED = (ext.Required, typing.Required)
_OPTIONAL = (ext.NotRequired, typing.NotRequired)
_WRAPPERS = (*_REQUIRED, *_OPTIONAL, ext.ReadOnly)
_SEQUENCES = (list, collections.abc.Iterable, collections.abc.Sequence)
_MAPS = (dict, collections.abc.Mapping)


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    marked = ext.get_type_hints(kind, include_extras=True)
    # Annotations that are texts hide their marks from the class itself.
    optional = {name for name, hint in marked.items() if ext.get_origin(hint) in _OPTIONAL}
    required = {name for name, hint in marked.items() if ext.get_origin(hint) in _REQUIRED}
    return marked, frozenset((kind.__required_keys__ | required) - optional)


def faults(kind: Any, value: Any, where: str = "") -> list[str]:
    """What is wrong with `value`; nothing when it fits. Of a union the faults of its nearest member."""
    origin, inside = ext.get_origin(kind), ext.get_args(kind)
    if kind is Any or kind is object:
        return []
    if origin is ext.Annotated or origin in _WRAPPERS:
        return faults(inside[0], value, where)
    if isinstance(kind, ext.TypeAliasType):
        return faults(kind.__value__, value, where)
    if origin in _UNIONS:
        return _nearest([faults(member, value, where) for member in inside])
    if origin is Literal:
        return [] if value in inside else [f"{where}: {value!r} is none of {inside}"]
    if ext.is_typeddict(kind):
        return _dictionary(kind, value, where)
    if origin in _SEQUENCES or kind in _SEQUENCES:
        if not isinstance(value, list | tuple):
            return [f"{where}: {value!r} is no list"]
        item = inside[0] if inside else Any
        return [fault for at, one in enumerate(value) for fault in faults(item, one, f"{where}[{at}]")]
    if origin in _MAPS or kind in _MAPS:
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no object"]
        item = inside[1] if inside else Any
        return [fault for name, one in value.items() for fault in faults(item, one, f"{where}.{name}")]
    if kind is None or kind is type(None):
        return [] if value is None else [f"{where}: {value!r} is not null"]
    if kind is float:
        kind = int | float
    # A file or a path, say: what stands between its brackets cannot be seen.
    kind = origin if isinstance(origin, type) else kind
    fits = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
    return [] if fits else [f"{where}: {value!r} is no {kind}"]


def _dictionary(kind: Any, value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no {kind.__name__}"]
    fields, required = _fields(kind)
    found = [f"{where}.{name}: unknown to {kind.__name__}" for name in value if name not in fields]
    found += [f"{where}.{name}: missing in {kind.__name__}" for name in required if name not in value]
    for name, item in value.items():
        if name in fields:
            found += faults(fields[name], item, f"{where}.{name}")
    return found


def _nearest(found: list[list[str]]) -> list[str]:
    return min(found, key=lambda some: (len(some), -max((one.count(".") + one.count("[") for one in some), default=0)))
