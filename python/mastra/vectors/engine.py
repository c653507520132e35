"""The search inside one index: the compiled graph, with the vectors themselves kept so that scores are exact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mastra.native import VectorIndex
from mastra.ports.vectors import Metric
from mastra.vectors.rows import Vector

Numbers = npt.NDArray[np.uint64]
_METRICS = {"cosine": "cosine", "dotproduct": "dot", "euclidean": "l2"}


class Engine:
    """Vectors by number."""

    def __init__(self, dimension: int, metric: Metric, index: VectorIndex | None = None) -> None:
        self.index = VectorIndex(dimension, metric=_METRICS[metric], storage="f32") if index is None else index

    def __len__(self) -> int:
        return len(self.index)

    def add(self, numbers: list[int], vectors: list[Vector]) -> None:
        """Add rows or replace those with the same number."""
        if numbers:
            self.index.add(np.stack(vectors), np.array(numbers, dtype=np.uint64), upsert=True)

    def remove(self, numbers: list[int]) -> None:
        """Remove rows; one that is not there is no error."""
        if numbers:
            self.index.remove(np.array(numbers, dtype=np.uint64), missing_ok=True)

    def numbers(self) -> list[int]:
        """The numbers of all rows."""
        ids: list[int] = self.index.ids().tolist()
        return ids

    def get(self, number: int) -> Vector:
        """The row's vector."""
        vectors: Vector = self.index.get(np.array([number], dtype=np.uint64))
        row: Vector = vectors[0]
        return row

    def search(self, vector: Vector, k: int, allowed: Numbers | None) -> list[tuple[int, float]]:
        """(number, raw score), best first; only `allowed` numbers when given."""
        if not len(self.index):
            return []
        numbers, scores = self.index.search(vector, k, where=allowed)
        return list(zip(numbers.tolist(), scores.tolist(), strict=True))
