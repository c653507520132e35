"""Numbers about text and rankings: words, BM25, reciprocal-rank fusion, maximal marginal relevance."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mastra.errors import NativeUnsupported

try:
    from mastra._core import Bm25Index, mmr, tokenize
    from mastra._core import fuse_ranks as fuse
except ImportError as error:
    raise NativeUnsupported(
        "BM25 and the other numbers about text need the compiled core.",
        hint="Install mastra from a wheel for this platform, or rerank by a model.",
    ) from error

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

__all__ = ["Bm25Index", "fuse_ranks", "mmr", "tokenize"]

Id = TypeVar("Id", bound="Hashable")


def fuse_ranks(
    rankings: Iterable[Iterable[Id]], *, weights: Sequence[float] | None = None, k: float = 60.0
) -> list[tuple[Id, float]]:
    """Reciprocal-rank fusion: one ranking out of several, whatever their scores mean.

    Each ranking lists ids, best first, and gives weight / (k + rank) to each, the first having rank 1; an id that
    comes twice in one ranking counts at its better place. Best first; equal sums in the order of first appearance.

    >>> fuse_ranks([["a", "b"], ["b", "c"]])[0][0]
    'b'
    """
    return fuse(rankings, weights=weights, k=k)
