import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition, InvalidInput
from mastra.types.schema import Schema, to_json


@dataclass
class Point:
    x: int
    y: float = 0.5


class Row(TypedDict):
    name: str
    when: date


def fields(schema: Schema, value: Any) -> list[str]:
    return [issue["field"] for issue in schema.issues(value)]


def test_plain_annotations_need_no_pydantic():
    code = "import sys; from mastra.types.schema import Schema; Schema.of(dict[str, int | None]); "
    code += "print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_models_write_numbers_as_text_and_annotations_accept_it():
    assert Schema.of(dict[str, int]).validate({"a": "3", "b": 4.0}) == {"a": 3, "b": 4}
    assert Schema.of(bool).validate("True") is True
    assert fields(Schema.of(int), "3.5") == ["root"]
    assert fields(Schema.of(int), True) == ["root"]
    assert Schema.of(int | str).validate("3") == "3"


def test_a_json_schema_is_exact_unless_told_to_be_lax():
    spec = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert fields(Schema.of(spec), {"n": "3"}) == ["n"]
    assert Schema.of(spec, lax=True).validate({"n": "3"}) == {"n": 3}


def test_every_problem_is_named_by_its_place():
    spec = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "string", "maxLength": 2}}, "b": {"enum": [1, 2]}},
        "required": ["a", "c"],
        "additionalProperties": False,
    }
    wrong = {"a": ["ok", "long", 3], "b": True, "d": 1}
    assert sorted(fields(Schema.of(spec), wrong)) == [
        "a[1]",
        "a[2]",
        "b",
        "c",
        "d",
    ]


def test_a_schema_that_contains_itself_is_checked_to_the_bottom():
    spec = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "required": ["v"],
            }
        },
    }
    assert fields(Schema.of(spec), {"v": 1, "kids": [{"v": 2, "kids": [{"v": "x"}]}]}) == ["kids[0].kids[0].v"]
    deep: dict = {"v": 1}
    for _ in range(500):
        deep = {"v": 1, "kids": [deep]}
    assert "nested too deeply" in Schema.of(spec).issues(deep)[0]["message"]


def test_dataclasses_and_typed_dicts_come_back_as_themselves():
    assert Schema.of(Point).validate({"x": "1"}) == Point(1)
    row = Schema.of(Row).validate({"name": "a", "when": "2026-01-02"})
    assert row["when"] == date(2026, 1, 2)
    assert Schema.of(Row).dump(row) == {"name": "a", "when": "2026-01-02"}
    with pytest.raises(InvalidInput) as caught:
        Schema.of(Point).validate({"y": 1})
    assert caught.value.issues[0]["field"] == "x"


def test_what_is_wrong_with_a_value_never_repeats_the_value():
    with pytest.raises(InvalidInput) as caught:
        Schema.of(Point).validate({"x": "secret-token"})
    assert "secret-token" not in str(caught.value.to_dict())


@pytest.mark.parametrize(
    "spec", [{"type": "strange"}, {"$ref": "#/nowhere"}, {"$ref": "https://x/y"}, {"pattern": "("}, {"properties": []}]
)
def test_a_schema_that_cannot_be_checked_is_refused_at_declaration(spec):
    with pytest.raises(BadDefinition):
        Schema.of(spec)


def test_a_type_without_a_schema_is_refused_with_a_hint():
    class Strange:
        pass

    with pytest.raises(BadDefinition, match="Strange"):
        Schema.of(Strange)


@pytest.mark.parametrize("spec", ["int", "print('run')", ["int"], 5, True])
def test_a_value_is_no_schema_and_a_text_is_never_run(spec, capsys):
    with pytest.raises(BadDefinition, match="is no schema"):
        Schema.of(spec)
    assert capsys.readouterr().out == ""


def test_to_json_writes_what_tools_return():
    assert to_json({"p": Point(1), "s": (1, 2), "d": date(2026, 1, 2), 3: {"k"}}) == {
        "p": {"x": 1, "y": 0.5},
        "s": [1, 2],
        "d": "2026-01-02",
        "3": ["k"],
    }
    with pytest.raises(InvalidInput):
        to_json(object())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_a_value_fits_the_schema_that_names_exactly_it(value):
    assert Schema.of({"const": value}).issues(value) == []


@given(json_values)
def test_checking_never_changes_a_value_that_json_schema_accepts(value):
    spec = {"anyOf": [{"type": ["string", "null", "boolean", "number"]}, {"type": "array"}, {"type": "object"}]}
    assert Schema.of(spec).validate(value) == value
