"""The filter language: what each word means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidFilter
from mastra.types.filters import Condition, check, conditions, matches, same

ROW = {
    "a": 1,
    "b": "text",
    "tags": ["x", "y", 3],
    "deep": {"er": {"n": 5}, "list": [{"k": 1}, {"k": 2}]},
    "none": None,
    "yes": True,
}


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({}, True),
        ({"a": 1}, True),
        ({"a": 1.0}, True),
        ({"a": True}, False),
        ({"yes": 1}, False),
        ({"yes": True}, True),
        ({"a": 1, "b": "other"}, False),
        ({"none": None}, True),
        ({"absent": None}, True),
        ({"a": None}, False),
        ({"absent": {"$exists": False}}, True),
        ({"none": {"$exists": True}}, True),
        ({"tags": "x"}, True),
        ({"tags": ["x", "y", 3]}, True),
        ({"tags": ["x"]}, False),
        ({"tags": {"$all": ["x", 3]}}, True),
        ({"tags": {"$all": []}}, False),
        ({"tags": {"$size": 3}}, True),
        ({"tags": {"$gt": 2}}, True),
        ({"tags": {"$ne": "x"}}, False),
        ({"tags.1": "y"}, True),
        ({"tags.7": "y"}, False),
        ({"deep.er.n": {"$gte": 5, "$lt": 6}}, True),
        ({"deep.er": {"n": 5}}, True),
        ({"deep.list": {"$elemMatch": {"k": 2}}}, True),
        ({"deep.list": {"$elemMatch": {"k": 3}}}, False),
        ({"tags": {"$elemMatch": {"$gt": 2, "$lt": 4}}}, True),
        ({"a": {"$gt": "0"}}, False),
        ({"b": {"$gt": 0}}, False),
        ({"yes": {"$gt": 0}}, False),
        ({"a": {"$in": [0, 1]}}, True),
        ({"a": {"$in": []}}, False),
        ({"a": {"$nin": [1]}}, False),
        ({"absent": {"$nin": ["x"]}}, True),
        ({"b": {"$regex": "^TE", "$options": "i"}}, True),
        ({"b": {"$contains": "ex"}}, True),
        ({"tags": {"$contains": ["y", "x"]}}, True),
        ({"deep": {"$contains": {"er": {"n": 5}}}}, True),
        ({"a": {"$not": {"$gt": 1}}}, True),
        ({"absent": {"$not": {"$gt": 1}}}, True),
        ({"$or": [{"a": 2}, {"b": "text"}]}, True),
        ({"$and": [{"a": 1}, {"b": "other"}]}, False),
        ({"$nor": [{"a": 2}, {"b": "other"}]}, True),
        ({"$or": [{"$and": [{"a": 1}, {"yes": True}]}]}, True),
    ],
)
def test_what_a_filter_means(where, wanted):
    assert matches(where, ROW) is wanted


@pytest.mark.parametrize(
    "where",
    [
        [], "a", 5, {"$xor": []}, {"a": {"$near": 1}}, {"a": {"$gt": [1]}}, {"a": {"$gt": 1, "b": 2}}, {"$or": [1]},
        {"a": {"$not": 5}}, {"a": {"$options": "i"}}, {"a": {"$size": -1}}, {"a": {"$size": True}},
        {"a": {"$elemMatch": {}}},
        {"a": {"$regex": "["}}, {"a": {"$regex": "x", "$options": "z"}}, {"a": object()}, {1: "a"},
        {"a": {"$in": list(range(3000))}},
    ],
)  # fmt: skip
def test_what_is_not_a_filter_is_refused(where):
    with pytest.raises(InvalidFilter):
        check(where)


def test_a_filter_nested_too_deeply_is_refused():
    where = {"a": 1}
    for _ in range(20):
        where = {"$and": [where]}
    with pytest.raises(InvalidFilter):
        check(where)


def test_a_misspelt_operator_gets_a_suggestion():
    with pytest.raises(InvalidFilter, match=r"\$exists"):
        check({"a": {"$exist": True}})


def test_conditions_are_exact_when_they_are_the_whole_filter():
    found, exact = conditions({"a": "x", "b": {"$gte": 1, "$lt": 5}}, {"a", "b"})
    assert exact
    assert found == [Condition("a", "$eq", "x"), Condition("b", "$gte", 1), Condition("b", "$lt", 5)]


def test_conditions_leave_out_what_an_index_cannot_tell():
    assert conditions({"a": None}, {"a"}) == ([], False)
    assert conditions({"$or": [{"a": 1}]}, {"a"}) == ([], False)
    assert conditions({"a": {"$ne": 1}}, {"a"}) == ([], False)
    assert conditions({"$and": [{"a": "x"}, {"c": 1}]}, {"a"}) == ([Condition("a", "$eq", "x")], False)


# What no row can hold is refused by filters as it is by rows.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_every_value_is_the_same_as_itself_and_found_by_it(value):
    assert same(value, value)
    if not (isinstance(value, dict) and any(key.startswith("$") for key in value)):
        assert matches({"field": value}, {"field": value})
        assert not matches({"field": {"$ne": value}}, {"field": value})


@given(json_values, json_values)
def test_a_filter_and_its_negation_divide_all_values(value, operand):
    if not (isinstance(operand, dict) and any(key.startswith("$") for key in operand)):
        assert matches({"f": operand}, {"f": value}) is not matches({"$nor": [{"f": operand}]}, {"f": value})


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize("shape", ["plain", "key", "in", "or", "nested"])
def test_what_no_row_can_hold_is_refused(shape, text):
    shapes = {
        "plain": {"a": text}, "key": {text: 1}, "in": {"a": {"$in": ["b", text]}}, "or": {"$or": [{"a": text}]},
        "nested": {"a": {"$elemMatch": {"b": {"$contains": {text: 1}}}}},
    }  # fmt: skip
    with pytest.raises(InvalidFilter):
        check(shapes[shape])


@pytest.mark.parametrize("number", [2**53 + 1, -(2**63) - 1, 10**400])
@pytest.mark.parametrize("operator", ["$eq", "$gt", "$lte"])
def test_a_number_beyond_every_column_is_left_to_python(number, operator):
    assert conditions({"a": {operator: number}}, {"a"}) == ([], False)
    assert conditions({"a": {"$in": [1, number]}}, {"a"}) == ([], False)
    assert matches({"a": {"$lt": number}}, {"a": 0}) is (number > 0)
