"""Rewriting of schemas: nothing is refused that was allowed, and what cannot be said is said in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.providers.schemas import (
    Compiled,
    drop_nulls,
    find_reference,
    is_exact_in_strict,
    rewrite_google,
    rewrite_object,
    rewrite_plain,
    rewrite_strict,
)

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "Who"},
        "age": {"type": "integer", "default": 3},
        "home": {"$ref": "#/$defs/Place"},
    },
    "required": ["name", "home"],
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}

leaf = st.sampled_from(["string", "integer", "number", "boolean"]).map(lambda kind: {"type": kind})


def objects(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "c"])
    return st.dictionaries(names, children, max_size=3).flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties) or ["a"])).map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": sorted(required & set(properties)),
            }
        )
    )


schemas = st.recursive(
    leaf,
    lambda inner: st.one_of(
        objects(inner),
        inner.map(lambda item: {"type": "array", "items": item}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"anyOf": items}),
        st.lists(inner, min_size=1, max_size=2).map(lambda items: {"oneOf": items}),
    ),
    max_leaves=8,
)
top = objects(schemas)


def walk(schema: Any):
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from walk(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from walk(value)


@given(top)
def test_strict_form_requires_everything_and_allows_nothing_more(schema):
    strict = rewrite_strict(schema)
    assert strict is not None
    for part in walk(strict):
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])
        assert "oneOf" not in part


@given(top)
def test_rewriting_leaves_the_first_schema_alone(schema):
    before = repr(schema)
    for rewrite in (rewrite_strict, rewrite_google, rewrite_object, rewrite_plain):
        rewrite(schema)
    assert repr(schema) == before


@given(top)
def test_googles_form_holds_only_what_google_knows(schema):
    for part in walk(rewrite_google(schema)):
        assert not part.keys() & {"$ref", "$defs", "oneOf", "allOf", "const", "additionalProperties"} - {"const"}


def instance(schema: dict[str, Any], *, full: bool) -> Any:
    """A value that the schema allows: with every property (optional ones null), or only the required ones."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return instance(schema[key][0], full=full)
    kind = schema["type"]
    if kind == "object":
        out = {}
        for name, item in schema["properties"].items():
            if name in schema["required"]:
                out[name] = instance(item, full=full)
            elif full:
                out[name] = None
        return out
    if kind == "array":
        return [instance(schema["items"], full=full)]
    return {"string": "x", "integer": 1, "number": 1.5, "boolean": True}[kind]


@given(objects(st.recursive(leaf, objects, max_leaves=6)))
def test_nulls_that_strict_mode_asked_for_are_taken_out_again(schema):
    assert drop_nulls(instance(schema, full=True), schema) == instance(schema, full=False)


def test_nulls_that_the_schema_allows_stay():
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "string"}}}
    assert drop_nulls({"a": None, "b": None}, schema) == {"a": None}


def test_strict_keeps_references_and_tells_lost_constraints_in_words():
    strict = rewrite_strict(PERSON)
    assert strict["properties"]["home"] == {"$ref": "#/$defs/Place"}
    assert strict["$defs"]["Place"]["additionalProperties"] is False
    assert strict["properties"]["name"]["description"] == "Who (minLength: 1)"
    assert strict["properties"]["age"] == {"type": ["integer", "null"], "description": "(default: 3)"}
    assert not is_exact_in_strict(PERSON)
    assert is_exact_in_strict(PERSON["$defs"]["Place"])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": {"type": "object", "patternProperties": {"x": {}}}}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}, "type": "number"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema"}}},
        {"anyOf": [{"type": "object", "properties": {}}]},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"a": True}},
    ],
)
def test_what_strict_mode_has_no_word_for_is_not_forced_into_it(schema):
    assert rewrite_strict(schema) is None


def test_google_gets_references_inlined_and_recursion_cut():
    out = rewrite_google(PERSON)
    assert out["properties"]["home"] == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    tree = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
    }
    assert rewrite_google(tree)["properties"]["next"] == {"type": "object", "description": "(a Node again)"}


def test_google_says_null_enums_and_constants_its_own_way():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "c": {"const": "x"},
            "d": {"const": 4, "type": "integer"},
            "e": {"enum": ["x", "y", None]},
            "f": {"enum": [1, 2], "type": "integer"},
            "g": {"type": "string", "format": "email"},
            "h": {"allOf": [{"type": "object", "properties": {"p": {"type": "string"}}}, {"required": ["p"]}]},
        },
        "additionalProperties": False,
    }
    out = rewrite_google(schema)["properties"]
    assert out["a"] == {"type": "string", "nullable": True}
    assert out["b"] == {"nullable": True, "type": "integer"}
    assert out["c"] == {"enum": ["x"], "type": "string"}
    assert out["d"]["type"] == "integer"
    assert "4" in out["d"]["description"]
    assert out["e"] == {"nullable": True, "enum": ["x", "y"], "type": "string"}
    assert out["f"] == {"type": "integer", "description": "(enum: [1,2])"}
    assert out["g"] == {"type": "string", "description": '(format: "email")'}
    assert out["h"] == {"type": "object", "properties": {"p": {"type": "string"}}, "required": ["p"]}


def test_an_object_form_has_an_object_at_its_top():
    union = {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "object", "properties": {"zip": {"type": "string"}}}],
             "$defs": PERSON["$defs"]}  # fmt: skip
    out = rewrite_object(union)
    assert out["type"] == "object"
    assert set(out["properties"]) == {"city", "zip"}
    assert rewrite_object({}) == {"type": "object", "properties": {}}
    assert rewrite_object({"$ref": "#/$defs/Place", "$defs": PERSON["$defs"]})["properties"] == {
        "city": {"type": "string"}
    }


def test_references_are_followed_with_their_escapes():
    assert find_reference({"a/b": {"~": 1}}, "#/a~1b/~0") == 1
    assert find_reference({"a": 1}, "#/b") is None
    assert find_reference({"a": 1}, "other.json#/a") is None


def test_a_schema_is_rewritten_once():
    calls = []
    compiled = Compiled(lambda schema: calls.append(schema) or dict(schema), size=2)
    first = {"a": 1}
    assert compiled(first) is compiled(first)
    assert len(calls) == 1
    assert compiled(dict(first)) is not compiled(first)
    for number in range(5):
        compiled({"n": number})
    compiled(first)
    assert calls.count(first) == 3
