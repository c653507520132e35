"""The little language of shapes: what fits, what is said when something does not, and the JSON Schema of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.server.shapes import Shapes

SHAPES = Shapes({"thing": {"id": "string", "size?": "integer>=1"}, "things": ["@thing"]})


def issues(shape, value):
    found = []
    SHAPES.check(shape)(value, "", found)
    return found


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("string", ""),
        ("string+", "x"),
        ("integer>=0", 0),
        ("integer", 2.0),
        ("number", 0.5),
        ("boolean", False),
        ("'a'|'b'", "b"),
        ("string|null", None),
        ("any", None),
        ("object", {}),
        ("array", [1]),
        (["string"], []),
        ({"*": "number"}, {"x": 1}),
        ({"a": "string", "b?": "number"}, {"a": "x", "extra": 1}),
        ({"a?": "string"}, {"a": None}),
        ({"|": ["string", ["string"]]}, ["x"]),
        ("@things", [{"id": "1", "size": 3}]),
        ("integer>=0|false", False),
        ("false", False),
    ],
)
def test_what_fits_has_no_issues(shape, value):
    assert issues(shape, value) == []


@pytest.mark.parametrize(
    ("shape", "value", "field", "message"),
    [
        ("string", 1, "root", "Invalid input: expected string, received number"),
        ({"a": "string"}, {}, "a", "Invalid input: expected string, received undefined"),
        ({"data": "any"}, {}, "data", "data is required"),
        ({"a": {"b": ["number"]}}, {"a": {"b": [1, "x"]}}, "a.b.1", "Invalid input: expected number, received string"),
        ("'a'|'b'", "c", "root", 'Invalid option: expected one of "a"|"b"'),
        ("integer", 1.5, "root", "Invalid input: expected int, received number"),
        ("integer>=1", 0, "root", "Too small: expected number to be >=1"),
        ("number<=2", 3, "root", "Too big: expected number to be <=2"),
        ("string+", "", "root", "Too small: expected string to have >=1 characters"),
        ("array|string", {}, "root", "Invalid input"),
        ("number", True, "root", "Invalid input: expected number, received boolean"),
        ({"*": "number"}, [], "root", "Invalid input: expected record, received array"),
        ("true", False, "root", "Invalid input: expected true"),
    ],
)
def test_what_does_not_fit_is_named(shape, value, field, message):
    assert issues(shape, value) == [{"field": field, "message": message}]


@pytest.mark.parametrize(
    ("shape", "texts", "value"),
    [
        ("integer", ["7"], 7),
        ("number", ["0.5"], 0.5),
        ("number", ["nan"], "nan"),
        ("boolean", ["true"], True),
        ("boolean", ["maybe"], "maybe"),
        (["string"], ["a", "b"], ["a", "b"]),
        (["string"], ["a"], ["a"]),
        (["number"], ["[1,2]"], [1, 2]),
        ("object", ['{"a":1}'], {"a": 1}),
        ("object", ["{broken"], "{broken"),
        ("string", ["1"], "1"),
    ],
)
def test_the_texts_of_a_query_become_values(shape, texts, value):
    assert SHAPES.coerce(shape, texts) == value


def test_a_shape_is_a_json_schema_too():
    assert SHAPES.json_schema({"a": "integer>=1", "b?": "'x'|'y'", "c?": ["@thing"]}) == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "minimum": 1},
            "b": {"type": "string", "enum": ["x", "y"]},
            "c": {"type": "array", "items": {"$ref": "#/components/schemas/thing"}},
        },
        "required": ["a"],
    }


def test_nothing_has_the_shape_that_was_asked_for():
    assert SHAPES.empty({"threads": ["object"], "total": "number", "next": "string|null", "extra?": "any"}) == {
        "threads": [],
        "total": 0,
        "next": None,
    }
    assert SHAPES.empty({"*": "any"}) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_no_value_breaks_a_check(value):
    for shape in ("string", "integer>=1", "@things", {"a": "any", "b?": {"|": ["string", {"c": "number"}]}}):
        assert isinstance(issues(shape, value), list)
