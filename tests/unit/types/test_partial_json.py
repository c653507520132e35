import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.types.partial_json import PartialJson, snapshot

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.integers(1, 7), st.booleans())
def test_however_it_is_cut_the_whole_is_the_value(value, size, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only) + " "
    parser = PartialJson()
    for at in range(0, len(text), size):
        parser.feed(text[at : at + size])
    assert not parser.broken
    assert parser.value == value


@given(st.text(max_size=40))
def test_nonsense_never_raises(text):
    PartialJson().feed(text)


def test_what_stands_there_is_shown_and_half_a_number_is_not():
    parser = PartialJson()
    parser.feed('{"name": "Os')
    assert parser.value == {"name": "Os"}
    parser.feed('lo", "n": 12')
    assert parser.value == {"name": "Oslo"}
    before = snapshot(parser.value)
    parser.feed("3}")
    assert (before, parser.value) == ({"name": "Oslo"}, {"name": "Oslo", "n": 123})


@pytest.mark.parametrize("text", ["{1", '{"a" 1', "[1 2", "tru]", '"\\x"'])
def test_what_is_no_json_is_marked_broken(text):
    parser = PartialJson()
    parser.feed(text + " ")
    assert parser.broken
