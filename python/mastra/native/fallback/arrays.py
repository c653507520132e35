"""Rows of numbers out of what a caller hands over, judged by the same rules as in the compiled core."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mastra.errors import NativeInvalidArgument

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint64]
LARGEST_ID = 2**64


def as_array(value: Any, what: str) -> npt.NDArray[Any]:
    """The array with one or two axes that `value` is, or a refusal that names the argument."""
    if not isinstance(value, list | tuple) and not hasattr(value, "__array__"):
        try:
            value = memoryview(value)
        except TypeError:
            raise NativeInvalidArgument(f"{what} must be an array, a buffer or a list of numbers.") from None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise NativeInvalidArgument(
            f"{what} is no array of numbers: its rows differ in length or hold something else."
        ) from None
    if array.dtype == object:
        raise NativeInvalidArgument(f"{what} has no readable buffer of numbers.")
    if array.ndim not in (1, 2):
        raise NativeInvalidArgument(f"{what} must have one or two axes, not {array.ndim}.")
    return array


def as_floats(value: Any, what: str) -> Floats:
    """Float rows in single precision; integers are numbers in a list, and a mistake in an array."""
    array = as_array(value, what)
    listed = isinstance(value, list | tuple)
    if array.dtype.kind != "f" and not (listed and (array.dtype.kind in "iu" or not array.size)):
        raise NativeInvalidArgument(f"{what} must hold float16, float32 or float64 numbers, not {array.dtype}.")
    with np.errstate(over="ignore", invalid="ignore"):  # too large for single precision is infinite, and judged later
        return np.ascontiguousarray(array, dtype=np.float32)


def as_ids(value: Any, what: str) -> Ids:
    """Unsigned ids from an integer, an integer array or a list."""
    if isinstance(value, int):
        if not 0 <= value < LARGEST_ID:
            raise NativeInvalidArgument(f"{what} must lie between 0 and 2^64 - 1.")
        return np.array([value], dtype=np.uint64)
    array = as_array(value, what)
    if array.ndim != 1:
        raise NativeInvalidArgument(f"{what} must have one axis.")
    if not array.size:
        return np.zeros(0, dtype=np.uint64)
    if array.dtype.kind not in "iu":
        raise NativeInvalidArgument(f"{what} must hold integers.")
    if array.dtype.kind == "i" and bool((array < 0).any()):
        raise NativeInvalidArgument(f"{what} must not hold negative numbers.")
    return array.astype(np.uint64)


def positive(value: int, what: str) -> int:
    """A count of at least one."""
    if value < 1:
        raise NativeInvalidArgument(f"{what} must be at least 1.")
    return value
