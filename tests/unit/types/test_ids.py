from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidId
from mastra.types.ids import MAX_LENGTH, check_id, new_id, new_ordered_id


def test_new_ids_are_version_4_uuids_and_differ() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    parsed = [uuid.UUID(text) for text in ids]
    assert all(item.version == 4 and item.variant == uuid.RFC_4122 for item in parsed)
    assert {str(item) for item in parsed} == ids


def test_ordered_ids_are_version_7_uuids_that_sort_by_time() -> None:
    first = [new_ordered_id() for _ in range(1000)]
    time.sleep(0.002)
    second = [new_ordered_id() for _ in range(1000)]
    parsed = [uuid.UUID(text) for text in first + second]
    assert len(set(parsed)) == 2000
    assert all(item.version == 7 and item.variant == uuid.RFC_4122 for item in parsed)
    assert max(first) < min(second)


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=~\-]{0,127}", fullmatch=True))
def test_acceptable_ids_pass_unchanged(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize(
    "bad", ["", "-a", ".a", "a b", "a/b", "a\n", "ä", "a" * (MAX_LENGTH + 1), None, 5, b"a", "\ud800"]
)
def test_anything_else_is_refused_by_name(bad: object) -> None:
    with pytest.raises(InvalidId, match="thread id"):
        check_id(bad, "thread id")


def test_a_long_bad_id_is_shown_in_part() -> None:
    with pytest.raises(InvalidId) as refused:
        check_id("é" * 10_000)
    assert len(str(refused.value)) < 300
