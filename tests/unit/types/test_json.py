from __future__ import annotations

import json as standard
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput
from mastra.types.json import MAX_DEPTH, dump_bytes, dumps, find_unserialisable, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_survives_a_round_trip(value: object) -> None:
    if find_unserialisable(value) is None:
        assert loads(dumps(value).encode()) == value


def test_the_text_is_compact_and_not_escaped() -> None:
    assert dumps({"a": [1, "é"]}) == '{"a":[1,"é"]}'


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_json_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps(number)
    assert find_unserialisable([number]) == ("$[0]", f"{number} is not JSON")


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}', "\ufeff1", "{", ""])
def test_texts_that_are_not_json_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


def test_endless_nesting_is_refused() -> None:
    with pytest.raises((InvalidInput, standard.JSONDecodeError)):
        loads("[" * 200_000)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": {1, 2}}, "$.a"),
        ({"a": [0, b"x"]}, "$.a[1]"),
        ({1: 2}, "$.1"),
        ("\ud800", "$"),
        ({"\udfff": 1}, "$.'\\udfff'"),
        ({"a": object}, "$.a"),
    ],
)
def test_the_first_place_that_json_cannot_hold_is_named(value: object, path: str) -> None:
    found = find_unserialisable(value)
    assert found is not None
    assert found[0] == path


def test_depth_has_a_limit() -> None:
    value: list[object] = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert find_unserialisable(value) is None
    found = find_unserialisable([[value]])
    assert found is not None
    assert found[1] == f"nested deeper than {MAX_DEPTH}"


def test_a_lone_surrogate_becomes_a_replacement_where_bytes_are_needed():
    assert loads(dump_bytes({"a": "x\ud800"})) == {"a": "x\ufffd"}
    assert dump_bytes(["\u00e9"]) == '["\u00e9"]'.encode()
