import functools
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from mastra.errors import BadDefinition, InvalidInput
from mastra.tools.context import ToolContext
from mastra.tools.signature import read_signature


@dataclass
class Place:
    city: str
    zone: "Zone"


@dataclass
class Zone:
    name: str


def read(function, **descriptions):
    return read_signature(function, descriptions, function.__name__)


def test_the_schema_says_types_defaults_and_descriptions():
    def f(a: str, b: int = 3, c: list[str] | None = None): ...

    assert read(f, a="The first.").json_schema == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "The first."},
            "b": {"type": "integer", "default": 3},
            "c": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        },
        "required": ["a"],
        "additionalProperties": False,
    }


def test_rich_types_are_made_and_their_problems_are_named_by_place():
    def f(place: Place, n: int): ...

    parameters = read(f)
    assert "Zone" in parameters.json_schema["$defs"]
    made = parameters.validate({"place": {"city": "Oslo", "zone": {"name": "CET"}}, "n": "3"})
    assert made == {"place": Place("Oslo", Zone("CET")), "n": 3}
    with pytest.raises(InvalidInput) as caught:
        parameters.validate({"place": {"city": "Oslo", "zone": {}}, "n": 1})
    assert caught.value.issues[0]["field"] == "place.zone.name"


def test_the_context_is_hidden():
    def f(a: int, ctx: ToolContext[int]): ...

    parameters = read(f)
    assert parameters.context == "ctx"
    assert list(parameters.json_schema["properties"]) == ["a"]


def test_what_cannot_be_described_is_refused():
    def untyped(a): ...
    def variadic(*a: int): ...
    def named(**a: int): ...
    def positional(a: int, /): ...
    def strange(a: object()): ...

    for function in (untyped, variadic, named, positional, strange):
        with pytest.raises(BadDefinition):
            read(function)


def test_the_name_of_a_plain_type_may_be_given_to_another_one():
    scope: dict[str, Any] = {"int": Literal["a", "b"]}
    code = "from __future__ import annotations\ndef own(n: int) -> str: ...\ndef plain(n: str) -> str: ..."
    exec(code, scope)
    assert read_signature(scope["own"], {}, "own").json_schema["properties"]["n"]["enum"] == ["a", "b"]
    assert read_signature(scope["plain"], {}, "plain").json_schema["properties"]["n"] == {"type": "string"}

    @functools.wraps(scope["own"])
    def wrapped(*args, **kwargs):
        return None

    assert read_signature(wrapped, {}, "wrapped").json_schema["properties"]["n"]["enum"] == ["a", "b"]
