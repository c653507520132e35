"""From what a source gives, text or JSON, to the type that a setting has."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from mastra.errors import BadSetting
from mastra.types.secrets import Secret


class Given(NamedTuple):
    """A value and where it was written."""

    value: Any
    source: str


def convert(name: str, given: Given, kind: Any, facts: Mapping[str, Any]) -> Any:
    """The value as `kind` and within the bounds of `facts`; else a `BadSetting` that names the place."""
    try:
        value = _as(given.value, kind)
    except (ValueError, TypeError) as error:
        shown = "the value" if kind is Secret else repr(given.value)[:60]
        raise BadSetting(f"{name} ({given.source}): {shown} {error}.", details={"name": name}) from None
    low, high = facts["low"], facts["high"]
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"between {low} and {high}" if high is not None else f"at least {low}"
        raise BadSetting(f"{name} ({given.source}): {value} is not {bounds}.", details={"name": name})
    return value


_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def _as(value: Any, kind: Any) -> Any:
    """`value` as `kind`; texts come from the environment and are read, other JSON values must fit."""
    origin = get_origin(kind)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(f"is not one of {', '.join(get_args(kind))}")
        return value
    if origin in (Union, types.UnionType):
        return (
            None if value in (None, "") else _as(value, next(item for item in get_args(kind) if item is not type(None)))
        )
    if origin is tuple:
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise ValueError("is not a list of texts")
        return tuple(parts)
    return _as_scalar(value, kind)


def _as_scalar(value: Any, kind: Any) -> Any:
    if kind is Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError("is not a text")
        return Secret(value)
    if kind is bool:
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word not in _TRUE | _FALSE:
            raise ValueError("is neither true nor false")
        return word in _TRUE
    if kind is str:
        if not isinstance(value, str):
            raise ValueError("is not a text")
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("is not a number")
    if kind is int:
        if isinstance(value, float):
            raise ValueError("is not a whole number")
        try:
            return int(value)
        except ValueError:
            raise ValueError("is not a whole number") from None
    try:
        number = float(value)
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(number):
        raise ValueError("is not a finite number")
    return number
