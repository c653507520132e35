"""Rewrites JSON schemas for providers that understand only a part of the language.

What a provider cannot check is told to the model in the description instead, and nothing is made stricter than it
was: a rewritten schema accepts every value that the first one accepts, or the rewriting says that it does not fit.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
MOST_INLINED = 8
# In OpenAI's strict mode, beside the structure itself.
_STRICT_KEYWORDS = frozenset({
    "type", "description", "title", "enum", "const", "properties", "required", "additionalProperties", "items",
    "anyOf", "$ref", "$defs", "definitions", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
})  # fmt: skip
_NEVER_STRICT = frozenset({
    "patternProperties", "allOf", "not", "if", "then", "else", "dependentRequired", "prefixItems", "dependentSchemas",
    "propertyNames", "unevaluatedProperties", "$dynamicRef", "contains",
})  # fmt: skip
_STRICT_FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip
_GOOGLE_KEYWORDS = frozenset({
    "type", "description", "title", "enum", "properties", "required", "items", "anyOf", "nullable", "format",
    "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "pattern", "minProperties",
    "maxProperties", "propertyOrdering",
})  # fmt: skip
_GOOGLE_FORMATS = {"integer": {"int32", "int64"}, "number": {"float", "double"}, "string": {"enum", "date-time"}}
_SILENT = frozenset(
    {"$schema", "$id", "$comment", "examples", "deprecated", "readOnly", "writeOnly", "title", "default"}
)


class Compiled:
    """Rewritten schemas by the identity of the first one: a definition's schema is rewritten once."""

    def __init__(self, rewrite: Callable[[Schema], Any], size: int = 1024) -> None:
        self._rewrite = rewrite
        self._size = size
        # The first schema is kept beside the result, so that its identity stays its own.
        self._kept: OrderedDict[int, tuple[Schema, Any]] = OrderedDict()

    def __call__(self, schema: Schema) -> Any:
        """The rewritten schema."""
        kept = self._kept.get(id(schema))
        if kept is not None and kept[0] is schema:
            return kept[1]
        result = self._rewrite(schema)
        self._kept[id(schema)] = (schema, result)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return result


def rewrite_plain(schema: Schema) -> Schema:
    """An object schema without the keywords that only describe the schema itself: what most providers take."""
    out = {key: value for key, value in schema.items() if key not in ("$schema", "$id", "$comment")}
    if "type" not in out and not out.keys() & {"anyOf", "oneOf", "allOf", "$ref"}:
        out["type"] = "object"
    if out.get("type") == "object" and "properties" not in out:
        out["properties"] = {}
    return out


def rewrite_object(schema: Schema) -> Schema:
    """A schema whose top is plainly an object: unions and references at the top are wrapped away."""
    out = rewrite_plain(schema)
    if "$ref" in out and isinstance(out["$ref"], str):
        target = find_reference(schema, out["$ref"])
        if isinstance(target, dict):
            out = {**rewrite_plain(target), **{k: v for k, v in out.items() if k in ("$defs", "definitions")}}
    if out.get("type") == "object":
        # Alternatives at the top are refused by some; they are told in words.
        loose: Schema = {key: out.pop(key) for key in ("anyOf", "oneOf", "allOf", "not") if key in out}
        return _told(out, loose) if loose else out
    merged: Schema = {"type": "object", "properties": {}}
    for branch in [*out.get("anyOf", ()), *out.get("oneOf", ()), *out.get("allOf", ())]:
        resolved = find_reference(schema, branch["$ref"]) if isinstance(branch.get("$ref"), str) else branch
        if isinstance(resolved, dict):
            for name, value in resolved.get("properties", {}).items():
                merged["properties"].setdefault(name, value)
    for key in ("$defs", "definitions", "description"):
        if key in out:
            merged[key] = out[key]
    told: Schema = {key: out[key] for key in ("anyOf", "oneOf", "allOf") if key in out}
    return _told(merged, told) if told else merged


