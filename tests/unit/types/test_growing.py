import datetime as dt
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from mastra.types.growing import MISSING, grower, whole_item
from mastra.types.schema import Schema


class Mood(Enum):
    good = "good"


@dataclass(frozen=True, slots=True)
class City:
    name: str
    people: int
    tags: list[str] = field(default_factory=list)


class Draft(TypedDict):
    title: str
    day: NotRequired[dt.date]


class Tree(BaseModel):
    name: str
    mood: Mood | None = None
    size: int = Field(0, alias="howLarge")
    code: Annotated[str, Field(min_length=3)] = "none"
    city: City | None = None
    children: list["Tree"] = []


ROOT: dict[str, object] = {"$ref": "#/$defs/node"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
ROOT["$defs"] = {"node": NODE}


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        (City, {}, City(None, None)),  # type: ignore[arg-type]
        (City, {"name": "Os"}, City("Os", None)),  # type: ignore[arg-type]
        (City, {"name": 5, "people": 7, "tags": ["a", 3]}, City(None, 7, ["a"])),  # type: ignore[arg-type]
        (City, [], MISSING),
        (Draft, {"title": "x", "day": "2024-0"}, {"title": "x"}),
        (Draft, {"title": "x", "day": "2024-02-03"}, {"title": "x", "day": dt.date(2024, 2, 3)}),
        (list[City], [{"name": "a", "people": 1}, {}], [City("a", 1), City(None, None)]),  # type: ignore[arg-type]
        (dict[str, int], {"a": 1, "b": "x"}, {"a": 1}),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Literal["yes", "no"], "ye", MISSING),
        (Literal["yes", "no"], "yes", "yes"),
        (City | Draft, {"title": "x"}, {"title": "x"}),
        ({"city": str, "days": int}, {"city": "Os", "days": "x"}, {"city": "Os"}),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x", 2], [1, 2]),
        ({"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 2}]}, "a", MISSING),
        (ROOT, {"n": 1, "next": {"n": "x", "next": {"n": 2}}},
         {"n": 1, "next": {"next": {"n": 2}}}),
    ],
)  # fmt: skip
def test_what_is_there_and_fits_is_kept(kind, written, expected):
    made = grower(Schema.of(kind))(written)
    assert made is expected if expected is MISSING else made == expected


def test_a_model_has_its_defaults_and_none_for_what_is_not_there_yet():
    written = {"mood": "goo", "howLarge": 3, "code": "ab", "city": {"name": "Oslo"}, "children": [{"name": "x"}]}
    tree = grower(Schema.of(Tree))(written)
    assert isinstance(tree, Tree)
    assert (tree.name, tree.mood, tree.size, tree.code) == (None, None, 3, "none")
    assert tree.city == City("Oslo", None)  # type: ignore[arg-type]
    assert tree.children[0].name == "x"


def test_a_whole_element_is_typed_or_not_given():
    assert whole_item(Schema.of(list[City]))({"name": "a", "people": 1}) == City("a", 1)
    assert whole_item(Schema.of(list[City]))({"name": "a"}) is MISSING
    assert whole_item(Schema.of({"type": "array", "items": {"type": "integer"}}))("x") is MISSING
    assert whole_item(Schema.of({"type": "array"}))("x") == "x"


json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3),
                    lambda one: st.lists(one, max_size=3)
                    | st.dictionaries(st.sampled_from(["name", "people", "city", "n"]), one, max_size=3))  # fmt: skip


READERS = [
    (schema, grower(schema))
    for schema in map(Schema.of, (City, Draft, Tree, list[Tree], dict[str, City], City | Draft, ROOT))
]


@given(json, st.sampled_from(READERS))
def test_whatever_is_written_nothing_is_raised_and_what_is_whole_stays(written, reader):
    schema, grow = reader
    made = grow(written)
    if schema.source in (City, Draft) and not schema.issues(written):
        assert made == schema.validate(written)
