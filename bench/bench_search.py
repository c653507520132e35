"""Search and build of the vector index beside its peers, each at the smallest width that reaches the recall.

Run: pytest bench/bench_search.py -o python_files='bench_*.py' --benchmark-only --benchmark-group-by=group
Peers that are not installed are skipped: pip install hnswlib usearch faiss-cpu. `MASTRA_BENCH_BASE` and
`MASTRA_BENCH_QUERIES` name .npy files of your own vectors; without them 10,000 clustered rows are made up.
"""

# The peers' arguments are narrow, and what a builder returns is theirs.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import os
from functools import cache

import numpy as np
import pytest
from bench.bench_vectors import (
    WIDTHS,
    made_up,
    ours,
    recall_of,
    true_neighbours,
    with_faiss,
    with_hnswlib,
    with_usearch,
)

from mastra.native import exact_search

MAKERS = {
    "mastra": lambda base: ours(base, "cosine", "default"),
    "hnswlib": lambda base: with_hnswlib(base, "cosine"),
    "usearch": lambda base: with_usearch(base, "cosine", "bf16"),
    "faiss": lambda base: with_faiss(base, "cosine", "hnsw-sq8"),
}
every_library = pytest.mark.parametrize("library", MAKERS)


@cache
def vectors():
    base, queries = (os.environ.get(f"MASTRA_BENCH_{which}") for which in ("BASE", "QUERIES"))
    if base and queries:
        return np.load(base).astype(np.float32), np.load(queries).astype(np.float32)
    return made_up(10_000, 384)


@cache
def truth():
    return true_neighbours(*vectors(), "cosine")


@cache
def searcher(library):
    return MAKERS[library](vectors()[0])[0]


def make_or_skip(library):
    try:
        return searcher(library)
    except ImportError as error:
        pytest.skip(str(error))


def width_for(search, wanted):
    """The smallest width that reaches the recall, found between the two of `WIDTHS` around it."""

    def reached(width):
        return recall_of(np.asarray(search(vectors()[1], width)), truth()) >= wanted

    high = next((width for width in WIDTHS if reached(width)), None)
    if high is None:
        pytest.skip(f"recall {wanted} is not reached")
    low = max((width for width in WIDTHS if width < high), default=high - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


@every_library
@pytest.mark.parametrize("recall", [0.95, 0.99])
def test_batch(benchmark, library, recall):
    search, queries = make_or_skip(library), vectors()[1]
    width = width_for(search, recall)
    benchmark.group = f"a batch of {len(queries)} queries at recall {recall}"
    found = benchmark(search, queries, width)
    benchmark.extra_info["recall"] = recall_of(np.asarray(found), truth())


@every_library
def test_one_query(benchmark, library):
    search, queries = make_or_skip(library), vectors()[1]
    width = width_for(search, 0.95)
    benchmark.group = "one query at recall 0.95"
    benchmark(search, queries[:1], width)


@every_library
def test_build(benchmark, library):
    make_or_skip(library)
    benchmark.group = "build, two threads"
    benchmark.pedantic(MAKERS[library], args=(vectors()[0],), rounds=2)


def matrix_product(base, queries):
    best = np.argpartition(queries @ base.T, -10, axis=1)[:, -10:]
    return np.sort(best, axis=1)


@pytest.mark.parametrize("count", [1, 300], ids=["one", "batch"])
@pytest.mark.parametrize("library", ["mastra", "numpy"])
def test_exact(benchmark, library, count):
    base, queries = vectors()
    run = {
        "mastra": lambda asked: np.sort(exact_search(base, asked, 10, metric="dot")[0].astype(np.int64), axis=1),
        "numpy": lambda asked: matrix_product(base, asked),
    }[library]
    benchmark.group = f"exact search, {count} of {len(queries)} queries"
    found = benchmark(run, queries[:count])
    assert (found == matrix_product(base, queries[:count])).mean() > 0.999
