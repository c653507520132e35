"""Where a match may begin at the end of a text that still grows: as much of it waits, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

try:
    from re import _parser as _sre  # type: ignore[attr-defined]  # what a pattern consists of
except ImportError:  # another Python: then everything waits
    _sre = None
parser: Any = _sre

_NAMED = {"CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S",
          "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W"}  # fmt: skip
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_BEGINNINGS = {"AT_BEGINNING": "^", "AT_BEGINNING_STRING": r"\A"}
_SAMPLE = [chr(code) for code in (*range(0x250), 0x3B1, 0x431, 0x4E2D, 0x1F600)]
_FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.ASCII
_MOST = 20_000
_MOST_WAYS = 1_000


class _Unknown(Exception):
    """A part whose beginnings cannot be told; then everything waits."""


@lru_cache(maxsize=1024)
def beginning_of(pattern: re.Pattern[str]) -> re.Pattern[str] | None:
    """A pattern that finds the first place from where on the text may be the beginning of a match.

    It finds the end of the text when there is none. None: it cannot be told for this pattern.
    """
    if parser is None:
        return None
    try:
        tree = list(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
        _check(tree, pattern.flags)
        text = _begun(tree)
        if len(text) > _MOST:
            return None
        return re.compile(rf"(?:{text})\Z|\Z", pattern.flags & _FLAGS)
    except (_Unknown, RecursionError, re.error):
        return None


# ---------------------------------------------------------------- the whole of a part, and its beginnings


def _whole(parts: Iterable[Any], *, behind: bool = False) -> str:
    return "".join(_whole_part(name, value, behind=behind) for name, value in _named(parts))


def _named(parts: Iterable[Any]) -> list[tuple[str, Any]]:
    return [(str(kind), value) for kind, value in parts]


def _whole_part(kind: str, value: Any, *, behind: bool) -> str:
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        return _char(kind, value)
    if kind == "BRANCH":
        return f"(?:{'|'.join(_whole(one, behind=behind) for one in value[1])})"
    if kind == "SUBPATTERN":
        return f"(?:{_whole(_inside(value), behind=behind)})"
    if kind == "ATOMIC_GROUP":
        return f"(?:{_whole(value, behind=behind)})"
    if kind in _REPEATS:
        low, high, body = value
        return f"(?:{_whole(body, behind=behind)}){_times(low, high)}"
    if kind == "AT":
        # What stands at an edge depends on what comes, but for the beginning.
        return _BEGINNINGS.get(str(value), "")
    if kind in ("ASSERT", "ASSERT_NOT"):
        direction, body = value
        if direction > 0:
            return ""
        return f"(?<{'=' if kind == 'ASSERT' else '!'}{_whole(body, behind=True)})"
    raise _Unknown(kind)


def _begun(parts: Sequence[Any]) -> str:
    """Every beginning of a sequence: all of its first half and a beginning of the second, or one of the first."""
    if not parts:
        return ""
    if len(parts) > 1:
        middle = len(parts) // 2
        return f"(?:{_whole(parts[:middle])}{_begun(parts[middle:])}|{_begun(parts[:middle])})"
    ((kind, value),) = _named(parts)
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        return f"{_char(kind, value)}?"
    if kind == "BRANCH":
        return f"(?:{'|'.join(_begun(list(one)) for one in value[1])})"
    if kind == "SUBPATTERN":
        return _begun(list(_inside(value)))
    if kind == "ATOMIC_GROUP":
        return _begun(list(value))
    if kind in _REPEATS:
        _, high, body = value
        rest = (
            "" if len(body) == 1 and str(body[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN") else _begun(list(body))
        )
        return f"(?:{_whole(body)}){_times(0, high)}{rest}"
    return _whole_part(kind, value, behind=False)


def _inside(value: Any) -> Any:
    _, added, removed, body = value
    if added or removed:
        raise _Unknown("flags of a group")
    return body


def _times(low: int, high: Any) -> str:
    return f"{{{low},}}" if high is parser.MAXREPEAT else f"{{{low},{high}}}"


def _char(kind: str, value: Any) -> str:
    if kind == "ANY":
        return "."
    if kind == "LITERAL":
        return re.escape(chr(value))
    if kind == "NOT_LITERAL":
        return f"[^{re.escape(chr(value))}]"
    listed = "".join(_member(str(name), one) for name, one in value)
    return f"[{listed}]"


def _member(kind: str, value: Any) -> str:
    if kind == "NEGATE":
        return "^"
    if kind == "LITERAL":
        return re.escape(chr(value))
    if kind == "RANGE":
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if str(value) in _NAMED:
        return _NAMED[str(value)]
    raise _Unknown(str(value))


# ---------------------------------------------------------------- patterns that could take for ever


def _check(parts: Iterable[Any], flags: int) -> None:
    """Refuse repeats in repeats that can share a text out in many ways: anchored at the end they take for ever."""
    for kind, value in _named(parts):
        if kind in _REPEATS:
            body = list(value[2])
            if value[1] != 1 and _varies(body) and _ways(body) ** min(value[1], 64) > _MOST_WAYS:
                _check_body(body, flags)
            _check(body, flags)
        elif kind == "BRANCH":
            for one in value[1]:
                _check(one, flags)
        elif kind == "SUBPATTERN":
            _check(_inside(value), flags)
        elif kind == "ATOMIC_GROUP":
            _check(value, flags)


def _ways(parts: Iterable[Any]) -> float:
    """In about how many ways a sequence can be shared out over a text."""
    ways = 1.0
    for kind, value in _named(parts):
        if kind == "BRANCH":
            ways *= sum(_ways(one) for one in value[1])
        elif kind in ("SUBPATTERN", "ATOMIC_GROUP"):
            ways *= _ways(value if kind == "ATOMIC_GROUP" else value[3])
        elif kind in _REPEATS:
            low, high = value[0], min(value[1], 64)
            ways *= (high - low + 1) * min(_ways(value[2]), 1e9) ** min(high, 8)
    return min(ways, 1e9)


def _varies(parts: Iterable[Any]) -> bool:
    for kind, value in _named(parts):
        if kind in _REPEATS and (value[0] != value[1] or _varies(value[2])):
            return True
        if (
            kind == "BRANCH"
            or (kind == "SUBPATTERN" and _varies(value[3]))
            or (kind == "ATOMIC_GROUP" and _varies(value))
        ):
            return True
    return False


def _check_body(body: list[Any], flags: int) -> None:
    """In a repeated body, what follows a part of no fixed length must begin with other characters."""
    chars: list[frozenset[str]] = []
    sizes: list[tuple[int, int]] = []
    for kind, value in _named(body):
        low, high, one = 1, 1, (kind, value)
        if kind in _REPEATS and len(value[2]) == 1:
            low, high, one = value[0], value[1], _named(value[2])[0]
        if one[0] not in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            raise _Unknown("a repeat in a repeat")
        test = re.compile(_char(*one), flags & _FLAGS)
        chars.append(frozenset(char for char in _SAMPLE if test.match(char)))
        sizes.append((low, high))
    count = len(body)
    for at in range(count):
        if sizes[at][0] == sizes[at][1]:
            continue
        for step in range(1, count + 1):
            after = (at + step) % count
            if chars[at] & chars[after]:
                raise _Unknown("a repeat in a repeat")
            if sizes[after][0]:
                break
