"""What of strangers' text is replaced before it is stored."""

from hypothesis import given
from hypothesis import strategies as st

from mastra.memory.tables import DUE, MESSAGES, THREADS, WORKING_MEMORY, cleaned
from mastra.storage.rows import check_table, encode_value

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\0\ud800\udfff"), max_size=20)
VALUES = st.recursive(
    TEXTS | st.none() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_whatever_was_said_can_be_stored(value):
    assert encode_value(MESSAGES, {"content": cleaned(value)})


@given(VALUES.filter(lambda value: value == cleaned(value)))
def test_what_can_be_stored_stays_as_it_is(value):
    assert cleaned(cleaned(value)) == value


def test_marks_are_put_where_something_was():
    assert cleaned({"a\0": ["\ud800x", 1, None, ("é",)]}) == {"a\ufffd": ["\ufffdx", 1, None, ["é"]]}


def test_the_tables_can_be_declared_everywhere():
    for table in (THREADS, MESSAGES, WORKING_MEMORY, DUE):
        assert check_table(table) is table
