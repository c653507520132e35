"""The vector index beside an exact numpy answer: adding, searching, filtering, removing, saving, refusing."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from mastra.errors import (
    DimensionMismatch,
    NativeAlreadyExists,
    NativeCorrupt,
    NativeInvalidArgument,
    NativeIo,
    NativeNotFound,
)
from mastra.native.index import VectorIndex

DIM = 32
METRICS = ["cosine", "dot", "l2"]
STORAGES = ["default", "compact", "f16", "f32"]


def clustered(rows, dim=DIM, seed=1):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(40, dim)) * 2
    return (centres[rng.integers(0, 40, rows)] + rng.normal(size=(rows, dim))).astype(np.float32)


def exact(base, queries, k, metric):
    x, q = base.astype(np.float64), queries.astype(np.float64)
    if metric == "l2":
        score = -((q[:, None] - x[None]) ** 2).sum(2)
    else:
        score = q @ x.T
        if metric == "cosine":
            score /= np.linalg.norm(x, axis=1) * np.linalg.norm(q, axis=1)[:, None]
    return score, np.argsort(-score, axis=1)[:, :k]


def recall(found, scores, k):
    """The share of answers at least as good as the true k-th: duplicates stand for each other."""
    bars = np.sort(scores, axis=1)[:, -k] - 1e-6
    got = np.take_along_axis(scores, found.astype(np.int64), axis=1)
    return (got >= bars[:, None]).mean()


@pytest.fixture(scope="module")
def base():
    return clustered(3000)


@pytest.fixture(scope="module")
def filled(base):
    index = VectorIndex(DIM)
    index.add(base, threads=2)
    return index


@pytest.fixture(scope="module")
def queries():
    return clustered(60, seed=2)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", STORAGES)
def test_default_settings_find_the_neighbours(base, queries, metric, storage):
    index = VectorIndex(DIM, metric=metric, storage=storage)
    given = index.add(base, threads=2)
    assert given.tolist() == list(range(3000))
    scores, _ = exact(base, queries, 10, metric)
    ids, got = index.search(queries, k=10)
    assert ids.shape == got.shape == (60, 10)
    assert recall(ids, scores, 10) > (0.9 if storage == "compact" else 0.95)
    want = np.take_along_axis(scores, ids.astype(np.int64), axis=1) * (-1 if metric == "l2" else 1)
    scale = np.abs(want).max()
    np.testing.assert_allclose(got, want, atol=(0.08 if storage == "compact" else 3e-3) * scale)
    assert (np.diff(got, axis=1) * (1 if metric == "l2" else -1) >= 0).all()


@pytest.mark.parametrize("rows", [1, 9, 1023, 1024, 1300])
def test_every_size_answers_from_the_first_row_on(rows):
    data = clustered(rows, seed=3)
    index = VectorIndex(DIM, metric="l2")
    for start in range(0, rows, 400):
        index.add(data[start : start + 400])
    ids, scores = index.search(data[0], k=10)
    assert len(ids) == min(10, rows)
    assert ids[0] == 0
    assert scores[0] < 1e-2
    assert len(set(ids.tolist())) == len(ids)


def test_one_row_at_a_time_is_as_good_as_a_batch(queries):
    data = clustered(2200, seed=4)
    index = VectorIndex(DIM)
    index.add(data[:1200])
    for i, row in enumerate(data[1200:], 1200):
        index.add(row, ids=[i])
    scores, _ = exact(data, queries, 10, "cosine")
    assert recall(index.search(queries, ef=64)[0], scores, 10) > 0.95


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("kind", ["random", "correlated"])
@pytest.mark.parametrize("form", ["mask", "packed", "ids"])
def test_filters_keep_their_recall(filled, base, queries, share, kind, form):
    rng = np.random.default_rng(5)
    order = base @ rng.normal(size=DIM) if kind == "correlated" else rng.random(len(base))
    mask = order <= np.quantile(order, share)
    where = {"mask": mask, "packed": np.packbits(mask, bitorder="little"), "ids": np.flatnonzero(mask)}[form]
    ids, _ = filled.search(queries, k=10, where=where)
    assert mask[ids.astype(np.int64)].all()
    scores, _ = exact(base, queries, 10, "cosine")
    scores[:, ~mask] = -np.inf
    assert recall(ids, scores, 10) >= 0.95


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", STORAGES)
def test_one_query_and_a_batch_answer_the_same_under_a_filter(base, queries, metric, storage):
    index = VectorIndex(DIM, metric=metric, storage=storage)
    index.add(base)
    index.remove(np.arange(0, 3000, 7))
    mask = np.random.default_rng(3).random(3000) < 0.1
    ids, scores = index.search(queries, k=10, where=mask)
    assert mask[ids.astype(np.int64)].all()
    assert not (ids % 7 == 0).any()
    alone = [index.search(query, k=10, where=mask) for query in queries]
    assert np.mean(np.stack([found for found, _ in alone]) == ids) > 0.97  # rows that tie may change places
    np.testing.assert_allclose(np.stack([score for _, score in alone]), scores, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("slots", [1, 7, 8, 9, 63, 64, 65, 130])
def test_a_mask_is_read_bit_by_bit_whatever_its_length_and_layout(slots):
    index = VectorIndex(4, metric="l2")
    index.add(np.arange(4 * slots, dtype=np.float32).reshape(slots, 4))
    mask = np.random.default_rng(slots).random(slots) < 0.5
    want = np.flatnonzero(mask).tolist()
    spread = np.zeros(2 * slots, bool)
    spread[::2] = mask
    other_true = (mask * np.uint8(3)).view(bool)  # any byte but 0 is true
    for where in (mask, spread[::2], other_true, np.packbits(mask, bitorder="little")):
        assert sorted(index.search(np.zeros(4, np.float32), k=slots, where=where)[0].tolist()) == want


def test_a_filter_that_lets_few_through_gives_few_columns(filled, queries):
    index = filled
    ids, scores = index.search(queries, k=10, where=[5, 7, 99999])
    assert ids.shape == (60, 2)
    assert set(ids.ravel().tolist()) == {5, 7}
    assert index.search(queries, k=10, where=np.zeros(3000, bool))[0].shape == (60, 0)
    assert index.search(queries, k=10, where=[])[1].shape == (60, 0)
    assert scores.shape == (60, 2)


@pytest.mark.parametrize("seed", range(5))
def test_churn_keeps_recall_and_never_gives_a_removed_id(queries, seed):
    rng = np.random.default_rng(100 + seed)
    data = clustered(4000, seed=7 + seed)
    index = VectorIndex(DIM)
    index.add(data, ids=np.arange(4000))
    for _ in range(3):
        gone = rng.choice(4000, 800, replace=False)
        assert index.remove(gone) == 800
        assert len(index) == 3200
        ids, _ = index.search(queries, k=20, ef=64)
        assert not np.isin(ids, gone).any()
        index.add(data[gone], ids=gone)
    fresh = VectorIndex(DIM)
    fresh.add(data)
    queries = clustered(500, seed=50 + seed)  # enough for half a point to mean something
    scores, _ = exact(data, queries, 10, "cosine")
    for ef in (20, 40):
        churned, built = (recall(i.search(queries, ef=ef)[0], scores, 10) for i in (index, fresh))
        assert churned >= built - 0.005
    assert index.stats()["slots"] <= 4800
    index.remove(np.arange(2000))
    index.optimize()
    assert index.stats()["slots"] == len(index) == 2000
    assert sorted(index.ids().tolist()) == list(range(2000, 4000))
    assert recall(index.search(queries, ef=64)[0] - 2000, scores[:, 2000:], 10) > 0.95


def test_upsert_replaces_and_a_plain_add_refuses_a_known_id():
    index = VectorIndex(2, metric="l2")
    index.add([[0.0, 1.0], [1.0, 0.0]], ids=[7, 8])
    with pytest.raises(NativeAlreadyExists):
        index.add([[9.0, 9.0], [5.0, 5.0]], ids=[1, 7])
    assert 1 not in index
    index.add([[5.0, 5.0]], ids=[7], upsert=True)
    assert len(index) == 2
    np.testing.assert_array_equal(index.get(7), [5.0, 5.0])
    assert index.search([5.0, 5.0], k=1)[0].tolist() == [7]


def test_ids_that_are_left_out_follow_the_largest():
    index = VectorIndex(2)
    assert index.add([1.0, 2.0], ids=41).tolist() == [41]
    assert index.add([[1.0, 2.0], [2.0, 1.0]]).tolist() == [42, 43]
    index.remove([43])
    assert index.add([2.0, 1.0]).tolist() == [44]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("mmap", [True, False])
def test_a_saved_index_opens_and_answers_the_same(tmp_path, base, queries, metric, storage, mmap):
    index = VectorIndex(DIM, metric=metric, storage=storage)
    index.add(base)
    index.remove([1, 2, 3])
    index.save(tmp_path / "i.mv")
    again = VectorIndex.open(tmp_path / "i.mv", mmap=mmap)
    for a, b in zip(index.search(queries, ef=50), again.search(queries, ef=50), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(index.get([5, 9]), again.get([5, 9]))
    again.add(base[:3], ids=[1, 2, 3])
    assert len(again) == 3000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i.mv", "i.mv.log"]


@pytest.mark.parametrize("rows", [0, 5, 2000])
def test_what_was_acknowledged_after_opening_is_there_after_a_crash(tmp_path, rows):
    path = tmp_path / "i.mv"
    index = VectorIndex(DIM)
    data = clustered(rows + 20, seed=8)
    if rows:
        index.add(data[:rows])
    index.save(path)
    opened = VectorIndex.open(path)
    opened.add(data[rows : rows + 10])
    opened.add(data[rows + 10 :], ids=np.arange(10) + 10**12)
    opened.remove([10**12 + 3])
    again = VectorIndex.open(path, read_only=True)  # the other never closed or saved
    assert sorted(again.ids().tolist()) == sorted(opened.ids().tolist())
    opened.save(path)
    with pytest.raises(NativeIo, match="open for writing already"):
        VectorIndex.open(path)
    assert sorted(VectorIndex.open(path, read_only=True).ids().tolist()) == sorted(again.ids().tolist())
    previous = VectorIndex.open(str(path) + ".prev", read_only=True)
    assert sorted(previous.ids().tolist()) == sorted(again.ids().tolist())


def test_saving_over_another_index_does_not_take_its_log(tmp_path):
    path = tmp_path / "i.mv"
    VectorIndex(2).save(path)
    VectorIndex.open(path).add([1.0, 0.0], ids=[5])
    other = VectorIndex(2)
    other.add([0.0, 1.0], ids=[6])
    other.save(path)
    assert VectorIndex.open(path).ids().tolist() == [6]


def test_a_read_only_index_refuses_changes(tmp_path):
    VectorIndex(2).save(tmp_path / "i")
    index = VectorIndex.open(tmp_path / "i", read_only=True)
    with pytest.raises(NativeInvalidArgument):
        index.add([1.0, 2.0])
    assert not (tmp_path / "i.log").exists()


def test_opening_what_is_not_there_names_the_file(tmp_path):
    with pytest.raises(NativeNotFound, match=r"nothing\.mv"):
        VectorIndex.open(tmp_path / "nothing.mv")
    (tmp_path / "text").write_text("no index" * 1000)
    with pytest.raises(NativeCorrupt, match="offset 0"):
        VectorIndex.open(tmp_path / "text")


BAD_ROWS = [
    np.full((2, 4), np.nan, np.float32),
    np.array([[1, 1, 1, 1], [1, np.inf, 1, 1]], np.float32),
    np.full((2, 4), 3e38, np.float32),
    np.zeros((2, 4), np.float32),
    np.ones((2, 4), np.int32),
    np.ones((2, 2, 4), np.float32),
    "text",
    None,
]


@pytest.mark.parametrize("rows", BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_refused_batch_changes_nothing(rows):
    index = VectorIndex(4)
    index.add([[1.0, 0.0, 0.0, 0.0]])
    with pytest.raises(NativeInvalidArgument):
        index.add(rows)
    assert len(index) == 1
    assert index.add([0.0, 1.0, 0.0, 0.0]).tolist() == [1]


def test_wrong_arguments_are_refused_by_name():
    index = VectorIndex(4)
    index.add(np.eye(4, dtype=np.float32))
    with pytest.raises(DimensionMismatch):
        index.add(np.ones((1, 5), np.float32))
    with pytest.raises(DimensionMismatch):
        index.search(np.ones(3, np.float32))
    with pytest.raises(NativeNotFound):
        index.remove([0, 77])
    assert len(index) == 4
    assert index.remove([0, 77], missing_ok=True) == 1
    with pytest.raises(NativeNotFound):
        index.get([0])
    wrong: list[dict[str, Any]] = [
        {"k": 0},
        {"ef": 0},
        {"ef": 10, "recall": 0.9},
        {"recall": 1.5},
        {"threads": 0},
        {"where": np.ones(3, bool)},
        {"where": np.ones(9, np.uint8)},
        {"where": [-1]},
        {"where": np.ones((2, 2), bool)},
    ]
    for arguments in wrong:
        with pytest.raises(NativeInvalidArgument):
            index.search(np.ones(4, np.float32), **arguments)
    for arguments in ({"dim": 0}, {"dim": 10**6}, {"metric": "taxi"}, {"storage": "tape"}):
        with pytest.raises(NativeInvalidArgument):
            VectorIndex(**{"dim": 4, **arguments})
    with pytest.raises(NativeInvalidArgument):
        index.add(np.eye(4, dtype=np.float32)[:2], ids=[5, 5])
    with pytest.raises(NativeInvalidArgument):
        index.add(np.eye(4, dtype=np.float32)[:2], ids=[5])


def test_huge_k_empty_batches_and_foreign_byte_orders_work():
    index = VectorIndex(4, metric="dot")
    assert index.search(np.ones(4, np.float32))[0].shape == (0,)
    assert index.search(np.ones((3, 4), np.float32))[0].shape == (3, 0)
    assert index.add(np.zeros((0, 4), np.float32)).shape == (0,)
    index.add(np.eye(4, dtype=">f8"))
    ids, scores = index.search(np.array([4, 3, 2, 1], ">f2"), k=2**62)
    assert ids.tolist() == [0, 1, 2, 3]
    assert scores.tolist() == [4, 3, 2, 1]


def test_the_zero_vector_is_accepted_only_when_asked_for():
    index = VectorIndex(2, allow_zero=True)
    index.add([[0.0, 0.0], [1.0, 1.0]])
    ids, scores = index.search([1.0, 1.0], k=2)
    assert ids.tolist() == [1, 0]
    assert scores.tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("storage", STORAGES)
def test_under_cosine_rows_may_have_any_length(storage, size, tmp_path):
    data = clustered(1200, seed=9) * np.float32(size)
    index = VectorIndex(DIM, storage=storage)
    index.add(data)
    index.optimize()
    scores, _ = exact(data[:, :], data[:100], 10, "cosine")
    index.save(tmp_path / "i.mv")
    for each in (index, VectorIndex.open(tmp_path / "i.mv")):
        assert recall(each.search(data[:100], ef=100)[0], scores - 1e-3, 10) > 0.95
        scale = np.abs(data).max()
        np.testing.assert_allclose(
            each.get(np.arange(50)), data[:50], atol=(0.05 if storage == "compact" else 5e-3) * scale
        )


def shapes(rows, dim, seed):
    """Data that one grid or one calibration could get wrong, by name."""
    rng = np.random.default_rng(seed)
    normal = lambda *size: rng.normal(size=size).astype(np.float32)
    sparse = np.zeros((rows, dim), np.float32)
    for column in range(3):
        sparse[np.arange(rows), rng.integers(0, dim, rows)] = 1.0 + column
    centres = normal(40, dim) * 2
    wide = centres[rng.integers(0, 40, rows)] + normal(rows, dim)
    huge = normal(rows, dim)
    huge[:, :3] *= 100
    drift = normal(rows, dim)
    drift[rows // 2 :] = drift[rows // 2 :] * 20 + 50
    half_equal = wide.copy()
    half_equal[rows // 4 : rows // 2] = wide[0]
    return {
        "uniform": rng.random((rows, dim)).astype(np.float32),
        "sparse": sparse,
        "one-hot": np.eye(dim, dtype=np.float32)[rng.integers(0, dim, rows)],
        "binary": (rng.random((rows, dim)) < 0.5).astype(np.float32),
        "clusters": wide,
        "tight clusters": centres[rng.integers(0, 40, rows)] + np.float32(0.05) * normal(rows, dim),
        "duplicates": np.repeat(wide[: rows // 20], 20, axis=0),
        "a quarter is one row": half_equal,
        "huge dimensions": huge,
        "heavy tails": rng.standard_t(1.5, size=(rows, dim)).astype(np.float32),
        "many lengths": normal(rows, dim) * np.exp(1.5 * normal(rows, 1)),
        "far from zero": normal(rows, dim) + 30,
        "all equal": np.ones((rows, dim), np.float32),
        "drift": drift,
    }


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", [0, 11, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
@pytest.mark.parametrize("shape", shapes(20, 4, 0))
def test_recall_at_default_settings_holds_on_all_shapes_of_data(shape, seed, metric):
    data = np.random.default_rng(seed).permutation(shapes(3100, 48, seed)[shape]) if shape != "drift" else (
        shapes(3100, 48, seed)[shape])  # fmt: skip
    held = data[::31]
    data = np.delete(data, np.s_[::31], axis=0)
    rng = np.random.default_rng(seed)
    near = data[::30] + np.float32(0.01 * data.std()) * rng.normal(size=data[::30].shape).astype("f4")
    strange = (rng.normal(size=near.shape) * max(1.0, data.std())).astype(np.float32)
    # Twelve bits do not always order rows whose lengths differ by orders of magnitude; sixteen do.
    uneven = {"heavy tails": 0.5, "many lengths": 0.8}.get(shape)
    for storage in ("default",) if uneven is None else ("default", "f16"):
        index = VectorIndex(48, metric=metric, storage=storage)
        for start in range(0, len(data), 1100):
            index.add(data[start : start + 1100], threads=2)
        known = uneven if storage == "default" else None
        # Among such rows many lie as far from the others as a strange query does: it is not told from them.
        far = 0.88 if uneven is None else min(uneven, 0.6)
        for queries, least in ((held, known or 0.9), (near, known or 0.9), (strange, far)):
            scores, _ = exact(data, queries, 10, metric)
            assert recall(index.search(queries)[0], scores - 1e-6 * np.abs(scores), 10) >= least, storage


@pytest.mark.parametrize("wanted", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("seed", range(3))
def test_the_recall_asked_for_is_the_recall_given(wanted, seed):
    data = shapes(6200, 48, seed)["clusters"]
    index = VectorIndex(48)
    index.add(data[:6000], threads=2)
    scores, _ = exact(data[:6000], data[6000:], 10, "cosine")
    assert recall(index.search(data[6000:], recall=wanted)[0], scores, 10) >= wanted - 0.015


def test_searches_run_while_another_thread_changes_the_index(base):
    index = VectorIndex(DIM)
    index.add(base[:1500])
    stop = threading.Event()
    failures = []

    def search():
        while not stop.is_set():
            ids, _ = index.search(base[:8], k=5)
            if ids.shape != (8, 5) or (ids[:, 0] >= 3000).any():
                failures.append(ids)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(1500, 3000, 100):
        new = index.add(base[start : start + 100], ids=np.arange(start, start + 100))
        got, _ = index.search(base[start : start + 100], k=10)
        found = (got == new[:, None]).any(axis=1).mean()
        if found < 0.99:
            failures.append(found)
        index.remove(np.arange(start - 100, start - 50))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_statistics_tell_where_the_memory_goes(filled):
    stats = filled.stats()
    assert stats["rows"] == stats["slots"] == 3000
    assert stats["total_bytes"] == sum(stats["bytes"].values())
    assert set(stats["bytes"]) == {"codes", "residuals", "vectors", "links", "ids", "other"}
