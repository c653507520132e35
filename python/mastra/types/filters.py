"""The filter language over JSON objects: Mongo's words with one meaning, defined here in Python.

Backends may narrow with their own queries, but what a filter means is `matches`. Filters are data: fields and
values never become code, and an unknown operator is an error instead of a condition that is ignored.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from mastra.errors import InvalidFilter, near_miss
from mastra.types.json import dumps, find_nul, find_unserialisable
from mastra.types.patterns import compile_pattern

Matcher: TypeAlias = Callable[[Any], bool]

MAX_DEPTH = 16
MAX_NODES = 2_000
_NUMBER = (int, float)
_MAX_INT = 2**53
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class _Missing:
    """Stands for a field that is not there."""


MISSING = _Missing()

LOGICAL = frozenset({"$and", "$or", "$nor"})
OPERATORS = frozenset(
    {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not", "$all", "$elemMatch", "$regex",
     "$options", "$contains", "$size"}
)  # fmt: skip


class Condition(NamedTuple):
    """`field op operand` on a top-level field that holds a scalar; part of what a filter demands."""

    field: str
    op: str
    operand: Any


def check(filter: object) -> None:
    """Refuse anything that is not a filter with an `InvalidFilter` that names the place."""
    compile_filter(filter)


def matches(filter: dict[str, Any] | None, value: dict[str, Any]) -> bool:
    """Whether the object `value` fits `filter`; no filter and an empty one fit everything."""
    return not filter or compile_filter(filter)(value)


def compile_filter(filter: object) -> Matcher:
    """The filter as a function, checked. Use it when many objects are tried against one filter."""
    if filter is None:
        return _always
    if not isinstance(filter, dict):
        raise InvalidFilter("A filter is an object.", hint='For example {"status": "open"}.')
    if len(filter) == 1:
        [(key, operand)] = filter.items()
        # What fences a write is one field and one value, and is asked with every write.
        plain = type(operand) is int or (type(operand) is str and len(operand) <= 64)
        if plain and type(key) is str and key.isascii() and key.isidentifier():
            return _one_field(key, operand)
    _check_holdable(filter)
    return _object(filter, _Budget(), 0)


def _check_holdable(filter: dict[str, Any]) -> None:
    found = find_unserialisable(filter)
    if found:
        raise InvalidFilter(f"The filter is not JSON: {found[1]} at {found[0]}.")
    # The text tells in one look, nearly always that there is none; where it stands is looked for then.
    if "\\u0000" in dumps(filter) and (nul := find_nul(filter)):
        raise InvalidFilter(f"The filter has a NUL character at {nul}, which no row can have.")


@functools.lru_cache(maxsize=4096, typed=True)
def _one_field(key: str, operand: int | str) -> Matcher:
    whole = {key: operand}
    _check_holdable(whole)
    return _object(whole, _Budget(), 0)


class _Budget:
    """Counts the nodes of one filter so that a huge one is refused instead of run."""

    def __init__(self) -> None:
        self.left = MAX_NODES

    def take(self, depth: int, count: int = 1) -> None:
        self.left -= count
        if self.left < 0 or depth > MAX_DEPTH:
            raise InvalidFilter(
                "The filter is too large.", hint=f"At most {MAX_NODES} conditions, {MAX_DEPTH} levels deep."
            )


def _always(_value: Any) -> bool:
    return True


def _object(filter: dict[str, Any], budget: _Budget, depth: int) -> Matcher:
    tests: list[Matcher] = []
    for key, operand in filter.items():
        budget.take(depth)
        if key in LOGICAL:
            tests.append(_logical(key, operand, budget, depth))
        elif key.startswith("$"):
            raise InvalidFilter(f"{key!r} is not a logical operator.", hint=near_miss(key, LOGICAL))
        else:
            tests.append(_field(key, operand, budget, depth))
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _logical(key: str, operand: Any, budget: _Budget, depth: int) -> Matcher:
    if not isinstance(operand, list) or not operand or not all(isinstance(part, dict) for part in operand):
        raise InvalidFilter(f"{key} takes a list of at least one filter.")
    parts = [_object(part, budget, depth + 1) for part in operand]
    if key == "$and":
        return lambda value: all(part(value) for part in parts)
    if key == "$or":
        return lambda value: any(part(value) for part in parts)
    return lambda value: not any(part(value) for part in parts)


def _field(key: str, operand: Any, budget: _Budget, depth: int) -> Matcher:
    path = key.split(".")
    test = _operand(operand, budget, depth)
    if len(path) == 1:
        return lambda value: test(value.get(key, MISSING) if isinstance(value, dict) else MISSING)
    return lambda value: test(_resolve(value, path))


def _resolve(value: Any, path: list[str]) -> Any:
    for segment in path:
        if isinstance(value, dict):
            value = value.get(segment, MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(segment) and int(segment) < len(value):
            value = value[int(segment)]
        else:
            return MISSING
    return value


def _is_operators(operand: Any) -> bool:
    return isinstance(operand, dict) and any(key.startswith("$") for key in operand)


def _operand(operand: Any, budget: _Budget, depth: int) -> Matcher:
    """The test that a field's value must pass."""
    if not _is_operators(operand):
        return _equals(operand)
    tests: list[Matcher] = []
    for name, argument in operand.items():
        budget.take(depth)
        if name == "$options":
            if "$regex" not in operand:
                raise InvalidFilter("$options needs a $regex beside it.")
        elif name == "$regex":
            tests.append(_regex(argument, operand.get("$options", "")))
        elif name == "$not":
            if not _is_operators(argument):
                raise InvalidFilter("$not takes an object of operators.")
            tests.append(_negate(_operand(argument, budget, depth + 1)))
        elif name == "$elemMatch":
            tests.append(_elem_match(argument, budget, depth))
        elif name in _BUILDERS:
            if isinstance(argument, list):
                budget.take(depth, len(argument))
            tests.append(_BUILDERS[name](argument))
        else:
            raise InvalidFilter(f"{name!r} is not an operator.", hint=near_miss(name, OPERATORS))
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are the same, true and 1 are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, _NUMBER) and isinstance(right, _NUMBER):
        return left == right
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _equals(operand: Any) -> Matcher:
    if operand is None:
        return lambda value: value is None or value is MISSING or (isinstance(value, list) and None in value)

    def test(value: Any) -> bool:
        if same(value, operand):
            return True
        return isinstance(value, list) and any(same(item, operand) for item in value)

    if isinstance(operand, str):
        # The common case, without a call for each comparison.
        return lambda value: value == operand or (isinstance(value, list) and operand in value)
    return test


