"""The order of index values."""

from hypothesis import given
from hypothesis import strategies as st

from mastra.storage.sortkeys import sort_bytes, sort_key

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)


@given(values, values)
def test_bytes_and_tuples_agree_on_the_order(left, right):
    by_tuple = (sort_key(left) > sort_key(right)) - (sort_key(left) < sort_key(right))
    by_bytes = (sort_bytes(left) > sort_bytes(right)) - (sort_bytes(left) < sort_bytes(right))
    assert by_tuple == by_bytes


def test_missing_comes_before_numbers_and_numbers_before_texts():
    assert sort_key(None) < sort_key(-1e308) < sort_key(False) < sort_key(2) < sort_key("")
