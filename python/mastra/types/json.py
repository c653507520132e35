"""What JSON may hold, as types; and the one strict, compact way to write it."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

from mastra.errors import InvalidInput

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object. `Any` stands for JSON values; `find_unserialisable` names what is not."""

MAX_DEPTH = 200
"""Nesting deeper than this is refused everywhere: a parser of a peer may overflow on it."""

_LEAVES = (str, int, float, bool, type(None))


def dumps(value: Any) -> str:
    """Compact JSON; NaN and infinities are refused because no other language reads them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def loads(text: str | bytes) -> Any:
    """Strict JSON: NaN, infinities and a byte-order mark are refused."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise InvalidInput("The JSON text is nested too deeply.") from error


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def find_unserialisable(value: Any, path: str = "$", depth: int = 0) -> tuple[str, str] | None:
    """The first place in `value` that JSON cannot hold, as (path, reason); None when it holds all of it."""
    if depth > MAX_DEPTH:
        return path, f"nested deeper than {MAX_DEPTH}"
    if isinstance(value, str):
        return (path, "contains a lone surrogate") if not _is_utf8(value) else None
    if isinstance(value, float) and not math.isfinite(value):
        return path, f"{value} is not JSON"
    if isinstance(value, _LEAVES):
        return None
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{path}.{key!r}", "an object key is not a text"
            if not _is_utf8(key):
                return f"{path}.{key!r}", "an object key contains a lone surrogate"
            found = find_unserialisable(item, f"{path}.{key}", depth + 1)
            if found:
                return found
        return None
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            found = find_unserialisable(item, f"{path}[{index}]", depth + 1)
            if found:
                return found
        return None
    return path, f"a {type(value).__name__} is not JSON"


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
