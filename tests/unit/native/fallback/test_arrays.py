"""What a caller hands over as numbers is taken or refused by name."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mastra.errors import NativeInvalidArgument

Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    "value",
    [[1, 2], (1.0, 2.0), array("f", [1, 2]), array("d", [1, 2]), np.array([1, 2], ">f4"), np.array([1, 2], "f2")],
)
def test_floats_of_any_kind_become_single_precision(load_fallback: Load, value: Any) -> None:
    found = load_fallback("arrays").as_floats(value, "rows")
    assert found.dtype == np.float32
    assert found.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("value", "said"),
    [(7, "an array, a buffer or a list"), ([[1], [1, 2]], "differ in length"), ([{}], "readable buffer"),
     (np.ones((1, 1, 1)), "one or two axes, not 3"), (np.ones(2, np.int64), "not int64"), (["a"], "not <U1"),
     (array("i", [1]), "not int32")],
)  # fmt: skip
def test_what_holds_no_floats_is_refused_with_the_name_of_the_argument(
    load_fallback: Load, value: Any, said: str
) -> None:
    with pytest.raises(NativeInvalidArgument, match=f"rows .*{said}"):
        load_fallback("arrays").as_floats(value, "rows")


def test_numbers_too_large_for_single_precision_are_infinite(load_fallback: Load) -> None:
    assert load_fallback("arrays").as_floats([1e300], "rows").tolist() == [float("inf")]


@pytest.mark.parametrize(
    ("value", "ids"),
    [(3, [3]), ([2**64 - 1], [2**64 - 1]), (np.array([1, 2], "u1"), [1, 2]), ([], []), (array("q", [5]), [5])],
)
def test_ids_are_unsigned_64_bit_numbers(load_fallback: Load, value: Any, ids: list[int]) -> None:
    found = load_fallback("arrays").as_ids(value, "ids")
    assert found.dtype == np.uint64
    assert found.tolist() == ids


@pytest.mark.parametrize("value", [-1, 2**64, [-1], [1.5], [[1]], "a", [2**64]])
def test_what_is_no_id_is_refused(load_fallback: Load, value: Any) -> None:
    with pytest.raises(NativeInvalidArgument, match=r"^ids"):
        load_fallback("arrays").as_ids(value, "ids")


def test_a_count_is_at_least_one(load_fallback: Load) -> None:
    assert load_fallback("arrays").positive(1, "k") == 1
    with pytest.raises(NativeInvalidArgument, match="k must be at least 1"):
        load_fallback("arrays").positive(0, "k")