def _negate(test: Matcher) -> Matcher:
    return lambda value: not test(value)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
}


def _ordered(name: str) -> Callable[[Any], Matcher]:
    compare = _COMPARE[name]

    def build(operand: Any) -> Matcher:
        if isinstance(operand, bool) or not isinstance(operand, str | int | float):
            raise InvalidFilter(f"{name} compares with a number or a text.")
        kind: Any = str if isinstance(operand, str) else _NUMBER

        def one(value: Any) -> bool:
            return isinstance(value, kind) and not isinstance(value, bool) and compare(value, operand)

        return lambda value: any(one(item) for item in value) if isinstance(value, list) else one(value)

    return build


def _list(name: str, argument: Any) -> list[Any]:
    if not isinstance(argument, list):
        raise InvalidFilter(f"{name} takes a list.")
    return argument


def _in(argument: Any) -> Matcher:
    items = _list("$in", argument)
    if all(isinstance(item, str) for item in items):
        known = frozenset(items)

        def text(value: Any) -> bool:
            if isinstance(value, str):
                return value in known
            return isinstance(value, list) and any(isinstance(item, str) and item in known for item in value)

        return text
    tests = [_equals(item) for item in items]
    return lambda value: any(test(value) for test in tests)


def _all(argument: Any) -> Matcher:
    tests = [_equals(item) for item in _list("$all", argument)]
    return lambda value: bool(tests) and value is not MISSING and all(test(value) for test in tests)


