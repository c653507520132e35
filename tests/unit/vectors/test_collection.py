"""One index in memory: filters by look-up."""

import numpy as np
import pytest

from mastra.errors import NotFound
from mastra.vectors.collection import Collection


def filled() -> Collection:
    collection = Collection("c", 2, "cosine")
    rows = [
        (f"r{n}", np.array([1, n], dtype=np.float32), {"kind": "ab"[n % 2], "n": n, "yes": n == 1}, None)
        for n in range(6)
    ]
    collection.put(rows)
    return collection


def test_true_is_not_one_in_a_look_up():
    collection = filled()
    assert collection.matching({"n": 1}) == ["r1"]
    assert collection.matching({"n": 1.0}) == ["r1"]
    assert collection.matching({"n": True}) == []
    assert collection.matching({"yes": True}) == ["r1"]


def test_a_field_that_ever_held_a_list_is_looked_at_row_by_row():
    collection = filled()
    collection.put([("l", np.array([1, 1], dtype=np.float32), {"kind": ["a", "x"]}, None)])
    assert collection.matching({"kind": "a"}) == ["r0", "r2", "r4", "l"]


def test_replaced_and_removed_rows_leave_the_look_up():
    collection = filled()
    collection.put([("r0", np.array([1, 1], dtype=np.float32), {"kind": "z"}, "text")])
    assert collection.remove(["r2", "r2", "nobody"]) == 1
    assert collection.matching({"kind": "a"}) == ["r4"]
    assert collection.matching({"$and": [{"kind": {"$in": ["z", "a"]}}, {"n": {"$exists": False}}]}) == ["r0"]
    with pytest.raises(NotFound):
        collection.row("r2")