def find_reference(root: Schema, reference: str) -> Any:
    """What a local reference (`#/$defs/Name`) points at, or None."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    value: Any = root
    for part in reference[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - the pointer's own escapes
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def _told(schema: Schema, constraints: Schema) -> Schema:
    """The schema with constraints as words in its description."""
    from mastra.types.json import dumps  # noqa: PLC0415 - errors are not needed to rewrite

    shown = {key: value for key, value in constraints.items() if key not in _SILENT}
    if "default" in constraints and constraints["default"] is not None:
        shown["default"] = constraints["default"]
    if not shown:
        return schema
    try:
        words = ", ".join(f"{key}: {dumps(value)}" for key, value in sorted(shown.items()))
    except (TypeError, ValueError):
        return schema
    before = schema.get("description")
    return {**schema, "description": f"{before} ({words})" if isinstance(before, str) and before else f"({words})"}


# ---------------------------------------------------------------- OpenAI's strict mode


def rewrite_strict(schema: Schema) -> Schema | None:
    """The schema in the form that strict mode demands, or None when it cannot be said in it.

    Optional properties become required and nullable: take the nulls out of an answer with `drop_nulls`.
    """
    try:
        out = _strict(schema, schema, 0)
    except _NotStrict:
        return None
    return out if out.get("type") == "object" and "anyOf" not in out else None


def is_exact_in_strict(schema: Schema) -> bool:
    """Strict mode says the same as the schema: every property is required or may be null anyway."""
    return rewrite_strict(schema) is not None and not _has_optional(schema, schema, set())


class _NotStrict(Exception):
    pass


def _strict(schema: Any, root: Schema, depth: int) -> Schema:
    if not isinstance(schema, dict) or depth > 40:
        raise _NotStrict
    out: Schema = {}
    told: Schema = {}
    schema = _without_single_union(schema)
    for key, value in schema.items():
        if key in ("$defs", "definitions"):
            out[key] = {name: _strict(item, root, depth + 1) for name, item in value.items()}
        elif key == "properties":
            required = set(schema.get("required", ()))
            out[key] = {
                name: _strict(item, root, depth + 1) if name in required else _nullable(_strict(item, root, depth + 1))
                for name, item in value.items()
            }
        elif key == "items":
            out[key] = _strict(value, root, depth + 1)
        elif key == "anyOf":
            out[key] = [_strict(item, root, depth + 1) for item in value]
        elif key == "additionalProperties":
            if value is not False and not schema.get("properties"):
                raise _NotStrict  # a map from any name cannot be said
            if isinstance(value, dict):
                raise _NotStrict
        elif key == "format" and value not in _STRICT_FORMATS:
            told[key] = value
        elif key in _STRICT_KEYWORDS:
            out[key] = value
        elif key in _NEVER_STRICT:
            raise _NotStrict
        else:
            told[key] = value
    if not out.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
        raise _NotStrict  # anything goes: strict mode has no word for it
    if out.get("type") == "object" or "properties" in out:
        out["type"] = out.get("type", "object")
        out.setdefault("properties", {})
        out["additionalProperties"] = False
        out["required"] = list(out["properties"])
    if "array" in _types(out) and "items" not in out:
        raise _NotStrict
    if "$ref" in out:
        # Nothing may stand beside a reference.
        if not out["$ref"].startswith("#"):
            raise _NotStrict
        return {"$ref": out["$ref"], **{key: out[key] for key in ("$defs", "definitions") if key in out}}
    return _told(out, told)


def _without_single_union(schema: Schema) -> Schema:
    """`oneOf` as `anyOf` (no value is lost), and an `allOf` of one as itself."""
    out = dict(schema)
    if "oneOf" in out and "anyOf" not in out:
        out["anyOf"] = out.pop("oneOf")
        out.pop("discriminator", None)
    if isinstance(out.get("allOf"), list) and len(out["allOf"]) == 1 and isinstance(out["allOf"][0], dict):
        only = out.pop("allOf")[0]
        out = {**only, **out}
    return out


def _types(schema: Schema) -> list[Any]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def _allows_null(schema: Schema) -> bool:
    if "null" in _types(schema) or schema.get("const", 0) is None:
        return True
    return any(isinstance(item, dict) and _allows_null(item) for item in schema.get("anyOf", ()))


def _nullable(schema: Schema) -> Schema:
    if _allows_null(schema):
        return schema
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [kind, "null"]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    inner = {key: value for key, value in schema.items() if key != "description"}
    out: Schema = {"anyOf": [inner, {"type": "null"}]}
    if "description" in schema:
        out["description"] = schema["description"]
    return out


def _has_optional(schema: Any, root: Schema, seen: set[int]) -> bool:
    if isinstance(schema, list):
        return any(_has_optional(item, root, seen) for item in schema)
    if not isinstance(schema, dict) or id(schema) in seen:
        return False
    seen.add(id(schema))
    properties = schema.get("properties")
    if isinstance(properties, dict):
        required = set(schema.get("required", ()))
        if any(name not in required for name in properties):
            return True
    if isinstance(schema.get("$ref"), str) and _has_optional(find_reference(root, schema["$ref"]), root, seen):
        return True
    parts = [schema.get(key) for key in ("items", "anyOf", "oneOf", "allOf")]
    maps = [schema.get(key) for key in ("properties", "$defs", "definitions")]
    values = [item for group in maps if isinstance(group, dict) for item in group.values()]
    return any(_has_optional(part, root, seen) for part in [*parts, *values])


def drop_nulls(value: Any, schema: Any, root: Schema | None = None) -> Any:
    """`value` without the nulls that only strict mode asked for: those of optional properties that allow no null."""
    root = root if root is not None else schema
    if not isinstance(schema, dict):
        return value
    schema = _without_single_union(schema)
    if isinstance(schema.get("$ref"), str):
        return drop_nulls(value, find_reference(root, schema["$ref"]), root)  # pyright: ignore[reportArgumentType]  # mypy reads it right
    if isinstance(value, list):
        return [drop_nulls(item, schema.get("items"), root) for item in value]
    if not isinstance(value, dict):
        return value
    if "properties" not in schema:
        for branch in schema.get("anyOf", ()):
            target = find_reference(root, branch["$ref"]) if isinstance(branch.get("$ref"), str) else branch  # pyright: ignore[reportArgumentType]  # mypy reads it right
            if isinstance(target, dict) and set(value) <= set(target.get("properties", ())):
                return drop_nulls(value, target, root)
        return value
    required = set(schema.get("required", ()))
    out = {}
    for name, item in value.items():
        property_schema = schema["properties"].get(name, {})
        if item is None and name not in required and not _allows_null(_resolved(property_schema, root)):  # pyright: ignore[reportArgumentType]  # mypy reads it right
            continue
        out[name] = drop_nulls(item, property_schema, root)
    return out


def _resolved(schema: Any, root: Schema) -> Schema:
    for _ in range(MOST_INLINED):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            break
        schema = find_reference(root, schema["$ref"])
    return _without_single_union(schema) if isinstance(schema, dict) else {}


# ---------------------------------------------------------------- Google's subset


def rewrite_google(schema: Schema) -> Schema:
    """The schema in Google's subset: no references, no constants, null as `nullable`, the rest told in words."""
    return _google(copy.copy(schema), schema, ())


