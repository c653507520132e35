"""Distances and exact search by numpy: the compiled kernels' results, a few times slower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mastra.errors import DimensionMismatch, NativeInvalidArgument
from mastra.native.fallback.arrays import Floats, Ids, as_array, as_floats, positive

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS = ("cosine", "dot", "l2")
# What an item of each element type may be held in.
ELEMENTS = {"f32": "fde", "f16": "eH", "bf16": "H", "i8": "b", "u4": "B", "bits": "B"}
# Numbers that are compared at once: rows are widened to double precision some megabytes at a time.
CHUNK = 1 << 20


def kernels() -> list[str]:
    """The one there is: numpy."""
    return ["numpy"]


def active_kernel() -> str:
    """What computes distances here."""
    return kernels()[0]


def cosine(a: Any, b: Any, *, element: str | None = None) -> float | Floats:
    """The cosine of the angle between two vectors, or between rows; 0 for the zero vector."""
    return _compare(a, b, element, _cosine)


def dot(a: Any, b: Any, *, element: str | None = None) -> float | Floats:
    """The dot product of two vectors, or of rows."""
    return _compare(a, b, element, lambda x, y: (x * y).sum(-1))


def l2(a: Any, b: Any, *, element: str | None = None) -> float | Floats:
    """The squared Euclidean distance of two vectors, or of rows."""
    return _compare(a, b, element, lambda x, y: ((x - y) ** 2).sum(-1))


def hamming(a: Any, b: Any) -> int | Ids:
    """The number of bits that differ; a and b are packed uint8."""
    x, y = _pair(a, b, "bits")
    differing = (x != y).sum(-1).astype(np.uint64)
    return int(differing) if differing.ndim == 0 else differing


def exact_search(
    base: Any, queries: Any, k: int = 10, *, metric: str = "cosine", threads: int = 1
) -> tuple[Ids, Floats]:
    """The k best rows of `base` for each query, best first, by looking at every row: (row numbers, scores)."""
    k = positive(k, "k")
    positive(threads, "threads")
    check_metric(metric)
    rows, asked = as_floats(base, "base"), as_floats(queries, "queries")
    if rows.ndim == 1:
        raise NativeInvalidArgument("base must have two axes.")
    check_queries(asked, rows.shape[1], "base")
    numbers, scores = best_rows(rows, np.atleast_2d(asked), k, metric)
    return (numbers[0], scores[0]) if asked.ndim == 1 else (numbers, scores)


def check_metric(metric: str) -> None:
    """Refuse a metric that there is not."""
    if metric not in METRICS:
        raise NativeInvalidArgument(f"The metric '{metric}' is none of {', '.join(METRICS)}.")


def check_queries(queries: Floats, dim: int, what: str) -> None:
    """Refuse queries of another width than the rows, and numbers that nothing can be near to."""
    if queries.shape[-1] != dim:
        raise DimensionMismatch(f"The queries have {queries.shape[-1]} dimensions, the {what} has {dim}.")
    if not bool(np.isfinite(queries).all()):
        raise NativeInvalidArgument("queries hold NaN or infinity.")


def best_rows(rows: Floats, queries: Floats, k: int, metric: str) -> tuple[Ids, Floats]:
    """The k best rows of each query and their scores; of equal ones the first row."""
    k = min(k, len(rows))
    step = max(1, CHUNK // max(1, rows.shape[1]))
    numbers = np.zeros((len(queries), k), dtype=np.uint64)
    scores = np.zeros((len(queries), k), dtype=np.float32)
    for at, query in enumerate(queries):
        parts = [_scores(rows[start : start + step], query, metric) for start in range(0, len(rows), step)]
        found = np.concatenate(parts) if parts else np.zeros(0)
        worst_first = np.where(np.isnan(found), np.inf, found if metric == "l2" else -found)
        order = np.argpartition(worst_first, k - 1)[:k] if k < len(rows) else np.arange(len(rows))
        if 0 < k < len(rows):
            # Of rows that tie with the last one the partition takes any: the first ones are meant.
            limit = worst_first[order].max()
            order = np.concatenate((np.flatnonzero(worst_first < limit), np.flatnonzero(worst_first == limit)))[:k]
        order = order[np.lexsort((order, worst_first[order]))]
        numbers[at], scores[at] = order, found[order]
    return numbers, scores


def _scores(rows: Floats, query: Floats, metric: str) -> npt.NDArray[np.float64]:
    wide, asked = rows.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        wide -= asked
        return np.asarray(np.einsum("ij,ij->i", wide, wide))
    near = wide @ asked
    if metric == "dot":
        return np.asarray(near)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide)) * np.sqrt(asked @ asked)
    return np.asarray(np.divide(near, lengths, out=np.zeros(len(near)), where=lengths > 0))


def _cosine(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Any:
    lengths = np.sqrt((x * x).sum(-1)) * np.sqrt((y * y).sum(-1))
    return np.divide((x * y).sum(-1), lengths, out=np.zeros(np.shape(lengths)), where=lengths > 0)


def _compare(a: Any, b: Any, element: str | None, formula: Callable[..., Any]) -> float | Floats:
    x, y = _pair(a, b, element)
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.asarray(formula(x.astype(np.float64), y.astype(np.float64)), dtype=np.float32)
    return float(found) if found.ndim == 0 else found


def _pair(a: Any, b: Any, element: str | None) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Both sides, spread to one number an element, when they can be compared at all."""
    left, right = as_array(a, "a"), as_array(b, "b")
    kinds = _element(left, element, "a"), _element(right, element, "b")
    x, y = _spread(left, kinds[0]), _spread(right, kinds[1])
    if x.shape[-1] != y.shape[-1]:
        raise DimensionMismatch(f"a has {x.shape[-1]} dimensions, b has {y.shape[-1]}.")
    if kinds[0] != kinds[1]:
        raise NativeInvalidArgument("a and b differ in their element type.")
    if x.ndim == y.ndim == 2 and len(x) != len(y):
        raise NativeInvalidArgument("a and b differ in their number of rows.")
    return x, y


def _element(array: npt.NDArray[Any], named: str | None, what: str) -> str:
    kind = array.dtype.char
    if named is not None and named not in ELEMENTS:
        raise NativeInvalidArgument(f"The element type '{named}' is none of {', '.join(ELEMENTS)}.")
    element = named or {"e": "f16", "b": "i8", "f": "f32", "d": "f32"}.get(kind)
    if element is None:
        raise NativeInvalidArgument(f"{what} holds neither floats nor int8; name its element type: bf16, u4 or bits.")
    if kind not in ELEMENTS[element]:
        raise NativeInvalidArgument(f"{what} does not hold items of the named element type.")
    return element


def _spread(array: npt.NDArray[Any], element: str) -> npt.NDArray[Any]:
    if element == "bits":
        return np.unpackbits(array, axis=-1)
    if element == "u4":
        halves = np.stack((array & 15, array >> 4), axis=-1)
        return halves.reshape(*array.shape[:-1], -1)
    if element == "bf16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if element == "f16" and array.dtype.kind == "u":
        return array.view(np.float16)
    return array.astype(np.float32) if element == "f32" else array
