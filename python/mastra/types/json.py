"""What JSON may hold, as types; and the one strict, compact way to write it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from mastra.errors import InvalidInput

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object. `Any` stands for JSON values; `find_unserialisable` names what is not."""

MAX_DEPTH = 200
"""Nesting deeper than this is refused everywhere: a parser of a peer may overflow on it."""

_LEAVES = (str, int, float, bool, type(None))


def dumps(value: Any) -> str:
    """Compact JSON; NaN and infinities are refused because no other language reads them."""
    try:
        return _encode(value)
    except RecursionError as error:
        raise ValueError("the value contains itself or is nested too deeply") from error


def dump_bytes(value: Any) -> bytes:
    """`dumps` as UTF-8. A lone surrogate, which UTF-8 cannot say, becomes a replacement character."""
    text = dumps(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def loads(text: str | bytes) -> Any:
    """Strict JSON: NaN, infinities and a byte-order mark are refused."""
    try:
        if type(text) is str and not text.startswith("\ufeff"):
            return _DECODER.decode(text)
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


def _encoder() -> Callable[[Any], str]:
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        from _json import make_encoder  # noqa: PLC0415 - CPython's own, which json makes anew for every text

        parts = make_encoder(None, plain.default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    except (ImportError, TypeError):
        return plain.encode

    def encode(value: Any) -> str:
        # A text alone is not made of parts.
        return plain.encode(value) if type(value) is str else "".join(parts(value, 0))

    return encode


# Made once: json.dumps and json.loads make a new one for every text when they are given options.
_encode = _encoder()
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def find_unserialisable(value: Any) -> tuple[str, str] | None:
    """The first place in `value` that JSON cannot hold, as (path, reason); None when it holds all of it."""
    return None if _holds(value, 0) else _find(value, "$", 0)


def find_nul(value: Any, path: str = "$") -> str | None:
    """The first place in `value` where a text has a NUL character, which not every backend can store."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, dict):
        places = ((f"{path}.(key)", key, f"{path}.{key}", item) for key, item in value.items())
        return next((at for one, key, two, item in places if (at := find_nul(key, one) or find_nul(item, two))), None)
    if isinstance(value, list | tuple):
        return next((at for index, item in enumerate(value) if (at := find_nul(item, f"{path}[{index}]"))), None)
    return None


def _holds(value: Any, depth: int) -> bool:
    """Whether JSON surely holds all of it. Makes no paths: what is found in doubt is looked at again with them."""
    kind = type(value)
    if kind is str:
        return value.isascii() or _is_utf8(value)
    if kind is dict:
        if depth >= MAX_DEPTH:
            return False
        for key, item in value.items():
            if type(key) is not str or not (key.isascii() or _is_utf8(key)):
                return False
            if type(item) not in _SURE and not _holds(item, depth + 1):
                return False
        return True
    if kind is list or kind is tuple:
        return depth < MAX_DEPTH and all(type(item) in _SURE or _holds(item, depth + 1) for item in value)
    return kind in _SURE or (kind is float and math.isfinite(value))


_SURE = frozenset({int, bool, type(None)})


def _find(value: Any, path: str, depth: int) -> tuple[str, str] | None:
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
            found = _find(item, f"{path}.{key}", depth + 1)
            if found:
                return found
        return None
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            found = _find(item, f"{path}[{index}]", depth + 1)
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
