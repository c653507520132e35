"""The door of vector stores."""

import numpy as np
import pytest

from mastra.errors import DimensionMismatch, InvalidInput
from mastra.ports.vectors import VectorRow
from mastra.vectors.rows import check_rows, check_vector, score_of


def test_any_sequence_of_numbers_is_a_vector():
    for given in ([1, 2], (1.0, 2.0), np.array([1, 2], dtype=np.int16), np.array([[1, 9], [2, 9]])[:, 0]):
        made = check_vector(given, 2, "cosine")
        assert made.dtype == np.float32
        assert made.tolist() == [1, 2]


def test_zeros_have_no_direction_but_a_place():
    with pytest.raises(InvalidInput, match="direction"):
        check_vector([0, 0], 2, "cosine")
    assert check_vector([0, 0], 2, "euclidean").tolist() == [0, 0]
    with pytest.raises(DimensionMismatch):
        check_vector([1], 2, "cosine")


def test_too_many_rows_at_once_are_refused():
    with pytest.raises(InvalidInput):
        check_rows([VectorRow("a", [1])] * 4_001, 1, "dotproduct")


def test_distances_become_scores_that_grow():
    assert score_of(0.0, "euclidean") == 1.0
    assert score_of(4.0, "euclidean") > score_of(9.0, "euclidean")
    assert score_of(-0.5, "cosine") == -0.5