def _exists(argument: Any) -> Matcher:
    if not isinstance(argument, bool):
        raise InvalidFilter("$exists takes true or false.")
    return lambda value: (value is not MISSING) is argument


def _size(argument: Any) -> Matcher:
    if isinstance(argument, bool) or not isinstance(argument, int) or argument < 0:
        raise InvalidFilter("$size takes a whole number of at least 0.")
    return lambda value: isinstance(value, list) and len(value) == argument


def _contains(argument: Any) -> Matcher:
    """A text inside a text; an item (or each of a list of items) in a list; the pairs of an object in an object."""

    def test(value: Any) -> bool:
        if isinstance(value, str):
            return isinstance(argument, str) and argument in value
        if isinstance(value, list):
            wanted = argument if isinstance(argument, list) else [argument]
            return all(any(same(item, want) for item in value) for want in wanted)
        if isinstance(value, dict) and isinstance(argument, dict):
            return all(key in value and same(value[key], want) for key, want in argument.items())
        return False

    return test


def _elem_match(argument: Any, budget: _Budget, depth: int) -> Matcher:
    if not isinstance(argument, dict) or not argument:
        raise InvalidFilter("$elemMatch takes a filter or an object of operators.")
    budget.take(depth)
    if _is_operators(argument) and not any(key in LOGICAL for key in argument):
        test = _operand(argument, budget, depth + 1)
    else:
        test = _object(argument, budget, depth + 1)
    return lambda value: isinstance(value, list) and any(test(item) for item in value)


def _regex(pattern: Any, options: Any) -> Matcher:
    if not isinstance(pattern, str) or not isinstance(options, str):
        raise InvalidFilter("$regex and $options take texts.")
    found = compile_pattern(pattern, options)

    def test(value: Any) -> bool:
        if isinstance(value, list):
            return any(isinstance(item, str) and found(item) for item in value)
        return isinstance(value, str) and found(value)

    return test


_BUILDERS: dict[str, Callable[[Any], Matcher]] = {
    "$eq": _equals,
    "$ne": lambda operand: _negate(_equals(operand)),
    "$gt": _ordered("$gt"),
    "$gte": _ordered("$gte"),
    "$lt": _ordered("$lt"),
    "$lte": _ordered("$lte"),
    "$in": _in,
    "$nin": lambda operand: _negate(_in(_list("$nin", operand))),
    "$exists": _exists,
    "$all": _all,
    "$contains": _contains,
    "$size": _size,
}

_RANGES = frozenset({"$gt", "$gte", "$lt", "$lte"})


def conditions(filter: dict[str, Any] | None, fields: frozenset[str] | set[str]) -> tuple[list[Condition], bool]:
    """What `filter` demands of the scalar `fields`, and whether that is all it demands.

    Every object that fits the filter meets the conditions (a backend may narrow by them); when the second value is
    true the reverse holds too. `$eq`, `$in` and the comparisons appear, with texts, numbers and booleans only.
    A backend that cannot tell 1 from true must still try `matches` when an operand is not a text.
    """
    found: list[Condition] = []
    exact = True
    for key, operand in (filter or {}).items():
        if key == "$and":
            for part in operand:
                inner, inner_exact = conditions(part, fields)
                found += inner
                exact = exact and inner_exact
        elif key not in fields:
            exact = False
        elif _is_operators(operand):
            for name, argument in operand.items():
                if _tells(name, argument):
                    found.append(Condition(key, name, argument))
                else:
                    exact = False
        elif _scalar(operand):
            found.append(Condition(key, "$eq", operand))
        else:
            exact = False
    return found, exact


def _tells(name: str, argument: Any) -> bool:
    """Whether an index can answer this operator."""
    if name == "$in":
        return bool(argument) and len(argument) <= 200 and all(map(_scalar, argument))
    return (name in _RANGES or name == "$eq") and _scalar(argument)


def _scalar(value: Any) -> bool:
    # Columns of numbers end somewhere; whole numbers beyond doubles are left to `matches`.
    return isinstance(value, str | float) or (isinstance(value, int) and abs(value) <= _MAX_INT)
