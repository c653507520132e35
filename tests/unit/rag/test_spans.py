from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mastra.rag.spans import hard_cut, merge, split_after, trim


@given(st.text(st.sampled_from("ab \n"), max_size=60))
def test_pieces_join_to_the_whole(text: str) -> None:
    pieces = split_after(text, (0, len(text)), r"\s+")
    assert "".join(text[start:end] for start, end in pieces) == text


@given(st.text(max_size=60), st.integers(1, 9))
def test_cutting_by_force_loses_nothing(text: str, size: int) -> None:
    for length in (len, lambda part: 2 * len(part)):
        pieces = hard_cut(text, (0, len(text)), size, length)
        assert "".join(text[start:end] for start, end in pieces) == text
        assert all(length(text[start:end]) <= size or end - start == 1 for start, end in pieces)


def test_nothing_is_merged_from_nothing() -> None:
    assert merge("", [], 5, 0, len) == []


def test_white_space_is_trimmed() -> None:
    assert trim("  a b\n", (0, 6)) == (2, 5)
    assert trim("   ", (0, 3)) == (3, 3)
