"""The door of every vector store: which names, vectors, metadata and numbers are let in, the same for all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from mastra.errors import DimensionMismatch, IndexExists, InvalidId, InvalidInput
from mastra.ports.vectors import Metric, VectorRow
from mastra.types.filters import check
from mastra.types.json import dumps, find_unserialisable
from mastra.types.records import Filter

MAX_DIMENSION = 16_384
MAX_K = 10_000
MAX_ROWS = 4_000
MAX_METADATA_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]{0,47}")
_UNPRINTABLE = re.compile("[\0-\x1f\x7f\ud800-\udfff]")

Vector = npt.NDArray[np.float32]


def check_index(name: object) -> str:
    """`name` when it can name an index in every backend."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    shown = repr(name[:40]) if isinstance(name, str) else f"a {type(name).__name__}"
    raise InvalidId(f"{shown} is not a valid index name.", hint="Use 1 to 48 letters, digits, _ or -; no digit first.")


def check_shape(dimension: object, metric: object) -> None:
    """What an index may be."""
    if type(dimension) is not int or not 1 <= dimension <= MAX_DIMENSION:
        raise InvalidInput(f"A dimension of {dimension!r} is not between 1 and {MAX_DIMENSION:,}.")
    if metric not in get_args(Metric):
        raise InvalidInput(f"{metric!r} is not a metric.", hint=f"Use {', '.join(get_args(Metric))}.")


def check_same(index: str, known: tuple[int, Metric], wanted: tuple[int, Metric], adapter: str) -> None:
    """An index that is there already has the shape that it shall be made with."""
    if known != wanted:
        raise IndexExists(f"The index {index!r} has {known[0]} dimensions and the metric {known[1]}.", adapter=adapter)


def check_row_id(value: object) -> str:
    """`value` when it can be a row's id: a text of 1 to 512 characters, none of them a control character."""
    if isinstance(value, str) and 0 < len(value) <= 512 and not _UNPRINTABLE.search(value):
        return value
    shown = repr(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
    raise InvalidId(f"{shown} is not a valid id of a vector.", hint="Use 1 to 512 printable characters.")


def check_vector(vector: object, dimension: int, metric: Metric) -> Vector:
    """The vector as 32-bit floats; other lengths, numbers that are not finite and directionless ones are refused."""
    try:
        with np.errstate(over="ignore"):  # too large becomes infinite, and that is refused below
            array = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("A vector is a list of numbers.") from error
    if array.ndim != 1:
        raise InvalidInput(f"A vector has one axis, not {array.ndim}.")
    if len(array) != dimension:
        raise DimensionMismatch(f"The vector has {len(array)} numbers; the index takes {dimension}.")
    if not np.isfinite(array).all():
        raise InvalidInput("The vector has a number that is not finite as a 32-bit float.")
    if metric == "cosine" and not array.any():
        raise InvalidInput("A vector of zeros has no direction, which the cosine metric needs.")
    return array


def check_rows(rows: Sequence[VectorRow], dimension: int, metric: Metric) -> list[tuple[VectorRow, Vector]]:
    """The rows of an upsert with their vectors; of rows with the same id the last one counts."""
    if len(rows) > MAX_ROWS:
        raise InvalidInput(f"{len(rows):,} rows at once; at most {MAX_ROWS:,} are written whole or not at all.")
    checked: dict[str, tuple[VectorRow, Vector]] = {}
    for row in rows:
        check_row_id(row.id)
        check_metadata(row.metadata)
        if row.document is not None:
            _check_json("document", row.document)
        checked[row.id] = (row, check_vector(row.vector, dimension, metric))
    return list(checked.values())


def check_metadata(metadata: object) -> None:
    """Metadata is a JSON object of moderate size."""
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise InvalidInput(f"Metadata is an object, not a {type(metadata).__name__}.")
    _check_json("metadata", metadata)


def _check_json(what: str, value: Any) -> None:
    found = find_unserialisable(value)
    if found:
        raise InvalidInput(f"The {what} cannot be stored: {found[0]} {found[1]}.")
    text = dumps(value)
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise InvalidInput(f"The {what} is larger than {MAX_METADATA_BYTES:,} bytes.")
    if "\\u0000" in text and _has_nul(value):
        raise InvalidInput(f"The {what} contains a NUL character.")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(_has_nul, value))


def check_query(k: object, where: Filter | None) -> None:
    """How many matches may be asked for, and of which rows."""
    if type(k) is not int or not 1 <= k <= MAX_K:
        raise InvalidInput(f"A k of {k!r} is not between 1 and {MAX_K:,}.")
    check(where)


def check_delete(ids: Sequence[str] | None, where: object) -> None:
    """Exactly one of ids and filter, and never a filter that means everything by accident."""
    if (ids is None) == (where is None):
        raise InvalidInput("Delete by ids or by a filter: give exactly one.")
    if where is not None and not where:
        raise InvalidInput("An empty filter would delete every row.", hint="Drop the index instead.")


def score_of(value: float, metric: Metric) -> float:
    """A score that grows with the match: squared distances become 1 at no distance and 0 far away."""
    return 1.0 / (1.0 + max(value, 0.0) ** 0.5) if metric == "euclidean" else float(value)
