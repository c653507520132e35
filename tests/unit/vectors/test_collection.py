"""One index in memory: filters by look-up."""

from typing import Any

import numpy as np
import pytest

from mastra.errors import NotFound
from mastra.vectors.collection import Collection


def filled() -> Collection:
    collection = Collection("c", 2, "cosine")
    for n in range(6):
        facts = {"kind": "ab"[n % 2], "n": n, "yes": n == 1}
        collection.put([(f"r{n}", np.array([1, n], dtype=np.float32), facts, None)])
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


def test_a_query_compares_few_where_look_ups_tell_which_rows_match():
    facts: list[dict[str, Any]] = [{"thread": f"t{n % 100}", "all": "x", "n": n} for n in range(1000)]
    held = Collection("c", 2, "cosine")
    for n, one in enumerate(facts):
        held.put([(f"r{n}", np.array([n + 1, 1], dtype=np.float32), one, None)])
    assert held.effort(None) == held.effort({"all": "x"}) == 2 * 1000 // 20
    assert held.effort({"thread": "t7"}) == held.effort({"thread": {"$in": ["t7"]}, "all": "x"}) == 2 * 10
    assert held.effort({"n": {"$gt": 5}}) == held.effort({"thread": "t7", "n": {"$gt": 5}}) == 2 * 1000
    found = held.query(np.array([1, 1], dtype=np.float32), 1000, {"all": "x"}, include_vector=False)
    assert {match.id for match in found} == {f"r{n}" for n in range(1000)}
