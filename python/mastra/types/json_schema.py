"""JSON Schema (draft 2020-12 and 7), compiled once into closures that check a value and name every problem.

`lax` accepts what models write when they mean the right thing: "3" or 3.0 where an integer is asked for.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from mastra.errors import BadDefinition
from mastra.types.json import MAX_DEPTH

Issue: TypeAlias = dict[str, str]
Check: TypeAlias = Callable[[Any, str, list[Issue]], Any]
"""check(value, path, issues): the value to use, with problems added to `issues`."""

_MISSING: Any = object()
_INTEGER = re.compile(r"[+-]?\d{1,18}")


def compile_schema(schema: Any, *, lax: bool = False) -> Check:
    """The check that `schema` describes; `BadDefinition` when it is not a schema that can be checked."""
    return _Compiler(schema, lax=lax).compile(schema, "$", 0)


class _Compiler:
    def __init__(self, root: Any, *, lax: bool) -> None:
        self.root = root
        self.lax = lax
        self.references: dict[str, Check] = {}

    def compile(self, schema: Any, where: str, depth: int) -> Check:
        if schema is True or schema == {}:
            return _accept
        if schema is False:
            return _refuse
        if not isinstance(schema, dict):
            raise BadDefinition(f"{where} is not a JSON Schema.", hint="A schema is an object, true or false.")
        if depth > MAX_DEPTH:
            raise BadDefinition("The JSON Schema is nested too deeply.")
        rules = _RULES[:1] if schema.keys() <= _TYPE_AND_NOTES else _RULES
        checks = [made for make in rules if (made := make(self, schema, where, depth + 1)) is not None]
        if not checks:
            return _accept
        if len(checks) == 1:
            return checks[0]
        first, *rest = checks
        kind = _KINDS.get(schema["type"]) if isinstance(schema.get("type"), str) else None

        def check(value: Any, path: str, issues: list[Issue]) -> Any:
            before = len(issues)
            value = first(value, path, issues)
            if kind is not None and len(issues) > before:
                return value  # of the wrong type: the other rules would only repeat it
            for rule in rest:
                value = rule(value, path, issues)
            return value

        return check

    def refer(self, reference: str, depth: int) -> Check:
        """The schema behind a local `$ref`; compiled on first use because it may contain itself."""
        target: Any = self.root
        if not reference.startswith("#"):
            raise BadDefinition(f"The reference {reference!r} leads outside of the schema.", hint="Use '#/$defs/...'.")
        for token in reference[1:].split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isdigit() and int(key) < len(target):
                target = target[int(key)]
            elif isinstance(target, dict) and key in target:
                target = target[key]
            else:
                raise BadDefinition(f"The reference {reference!r} leads nowhere.")
        references = self.references

        def check(value: Any, path: str, issues: list[Issue]) -> Any:
            if path.count(".") + path.count("[") > MAX_DEPTH:
                return _issue(issues, path, "is nested too deeply", value)
            return references[reference](value, path, issues)

        if reference not in references:
            references[reference] = check  # what a schema that contains itself finds while it is compiled
            references[reference] = self.compile(target, reference, depth)
        return check


def _issue(issues: list[Issue], path: str, message: str, value: Any) -> Any:
    issues.append({"field": path or "root", "message": message})
    return value


def _accept(value: Any, _path: str, _issues: list[Issue]) -> Any:
    return value


def _refuse(value: Any, path: str, issues: list[Issue]) -> Any:
    return _issue(issues, path, "is not allowed", value)


# ---------------------------------------------------------------- types


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": _is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, dict),
}
_NAMES = {"string": "a text", "number": "a number", "integer": "an integer", "boolean": "true or false",
          "null": "null", "array": "an array", "object": "an object"}  # fmt: skip


def _coerce(kind: str, value: Any) -> Any:
    """What a lenient reader makes of `value`, or `_MISSING`."""
    if isinstance(value, str):
        text = value.strip()
        if kind == "integer" and _INTEGER.fullmatch(text):
            return int(text)
        if kind in ("number", "integer") and len(text) < 40:
            try:
                number = float(text)
            except ValueError:
                return _MISSING
            if not math.isfinite(number) or (kind == "integer" and not number.is_integer()):
                return _MISSING
            return int(number) if kind == "integer" else number
        if kind == "boolean" and text.lower() in ("true", "false"):
            return text.lower() == "true"
    return _MISSING


def _type(compiler: _Compiler, schema: dict[str, Any], where: str, _depth: int) -> Check | None:
    kinds = schema.get("type")
    if kinds is None:
        return None
    names = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(names, list) or not names or any(name not in _KINDS for name in names):
        raise BadDefinition(f"{where}: {kinds!r} is not a JSON Schema type.", hint=f"Known: {', '.join(_KINDS)}.")
    tests = [_KINDS[name] for name in names]
    message = "must be " + " or ".join(_NAMES[name] for name in names)
    to_int = "integer" in names and "number" not in names
    lax = compiler.lax
    single = tests[0] if len(tests) == 1 else None

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        if single(value) if single is not None else any(test(value) for test in tests):
            return int(value) if to_int and isinstance(value, float) else value
        if lax:
            for name in names:
                made = _coerce(name, value)
                if made is not _MISSING:
                    return made
        return _issue(issues, path, message, value)

    return check


# ---------------------------------------------------------------- values


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) is not isinstance(b, bool):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _enum(_c: _Compiler, schema: dict[str, Any], where: str, _depth: int) -> Check | None:
    if "enum" in schema:
        allowed = schema["enum"]
    elif "const" in schema:
        allowed = [schema["const"]]
    else:
        return None
    if not isinstance(allowed, list):
        raise BadDefinition(f"{where}: enum must be an array.")
    message = "must be " + (f"one of {allowed}" if len(allowed) > 1 else repr(allowed[0]) if allowed else "nothing")

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        if any(_same(value, one) for one in allowed):
            return value
        return _issue(issues, path, message, value)

    return check


def _is_multiple(value: float, step: float) -> bool:
    quotient = value / step
    return math.isclose(quotient, round(quotient), rel_tol=0, abs_tol=1e-9)


_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool], str]] = {
    "minimum": ("number", lambda value, bound: value >= bound, "must be at least {}"),
    "maximum": ("number", lambda value, bound: value <= bound, "must be at most {}"),
    "exclusiveMinimum": ("number", lambda value, bound: value > bound, "must be more than {}"),
    "exclusiveMaximum": ("number", lambda value, bound: value < bound, "must be less than {}"),
    "multipleOf": ("number", _is_multiple, "must be a multiple of {}"),
    "minLength": ("string", lambda value, bound: len(value) >= bound, "must have at least {} characters"),
    "maxLength": ("string", lambda value, bound: len(value) <= bound, "must have at most {} characters"),
    "minItems": ("array", lambda value, bound: len(value) >= bound, "must have at least {} items"),
    "maxItems": ("array", lambda value, bound: len(value) <= bound, "must have at most {} items"),
    "minProperties": ("object", lambda value, bound: len(value) >= bound, "must have at least {} properties"),
    "maxProperties": ("object", lambda value, bound: len(value) <= bound, "must have at most {} properties"),
}


def _bounds(_c: _Compiler, schema: dict[str, Any], where: str, _depth: int) -> Check | None:
    rules: list[tuple[Callable[[Any], bool], Callable[[Any, Any], bool], Any, str]] = []
    for word, (kind, holds, message) in _BOUNDS.items():
        bound = schema.get(word)
        if bound is None or isinstance(bound, bool):  # draft 4 wrote exclusiveMinimum as a boolean
            continue
        if not _is_number(bound) or (word == "multipleOf" and bound <= 0):
            raise BadDefinition(f"{where}: {word} must be a number.")
        rules.append((_KINDS[kind], holds, bound, message.format(bound)))
    if not rules:
        return None

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        for applies, holds, bound, message in rules:
            if applies(value) and not holds(value, bound):
                _issue(issues, path, message, value)
        return value

    return check


def _pattern(_c: _Compiler, schema: dict[str, Any], where: str, _depth: int) -> Check | None:
    text = schema.get("pattern")
    if text is None:
        return None
    pattern = _regex(text, where)

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        if isinstance(value, str) and pattern.search(value) is None:
            return _issue(issues, path, f"must match {text!r}", value)
        return value

    return check


@functools.lru_cache(maxsize=512)
def _regex(text: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, TypeError) as error:
        raise BadDefinition(f"{where}: {text!r} is not a pattern that can be used.") from error


# ---------------------------------------------------------------- objects and arrays


def _object(compiler: _Compiler, schema: dict[str, Any], where: str, depth: int) -> Check | None:
    words = ("properties", "required", "additionalProperties", "patternProperties", "propertyNames")
    if not any(word in schema for word in words):
        return None
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise BadDefinition(f"{where}: properties must be an object and required an array.")
    checks = {name: compiler.compile(sub, f"{where}.{name}", depth) for name, sub in properties.items()}
    patterns = [
        (_regex(text, where), compiler.compile(sub, f"{where}.{text}", depth))
        for text, sub in schema.get("patternProperties", {}).items()
    ]
    extra = schema.get("additionalProperties", True)
    rest = compiler.compile(extra, f"{where}.*", depth) if extra is not True else None
    names = schema.get("propertyNames")
    check_name = None if names is None else compiler.compile(names, f"{where} (names)", depth)
    closed = extra is False

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        if not isinstance(value, dict):
            return value
        for name in required:
            if name not in value:
                _issue(issues, f"{path}.{name}" if path else name, "is required", value)
        out = value
        for name, item in value.items():
            at = f"{path}.{name}" if path else str(name)
            if check_name is not None:
                check_name(name, at, issues)
            made = item
            known = name in checks
            if known:
                made = checks[name](item, at, issues)
            for pattern, sub in patterns:
                if pattern.search(name):
                    known = True
                    made = sub(made, at, issues)
            if not known and rest is not None:
                made = _issue(issues, at, "is not known here", item) if closed else rest(item, at, issues)
            if made is not item:
                if out is value:
                    out = dict(value)
                out[name] = made
        return out

    return check


def _dependent(_c: _Compiler, schema: dict[str, Any], where: str, _depth: int) -> Check | None:
    needs = schema.get("dependentRequired")
    if needs is None:
        return None
    if not isinstance(needs, dict):
        raise BadDefinition(f"{where}: dependentRequired must be an object.")

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        if isinstance(value, dict):
            for name, others in needs.items():
                for other in others:
                    if name in value and other not in value:
                        _issue(issues, f"{path}.{other}" if path else other, f"is required with {name}", value)
        return value

    return check


def _array(compiler: _Compiler, schema: dict[str, Any], where: str, depth: int) -> Check | None:
    if not any(word in schema for word in ("items", "prefixItems", "uniqueItems", "contains")):
        return None
    items = schema.get("items", True)
    first = schema.get("prefixItems", [])
    if isinstance(items, list):  # draft 7 wrote tuples this way
        first, items = items, schema.get("additionalItems", True)
    heads = [compiler.compile(sub, f"{where}[{index}]", depth) for index, sub in enumerate(first)]
    tail = compiler.compile(items, f"{where}[]", depth)
    unique = schema.get("uniqueItems") is True
    contains = compiler.compile(schema["contains"], f"{where} (contains)", depth) if "contains" in schema else None

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        if not isinstance(value, list | tuple):
            return value
        made = [
            (heads[index] if index < len(heads) else tail)(item, f"{path}[{index}]", issues)
            for index, item in enumerate(value)
        ]
        if unique and any(_same(a, b) for index, a in enumerate(made) for b in made[:index]):
            _issue(issues, path, "must not repeat an item", value)
        if contains is not None and not any(_fits(contains, item) for item in made):
            _issue(issues, path, "lacks an item that is required", value)
        return made

    return check


# ---------------------------------------------------------------- combinations


def _fits(check: Check, value: Any) -> bool:
    found: list[Issue] = []
    check(value, "", found)
    return not found


def _reference(compiler: _Compiler, schema: dict[str, Any], _where: str, depth: int) -> Check | None:
    reference = schema.get("$ref")
    return None if reference is None else compiler.refer(reference, depth)


def _all_of(compiler: _Compiler, schema: dict[str, Any], where: str, depth: int) -> Check | None:
    parts = schema.get("allOf")
    if not parts:
        return None
    checks = [compiler.compile(sub, f"{where} (all of {index})", depth) for index, sub in enumerate(parts)]

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        for rule in checks:
            value = rule(value, path, issues)
        return value

    return check


def _any_of(compiler: _Compiler, schema: dict[str, Any], where: str, depth: int) -> Check | None:
    word = "anyOf" if "anyOf" in schema else "oneOf"
    parts = schema.get(word)
    if not parts:
        return None
    strict = _Compiler(compiler.root, lax=False)
    # What fits exactly wins over what can be made to fit.
    exact = [strict.compile(sub, f"{where} ({word} {index})", depth) for index, sub in enumerate(parts)]
    loose = [compiler.compile(sub, where, depth) for sub in parts] if compiler.lax else []
    one = word == "oneOf"

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        best: list[Issue] | None = None
        hits = 0
        made = value
        for rule in exact:
            found: list[Issue] = []
            result = rule(value, path, found)
            if not found:
                made = result
                hits += 1
                if not one:
                    return made
            elif best is None or len(found) < len(best):
                best = found
        if hits == 0:
            for rule in loose:
                found = []
                result = rule(value, path, found)
                if not found:
                    return result
            issues.extend(best or [])
        elif hits > 1:
            _issue(issues, path, f"fits {hits} alternatives, but must fit exactly one", value)
        return made

    return check


def _negation(compiler: _Compiler, schema: dict[str, Any], where: str, depth: int) -> Check | None:
    if "not" not in schema:
        return None
    rule = compiler.compile(schema["not"], f"{where} (not)", depth)

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        return _issue(issues, path, "is not allowed", value) if _fits(rule, value) else value

    return check


def _condition(compiler: _Compiler, schema: dict[str, Any], where: str, depth: int) -> Check | None:
    if "if" not in schema:
        return None
    test = compiler.compile(schema["if"], f"{where} (if)", depth)
    then = compiler.compile(schema.get("then", True), f"{where} (then)", depth)
    other = compiler.compile(schema.get("else", True), f"{where} (else)", depth)

    def check(value: Any, path: str, issues: list[Issue]) -> Any:
        return (then if _fits(test, value) else other)(value, path, issues)

    return check


# What most schemas of a parameter say: a type, and words for whoever reads them.
_TYPE_AND_NOTES = frozenset({"type", "title", "description", "default", "examples"})
_RULES: tuple[Callable[[_Compiler, dict[str, Any], str, int], Check | None], ...] = (
    _type, _reference, _enum, _bounds, _pattern, _object, _dependent, _array, _all_of, _any_of, _negation,
    _condition)  # fmt: skip
