"""The search inside one index, by the compiled core."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mastra.native import exact_search
from mastra.ports.vectors import Metric
from mastra.vectors.rows import Vector

Numbers = npt.NDArray[np.uint64]
_METRICS = {"cosine": "cosine", "dotproduct": "dot", "euclidean": "l2"}


class ExactEngine:
    """Every row is looked at; rows are kept in one matrix that grows by doubling."""

    def __init__(self, dimension: int, metric: Metric) -> None:
        self._metric = _METRICS[metric]
        self._matrix: npt.NDArray[np.float32] = np.empty((64, dimension), dtype=np.float32)
        self._numbers: Numbers = np.empty(64, dtype=np.uint64)
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, numbers: list[int], vectors: list[Vector]) -> None:
        """Add rows or replace those with the same number."""
        for number, vector in zip(numbers, vectors, strict=True):
            place = self._places.get(number)
            if place is None:
                place = len(self._places)
                if place == len(self._matrix):
                    self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
                    self._numbers = np.concatenate([self._numbers, np.empty_like(self._numbers)])
                self._places[number] = place
                self._numbers[place] = number
            self._matrix[place] = vector

    def remove(self, numbers: list[int]) -> None:
        """Remove rows; the last row takes each free place."""
        for number in numbers:
            place = self._places.pop(number, None)
            if place is None:
                continue
            last = len(self._places)
            if place != last:
                moved = int(self._numbers[last])
                self._matrix[place] = self._matrix[last]
                self._numbers[place] = moved
                self._places[moved] = place

    def get(self, number: int) -> Vector:
        """A copy of the row's vector."""
        vector: Vector = self._matrix[self._places[number]].copy()
        return vector

    def search(self, vector: Vector, k: int, allowed: Numbers | None) -> list[tuple[int, float]]:
        """(number, raw score), best first."""
        count = len(self._places)
        if allowed is None:
            base, numbers = self._matrix[:count], self._numbers[:count]
        else:
            places = np.fromiter((self._places[int(number)] for number in allowed), dtype=np.int64, count=len(allowed))
            base, numbers = self._matrix[places], allowed
        if not len(base):
            return []
        found, scores = exact_search(base, vector, min(k, len(base)), metric=self._metric)
        return [(int(numbers[row]), float(score)) for row, score in zip(found, scores, strict=True)]


def make_engine(dimension: int, metric: Metric) -> ExactEngine:
    """The engine for an index."""
    return ExactEngine(dimension, metric)
