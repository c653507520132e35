"""Distances and exact search against numpy, over every kind of array a caller may hold."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mastra.errors import DimensionMismatch, NativeInvalidArgument
from mastra.native.distance import active_kernel, cosine, dot, exact_search, hamming, kernels, l2

floats = st.floats(-1e3, 1e3, width=32)
pairs = npst.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 80)), elements=floats)


@given(pairs)
def test_agrees_with_numpy_in_double_precision(rows):
    a, b = rows.astype(np.float64)
    # Below this a product of two floats is a denormal of single precision, or nothing.
    size = max(float(np.abs(a * b).sum() + a @ a + b @ b), 1e-30)
    assert dot(*rows) == pytest.approx(a @ b, rel=1e-5, abs=1e-6 * size)
    assert l2(*rows) == pytest.approx(((a - b) ** 2).sum(), rel=1e-5, abs=1e-6 * size)
    scale = np.sqrt(a @ a) * np.sqrt(b @ b)
    if scale > 1e-20:
        assert cosine(*rows) == pytest.approx(a @ b / scale, abs=1e-5)


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_any_float_of_any_byte_order_and_stride_will_do(dtype):
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(4, 30)).astype(dtype)
    view = wide[::2, ::3]
    view.flags.writeable = False
    plain = view.astype(np.float32)
    native = plain if dtype[1:] != "f2" else plain.astype(np.float16)
    assert l2(view[0], view[1]) == pytest.approx(l2(native[0], native[1]), rel=1e-3)


def test_rows_are_compared_in_pairs_or_with_one_vector():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 5, 16)).astype(np.float32)
    np.testing.assert_allclose(dot(a, b), (a * b).sum(1), rtol=1e-4)
    np.testing.assert_allclose(dot(a[0], b), b @ a[0], rtol=1e-4)


def test_integers_and_brain_floats_are_named_by_their_type():
    rng = np.random.default_rng(3)
    a, b = rng.integers(-128, 128, size=(2, 100)).astype(np.int8)
    assert dot(a, b) == (a.astype(int) * b).sum()
    x, y = rng.integers(0, 256, size=(2, 33)).astype(np.uint8)
    assert hamming(x, y) == np.unpackbits(x ^ y).sum()
    nibbles = sum(int(p) * int(q) for p, q in zip([*(x & 15), *(x >> 4)], [*(y & 15), *(y >> 4)], strict=True))
    assert dot(x, y, element="u4") == nibbles
    brain = (np.ones(8, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    assert dot(brain, brain, element="bf16") == 8.0


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        (np.ones(3, np.float32), np.ones(4, np.float32), DimensionMismatch),
        (np.ones(3, np.int64), np.ones(3, np.int64), NativeInvalidArgument),
        (np.ones(3, np.float32), np.ones(3, np.int8), NativeInvalidArgument),
        (np.ones((2, 2, 2), np.float32), np.ones(2, np.float32), NativeInvalidArgument),
        ("abc", np.ones(3, np.float32), NativeInvalidArgument),
        (np.array(1.0, np.float32), np.array(1.0, np.float32), NativeInvalidArgument),
        ([[1.0], [1.0, 2.0]], [[1.0]], NativeInvalidArgument),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, error):
    with pytest.raises(error):
        dot(a, b)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_exact_search_finds_what_sorting_finds(metric, count):
    rng = np.random.default_rng(4)
    base, queries = rng.normal(size=(700, 24)).astype(np.float32), rng.normal(size=(count, 24)).astype(np.float32)
    x, q = base.astype(np.float64), queries.astype(np.float64)
    if metric == "l2":
        full = ((q[:, None] - x[None]) ** 2).sum(2)
    else:
        full = -(q @ x.T)
        if metric == "cosine":
            full /= np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(x, axis=1)
    ids, scores = exact_search(base, queries, k=7, metric=metric, threads=2)
    assert ids.dtype == np.uint64
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(ids, np.argsort(full, axis=1)[:, :7])
    np.testing.assert_allclose(scores if metric == "l2" else -scores, np.sort(full, axis=1)[:, :7], rtol=1e-4)


def test_exact_search_answers_one_vector_with_one_row():
    base = np.eye(4, dtype=np.float32)
    ids, scores = exact_search(base, base[2], k=99)
    assert ids.tolist() == [2, 0, 1, 3]
    assert scores.shape == (4,)


def test_exact_search_over_nothing_gives_no_columns():
    ids, scores = exact_search(np.zeros((0, 4), np.float32), np.ones((3, 4), np.float32), k=5)
    assert ids.shape == scores.shape == (3, 0)


@pytest.mark.parametrize(
    "arguments", [{"k": 0}, {"k": -3}, {"threads": 0}, {"metric": "manhattan"}, {"queries": np.full(4, np.nan)}]
)
def test_exact_search_refuses_what_it_cannot_answer(arguments):
    known = {"base": np.ones((2, 4), np.float32), "queries": np.ones(4, np.float32), **arguments}
    with pytest.raises(NativeInvalidArgument):
        exact_search(known.pop("base"), known.pop("queries"), **known)


def test_the_active_kernel_is_the_first_of_those_that_run_here():
    assert kernels()[-1] == "scalar"
    assert active_kernel() == (os.environ.get("MASTRA_KERNEL") or kernels()[0])


def run_forced(name):
    code = "import mastra.native.distance as d; print(d.active_kernel(), d.dot([1.0, 2.0], [3.0, 4.0]))"
    env = {**os.environ, "MASTRA_KERNEL": name}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def test_a_kernel_can_be_forced_by_name():
    for name in kernels():
        assert run_forced(name).stdout.split() == [name, "11.0"]


def test_forcing_an_unknown_kernel_is_an_error():
    done = run_forced("abacus")
    assert done.returncode != 0
    assert "runs only" in done.stderr
