"""The index in numpy beside the compiled one: the same answers and the same refusals, whatever is done to both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import MastraError, NativeUnsupported
from mastra.native.index import VectorIndex as Compiled

Load = Callable[[str], ModuleType]
DIM = 5
IDS = st.lists(st.integers(0, 12), min_size=0, max_size=6)
WHERE = st.none() | IDS | st.just("mask") | st.just("packed")
CHANGES = st.one_of(
    st.tuples(st.just("add"), st.none() | IDS, st.booleans(), st.integers(0, 2**32)),
    st.tuples(st.just("remove"), IDS, st.booleans(), st.just(0)),
    st.tuples(st.just("optimize"), st.none(), st.booleans(), st.just(0)),
    st.tuples(st.just("search"), WHERE, st.booleans(), st.integers(0, 2**32)),
    st.tuples(st.just("get"), IDS, st.booleans(), st.just(0)),
)


def outcome(index: Any, change: tuple[str, Any, bool, int]) -> Any:
    """What one call gives, or the type of what it raises."""
    verb, ids, flag, seed = change
    rng = np.random.default_rng(seed)
    try:
        if verb == "add":
            rows = 3 if ids is None else len(ids)
            return index.add(rng.normal(size=(rows, DIM)).astype(np.float32), ids, upsert=flag).tolist()
        if verb == "remove":
            return index.remove(ids, missing_ok=flag)
        if verb == "optimize":
            return index.optimize()
        if verb == "get":
            return index.get(ids).tolist()
        if ids in ("mask", "packed"):
            taken, used = index.slots()
            mask = used & (taken % 2 == 0)
            ids = mask if ids == "mask" else np.packbits(mask, bitorder="little")
        found, scores = index.search(rng.normal(size=(2, DIM)).astype(np.float32), 4, where=ids)
        return found.tolist(), np.round(scores, 4).tolist()
    except MastraError as error:
        return type(error)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return a[0] == b[0] and np.allclose(a[1], b[1], atol=2e-4)
    return bool(a == b)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@given(changes=st.lists(CHANGES, min_size=1, max_size=25))
def test_whatever_is_done_to_both_gives_the_same(load_fallback: Load, metric: str, changes: list[Any]) -> None:
    compiled = Compiled(DIM, metric=metric, storage="f32")
    twin = load_fallback("index").VectorIndex(DIM, metric=metric, storage="f32")
    for change in changes:
        expected, got = outcome(compiled, change), outcome(twin, change)
        assert same(expected, got), (change, expected, got)
        assert len(compiled) == len(twin)
        assert sorted(compiled.ids().tolist()) == sorted(twin.ids().tolist())
        assert all((number in compiled) == (number in twin) for number in range(14))
    assert set(compiled.stats()) == set(twin.stats())
    assert (twin.dim, twin.metric, twin.storage) == (compiled.dim, compiled.metric, compiled.storage)


ROWS = [
    np.full((2, 4), np.nan, np.float32), np.array([[1, 1, 1, 1], [1, np.inf, 1, 1]], np.float32),
    np.full((2, 4), 3e38, np.float32), np.zeros((2, 4), np.float32), np.ones((2, 4), np.int32),
    np.ones((2, 2, 4), np.float32), "text", None, [[1, 2], [1]], [], [[]], [1, 2, 3, 4], [[1.0, 2, 3, 4]],
    np.ones((2, 5)), np.ones((2, 4), ">f8"), np.ones((2, 4), np.float16), np.zeros((0, 4), np.float32), b"abcd",
    np.full((1, 4), 1e200), [["a", "b", "c", "d"]], [{}], (0.5, 0.5, 0.5, 0.5), {"a": 1}, 7,
]  # fmt: skip
NUMBERS = [
    None,
    3,
    [3],
    [-1],
    -1,
    2**64,
    2**64 - 1,
    [2**63],
    [1.5],
    "a",
    np.array([[1]]),
    [3, 3],
    np.array([7], "i2"),
    [],
]


def refusal(call: Callable[[], Any]) -> Any:
    try:
        return np.asarray(call()).shape
    except (MastraError, TypeError) as error:
        return type(error)


@pytest.mark.parametrize("rows", ROWS, ids=range(len(ROWS)))
@pytest.mark.parametrize("numbers", NUMBERS, ids=range(len(NUMBERS)))
def test_what_one_refuses_the_other_refuses(load_fallback: Load, rows: Any, numbers: Any) -> None:
    compiled, twin = Compiled(4), load_fallback("index").VectorIndex(4)
    for index in (compiled, twin):
        index.add(np.eye(4, dtype=np.float32))
    for call in (
        lambda index: index.add(rows, numbers),
        lambda index: index.search(rows, 2, where=numbers)[0],
        lambda index: index.remove(numbers),
        lambda index: index.get(numbers),
    ):
        expected, got = (refusal(lambda index=index, call=call: call(index)) for index in (compiled, twin))
        assert got == expected
        assert len(twin) == len(compiled)


@pytest.mark.parametrize(
    "arguments",
    [{"k": 0}, {"ef": 0}, {"ef": 10, "recall": 0.9}, {"recall": 1.5}, {"threads": 0}, {"where": np.ones(3, bool)},
     {"where": np.ones(9, np.uint8)}, {"where": [-1]}, {"where": np.ones((2, 2), bool)}, {"k": 2**62}, {"where": []}],
)  # fmt: skip
def test_a_search_is_judged_alike(load_fallback: Load, arguments: dict[str, Any]) -> None:
    found = []
    for kind in (Compiled, load_fallback("index").VectorIndex):
        index = kind(4)
        index.add(np.eye(4, dtype=np.float32))
        found.append(refusal(lambda index=index: index.search(np.ones(4, np.float32), **arguments)[0]))
    assert found[0] == found[1]


@pytest.mark.parametrize("arguments", [{"dim": 0}, {"dim": 10**6}, {"metric": "taxi"}, {"storage": "tape"}])
def test_an_index_that_cannot_be_is_refused_alike(load_fallback: Load, arguments: dict[str, Any]) -> None:
    asked = {"dim": 4, **arguments}
    found = [refusal(lambda kind=kind: len(kind(**asked))) for kind in (Compiled, load_fallback("index").VectorIndex)]
    assert found[0] == found[1]


def test_files_are_left_to_the_compiled_core(load_fallback: Load, tmp_path: Any) -> None:
    kind = load_fallback("index").VectorIndex
    with pytest.raises(NativeUnsupported, match="compiled core") as caught:
        kind(4).save(tmp_path / "a.index")
    assert "wheel" in str(caught.value.hint)
    with pytest.raises(NativeUnsupported):
        kind.open(tmp_path / "a.index")


def test_searches_run_while_another_thread_changes_the_index(load_fallback: Load) -> None:
    index = load_fallback("index").VectorIndex(8)
    rows = np.random.default_rng(1).normal(size=(400, 8)).astype(np.float32)
    index.add(rows[:200])
    wrong: list[Any] = []

    def ask() -> None:
        for _ in range(100):
            ids, scores = index.search(rows[:4], k=3)
            if ids.shape != (4, 3) or not np.isfinite(scores).all():
                wrong.append(ids)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(200, 400, 20):
        index.add(rows[start : start + 20], np.arange(start, start + 20))
        index.remove(np.arange(start - 100, start - 90))
    for thread in threads:
        thread.join()
    assert wrong == []