def _google(schema: Any, root: Schema, path: tuple[str, ...]) -> Schema:
    if not isinstance(schema, dict):
        return {}  # true or false: anything
    schema = _without_single_union(schema)
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = find_reference(root, reference)
        if not isinstance(target, dict) or path.count(reference) >= 1 or len(path) >= MOST_INLINED:
            return {"type": "object", "description": f"(a {reference.rsplit('/', 1)[-1]} again)"}
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _google({**target, **rest}, root, (*path, reference))
    if isinstance(schema.get("allOf"), list):
        schema = _merge_all(schema, root)
    out: Schema = {}
    told: Schema = {}
    for key, value in schema.items():
        if key == "type":
            _google_type(value, out)
        elif key == "const":
            out["enum"] = [str(value)]
            out.setdefault("type", "string" if isinstance(value, str) else out.get("type", "string"))
            if not isinstance(value, str):
                del out["enum"]
                told[key] = value
        elif key == "enum":
            _google_enum(value, out, told)
        elif key == "properties":
            out[key] = {name: _google(item, root, path) for name, item in value.items()}
        elif key == "items":
            out[key] = _google(value, root, path)
        elif key == "anyOf":
            branches = [_google(item, root, path) for item in value if item != {"type": "null"}]
            if len(branches) < len(value):
                out["nullable"] = True
            if len(branches) == 1:
                out.update({k: v for k, v in branches[0].items() if k not in out})
            else:
                out[key] = branches
        elif key == "prefixItems":
            told[key] = value
            out.setdefault("items", {})
        elif key == "format" and value not in _GOOGLE_FORMATS.get(str(schema.get("type")), ()):
            told[key] = value
        elif key in _GOOGLE_KEYWORDS:
            out[key] = value
        elif key not in ("$defs", "definitions", "additionalProperties", "discriminator"):
            told[key] = value
    if out.get("type") == "array":
        out.setdefault("items", {})
    if "properties" in out:
        out.setdefault("type", "object")
        out["required"] = [name for name in out.get("required", ()) if name in out["properties"]]
        if not out["required"]:
            del out["required"]
    return _told(out, told)


def _merge_all(schema: Schema, root: Schema) -> Schema:
    merged: Schema = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        resolved = _resolved(part, root)
        for key, value in resolved.items():
            if key == "properties":
                merged["properties"] = {**merged.get("properties", {}), **value}
            elif key == "required":
                merged["required"] = [*merged.get("required", ()), *value]
            else:
                merged.setdefault(key, value)
    return merged


def _google_type(value: Any, out: Schema) -> None:
    kinds = [kind for kind in (value if isinstance(value, list) else [value]) if kind != "null"]
    if isinstance(value, list) and "null" in value:
        out["nullable"] = True
    if len(kinds) == 1:
        out["type"] = kinds[0]
    elif kinds:
        out["anyOf"] = [{"type": kind} for kind in kinds]
    else:
        out["nullable"] = True


def _google_enum(value: list[Any], out: Schema, told: Schema) -> None:
    if None in value:
        out["nullable"] = True
    words = [item for item in value if item is not None]
    if words and all(isinstance(item, str) and item for item in words):
        out["enum"] = words
        out.setdefault("type", "string")
    else:
        told["enum"] = value
