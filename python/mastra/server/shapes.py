"""A small language for the shapes of requests and answers: compiled to validators, coercions and JSON Schema.

A shape is a word (`"string"`, `"integer>=0"`, `"'a'|'b'"`, `"any"`), a mapping of fields (`"name?"` is optional,
`"*"` stands for every key), a list of one (an array of it), `{"|": [...]}` (one of them) or `"@name"` (a shared one).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = Any
Issues: TypeAlias = list[dict[str, str]]
Check: TypeAlias = Callable[[Any, str, Issues], None]

MISSING: Any = object()
# What JSON carries from one language to another without loss.
MAX_INTEGER = 2**53 - 1
_NUMBER = re.compile(r"(integer|number)((?:[<>]=?-?[0-9.]+)*)")
_BOUND = re.compile(r"([<>]=?)(-?[0-9.]+)")


class Shapes:
    """Shapes with their shared names; compiled on first use and kept."""

    def __init__(self, shared: Mapping[str, Shape]) -> None:
        self._shared = shared
        self._checks: dict[str, Check] = {}

    def resolve(self, shape: Shape) -> Shape:
        """The shape itself, or the shared one that `@name` stands for."""
        while isinstance(shape, str) and shape.startswith("@"):
            shape = self._shared[shape[1:]]
        return shape

    def check(self, shape: Shape) -> Check:
        """The validator of a shape: appends `{field, message}` for every place that does not fit."""
        if isinstance(shape, str) and shape.startswith("@"):
            found = self._checks.get(shape)
            if found is None:
                found = self._checks[shape] = self.check(self.resolve(shape))
            return found
        if isinstance(shape, str):
            return _word(shape)
        if isinstance(shape, list):
            return self._array(shape[0])
        if "|" in shape:
            return self._union(shape["|"])
        return self._object(shape)

    def _object(self, shape: Mapping[str, Shape]) -> Check:
        if set(shape) == {"*"}:
            return self._mapping(shape["*"])
        fields = [(key.rstrip("?"), key.endswith("?"), self.check(item)) for key, item in shape.items()]

        def check(value: Any, path: str, issues: Issues) -> None:
            if not isinstance(value, dict):
                issues.append(_expected("object", value, path))
                return
            for name, optional, inner in fields:
                item = value.get(name, MISSING)
                if item is MISSING:
                    if optional:
                        continue
                elif item is None and optional:
                    # A client in another language may write null for "not given".
                    continue
                inner(item, f"{path}.{name}" if path else name, issues)

        return check

    def _mapping(self, shape: Shape) -> Check:
        inner = self.check(shape)

        def check(value: Any, path: str, issues: Issues) -> None:
            if not isinstance(value, dict):
                issues.append(_expected("record", value, path))
                return
            for key, item in value.items():
                inner(item, f"{path}.{key}" if path else key, issues)

        return check

    def _array(self, shape: Shape) -> Check:
        inner = self.check(shape)

        def check(value: Any, path: str, issues: Issues) -> None:
            if not isinstance(value, list):
                issues.append(_expected("array", value, path))
                return
            for index, item in enumerate(value):
                inner(item, f"{path}.{index}" if path else str(index), issues)

        return check

    def _union(self, shapes: list[Shape]) -> Check:
        checks = [self.check(shape) for shape in shapes]

        def check(value: Any, path: str, issues: Issues) -> None:
            for inner in checks:
                found: Issues = []
                inner(value, path, found)
                if not found:
                    return
            issues.append({"field": path or "root", "message": "Invalid input"})

        return check

    # ---------------------------------------------------------------- texts of a query

    def coerce(self, shape: Shape, values: list[str]) -> Any:
        """What the texts of a query parameter mean where a value of this shape is wanted."""
        shape = self.resolve(shape)
        text = values[-1]
        if isinstance(shape, list) or (isinstance(shape, str) and shape.split("|")[0] == "array"):
            if len(values) == 1 and text.startswith("["):
                return _json_or_text(text)
            item = shape[0] if isinstance(shape, list) else "string"
            return [self.coerce(item, [value]) for value in values]
        if isinstance(shape, dict) or shape.startswith("object"):
            return _json_or_text(text)
        if shape.startswith(("integer", "number")):
            return _number(text)
        if shape.startswith("boolean"):
            return {"true": True, "false": False, "1": True, "0": False}.get(text, text)
        return text

    # ---------------------------------------------------------------- JSON Schema

    def json_schema(self, shape: Shape) -> dict[str, Any]:
        """The JSON Schema of a shape; shared shapes become references into `#/components/schemas`."""
        if isinstance(shape, str) and shape.startswith("@"):
            return {"$ref": f"#/components/schemas/{shape[1:]}"}
        if isinstance(shape, str):
            return _word_schema(shape)
        if isinstance(shape, list):
            return {"type": "array", "items": self.json_schema(shape[0])}
        if "|" in shape:
            return {"anyOf": [self.json_schema(item) for item in shape["|"]]}
        if set(shape) == {"*"}:
            return {"type": "object", "additionalProperties": self.json_schema(shape["*"])}
        out: dict[str, Any] = {
            "type": "object",
            "properties": {key.rstrip("?"): self.json_schema(item) for key, item in shape.items()},
        }
        required = [key for key in shape if not key.endswith("?")]
        if required:
            out["required"] = required
        return out

    def components(self) -> dict[str, Any]:
        """Every shared shape as JSON Schema, by name."""
        return {name: self.json_schema(shape) for name, shape in self._shared.items()}

    def empty(self, shape: Shape) -> Any:
        """The value of this shape that says "there is nothing"."""
        shape = self.resolve(shape)
        if isinstance(shape, list):
            return []
        if isinstance(shape, dict):
            if "|" in shape:
                return self.empty(shape["|"][0])
            if "*" in shape:
                return {}
            return {key: self.empty(item) for key, item in shape.items() if not key.endswith("?")}
        return _empty_word(shape)


def _type_name(value: Any) -> str:
    if value is MISSING:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _expected(kind: str, value: Any, path: str) -> dict[str, str]:
    return {"field": path or "root", "message": f"Invalid input: expected {kind}, received {_type_name(value)}"}


def _is(kind: str, value: Any) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array":
        return isinstance(value, list)
    if kind == "null":
        return value is None
    return False


def _word(shape: str) -> Check:
    if shape == "any":
        return _anything
    words = shape.split("|")
    if all(word.startswith("'") for word in words):
        return _choice([word[1:-1] for word in words])
    if len(words) > 1:
        checks = [_word(word) for word in words]

        def union(value: Any, path: str, issues: Issues) -> None:
            for inner in checks:
                found: Issues = []
                inner(value, path, found)
                if not found:
                    return
            issues.append({"field": path or "root", "message": "Invalid input"})

        return union
    if (number := _NUMBER.fullmatch(shape)) is not None:
        return _number_check(number[1], [(sign, float(bound)) for sign, bound in _BOUND.findall(number[2])])
    if shape in {"true", "false"}:
        return _constant(shape == "true")
    return _plain(shape)


def _anything(value: Any, path: str, issues: Issues) -> None:
    if value is MISSING:
        issues.append({"field": path, "message": f"{path} is required"})


def _constant(wanted: Any) -> Check:
    def check(value: Any, path: str, issues: Issues) -> None:
        if value is not wanted:
            issues.append({"field": path or "root", "message": f"Invalid input: expected {json.dumps(wanted)}"})

    return check


def _plain(shape: str) -> Check:
    kind, filled = (shape[:-1], True) if shape.endswith("+") else (shape, False)

    def check(value: Any, path: str, issues: Issues) -> None:
        if not _is(kind, value):
            issues.append(_expected(kind, value, path))
        elif filled and not value:
            message = "Too small: expected string to have >=1 characters"
            issues.append({"field": path or "root", "message": message})

    return check


def _choice(known: list[str]) -> Check:
    listed = "|".join(f'"{item}"' for item in known)
    message = f"Invalid option: expected one of {listed}" if len(known) > 1 else f"Invalid input: expected {listed}"

    def check(value: Any, path: str, issues: Issues) -> None:
        if not isinstance(value, str) or value not in known:
            issues.append({"field": path or "root", "message": message})

    return check


def _number_check(kind: str, bounds: list[tuple[str, float]]) -> Check:
    def check(value: Any, path: str, issues: Issues) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            issues.append(_expected("number", value, path))
            return
        if kind == "integer" and value != value // 1:
            message = "Invalid input: expected int, received number"
            issues.append({"field": path or "root", "message": message})
            return
        if kind == "integer" and not -MAX_INTEGER <= value <= MAX_INTEGER:
            message = f"Invalid input: expected int between -{MAX_INTEGER} and {MAX_INTEGER}"
            issues.append({"field": path or "root", "message": message})
            return
        for sign, bound in bounds:
            fits = {">=": value >= bound, ">": value > bound, "<=": value <= bound, "<": value < bound}[sign]
            if not fits:
                size = "small" if sign.startswith(">") else "big"
                message = f"Too {size}: expected number to be {sign}{bound:g}"
                issues.append({"field": path or "root", "message": message})

    return check


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    if number - number != 0:
        return text  # NaN and infinities stay texts, and fail
    return int(number) if number == number // 1 else number


def _word_schema(shape: str) -> dict[str, Any]:
    if shape == "any":
        return {}
    words = shape.split("|")
    if all(word.startswith("'") for word in words):
        return {"type": "string", "enum": [word[1:-1] for word in words]}
    if len(words) > 1:
        return {"anyOf": [_word_schema(word) for word in words]}
    if shape.startswith("'"):
        return {"const": shape[1:-1]}
    if shape in {"true", "false"}:
        return {"const": shape == "true"}
    if (number := _NUMBER.fullmatch(shape)) is not None:
        names = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}
        bounds = {names[sign]: json.loads(bound) for sign, bound in _BOUND.findall(number[2])}
        return {"type": number[1], **bounds}
    if shape == "string+":
        return {"type": "string", "minLength": 1}
    return {"type": shape}


def _empty_word(shape: str) -> Any:
    first = shape.split("|", maxsplit=1)[0]
    if "null" in shape.split("|") or first == "any":
        return None
    if first.startswith("'"):
        return first[1:-1]
    if first.startswith(("integer", "number")):
        return 0
    return {"string": "", "string+": "", "boolean": False, "object": {}, "array": [], "true": True}.get(first)
