"""The vector index beside hnswlib, usearch, faiss and numpy: recall and queries a second, one run, one thread.

    python bench/bench_vectors.py --base base.npy --queries queries.npy [--metric cosine]
    python bench/bench_vectors.py --rows 100000 --dim 384          # made-up clustered data
    python bench/bench_vectors.py --rows 30000 --more              # filters, churn, the cost of a call

Peers that are not installed are left out: pip install hnswlib usearch faiss-cpu scann voyager.
"""

# ruff: noqa: PLC0415 - a peer is imported only when its turn comes
# Peers need not be installed, and type their arguments narrowly.
# pyright: reportMissingImports=false, reportMissingModuleSource=false, reportArgumentType=false

from __future__ import annotations

import argparse
import json
import time

import numpy as np

WIDTHS = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 450, 640]


def made_up(rows, dim, seed=0):
    """Clusters within clusters in few directions plus noise: roughly how text vectors lie."""
    rng = np.random.default_rng(seed)
    inner = min(dim, 48)
    lift = rng.normal(size=(inner, dim)) / np.sqrt(inner)
    centres = rng.normal(size=(300, inner))

    def draw(n):
        near = centres[rng.integers(0, 300, n)] + 0.8 * rng.normal(size=(n, inner))
        return (near @ lift + 0.25 * rng.normal(size=(n, dim)) / np.sqrt(dim) * np.sqrt(inner)).astype(np.float32)

    return draw(rows), draw(500)


def true_neighbours(base, queries, metric, k=10):
    from mastra.native import exact_search

    return exact_search(base, queries, k, metric=metric, threads=2)[0]


def recall_of(found, truth):
    hits = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True))
    return hits / truth.size


def measure(search, count, truth, repeats):
    points = []
    for width in WIDTHS:
        best = min(_timed(search, width) for _ in range(repeats))
        recall = recall_of(np.asarray(search(width)), truth)
        points.append((recall, count / best))
        if recall > 0.997:
            break
    return points


def _timed(search, width):
    start = time.perf_counter()
    search(width)
    return time.perf_counter() - start


def at_recall(points, wanted):
    """Queries a second at a recall, between the two measured points around it; None when it is not reached."""
    for i, (recall, rate) in enumerate(points):
        if recall >= wanted:
            if i == 0:
                return rate
            r0, q0 = points[i - 1]
            share = (wanted - r0) / max(recall - r0, 1e-9)
            return q0 * (rate / q0) ** share
    return None


def ours(base, metric, storage):
    from mastra.native import VectorIndex

    index = VectorIndex(base.shape[1], metric=metric, storage=storage)
    index.add(base, threads=2)
    return lambda queries, width: index.search(queries, 10, width)[0], index.stats()["bytes_per_vector"]


def with_hnswlib(base, metric):
    import hnswlib

    index = hnswlib.Index({"cosine": "cosine", "dot": "ip", "l2": "l2"}[metric], base.shape[1])
    index.init_index(len(base), M=16, ef_construction=200)
    index.add_items(base, num_threads=2)

    def search(queries, width):
        index.set_ef(width)
        return index.knn_query(queries, 10, num_threads=1)[0]

    return search, None


def with_usearch(base, metric, dtype="f32"):
    from usearch.index import Index

    index = Index(
        ndim=base.shape[1],
        metric={"cosine": "cos", "dot": "ip", "l2": "l2sq"}[metric],
        dtype=dtype,
        connectivity=16,
        expansion_add=200,
    )
    index.add(np.arange(len(base)), base, threads=2)

    def search(queries, width):
        index.expansion_search = width
        return index.search(queries, 10, threads=1).keys

    return search, None


def _unit(x, metric):
    return x / np.linalg.norm(x, axis=1, keepdims=True) if metric == "cosine" else x


def with_faiss(base, metric, kind):
    import faiss

    faiss.omp_set_num_threads(2)
    space = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    rows = np.ascontiguousarray(_unit(base, metric), np.float32)
    dim = base.shape[1]
    if kind == "hnsw-sq8":
        index = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, 16, space)
        index.hnsw.efConstruction = 200
    elif kind == "hnsw-flat":
        index = faiss.IndexHNSWFlat(dim, 16, space)
        index.hnsw.efConstruction = 200
    else:
        lists = int(4 * np.sqrt(len(base)))
        index = faiss.index_factory(dim, f"IVF{lists},PQ{dim // 2}x4fs,RFlat", space)
    index.train(rows)
    index.add(rows)

    def search(queries, width):
        faiss.omp_set_num_threads(1)
        asked = np.ascontiguousarray(_unit(queries, metric), np.float32)
        if kind == "ivf-pq4-refine":
            index.k_factor = 10
            faiss.extract_index_ivf(index.base_index).nprobe = max(1, width // 5)
        else:
            index.hnsw.efSearch = width
        return index.search(asked, 10)[1]

    return search, None


def with_scann(base, metric):
    import scann

    if metric == "l2":
        raise ImportError("built for products here")
    rows = np.ascontiguousarray(_unit(base, metric), np.float32)
    leaves = int(2 * np.sqrt(len(rows)))
    index = (
        scann.scann_ops_pybind.builder(rows, 10, "dot_product")
        .tree(leaves, 10, training_sample_size=len(rows))
        .score_ah(2, anisotropic_quantization_threshold=0.2)
        .reorder(100)
        .set_n_training_threads(2)
        .build()
    )

    def search(queries, width):
        asked = np.ascontiguousarray(_unit(queries, metric), np.float32)
        searched = max(1, width * leaves // 1000)
        return index.search_batched(asked, leaves_to_search=searched, pre_reorder_num_neighbors=max(30, width))[0]

    return search, None


def with_voyager(base, metric):
    from voyager import Index, Space

    index = Index(
        {"cosine": Space.Cosine, "dot": Space.InnerProduct, "l2": Space.Euclidean}[metric],
        base.shape[1],
        M=16,
        ef_construction=200,
    )
    index.add_items(base, num_threads=2)
    return lambda queries, width: index.query(queries, 10, num_threads=1, query_ef=width)[0], None


def filter_rates(base, queries):
    """Beside an exact scan of the allowed rows, their gathering included: queries a second, recall."""
    from mastra.native import VectorIndex, exact_search

    index = VectorIndex(base.shape[1])
    index.add(base, threads=2)
    side = base @ np.random.default_rng(0).normal(size=base.shape[1]).astype(np.float32)
    chance = np.random.default_rng(1).random(len(base))
    for share in (0.01, 0.1, 0.5):
        for kind, order in (("random", chance), ("correlated", side)):
            mask = order <= np.quantile(order, share)
            rows = np.flatnonzero(mask)

            def scan(asked, rows=rows):
                return rows[exact_search(base[rows], asked, 10)[0].astype(np.int64)]

            def ours(asked, mask=mask):
                return index.search(asked, 10, where=mask)[0]

            few = queries[:20]
            rates = [len(queries) / min(_timed(run, queries) for _ in range(3)) for run in (ours, scan)]
            single = [
                20 / min(_timed(lambda each, run=run: [run(q) for q in each], few) for _ in range(3))
                for run in (ours, scan)
            ]
            yield share, kind, recall_of(ours(queries), scan(queries)), *rates, *single


def churn(base, queries, metric):
    """Recall after three rounds in which a fifth is removed and added again, and of an index built afresh."""
    from mastra.native import VectorIndex

    rng = np.random.default_rng(0)
    index, fresh = VectorIndex(base.shape[1], metric=metric), VectorIndex(base.shape[1], metric=metric)
    fresh.add(base, threads=2)
    index.add(base, threads=2)
    truth = true_neighbours(base, queries, metric)
    for _ in range(3):
        gone = rng.choice(len(base), len(base) // 5, replace=False)
        index.remove(gone)
        index.add(base[gone], ids=gone, threads=2)
    return [
        (ef, *(recall_of(each.search(queries, 10, ef)[0], truth) for each in (index, fresh))) for ef in (20, 40, 80)
    ]


def call_cost(base):
    """Seconds of a call with a batch of one, and of one query of a large batch: what Python adds at most."""
    from mastra.native import VectorIndex

    index = VectorIndex(base.shape[1])
    index.add(base[:20_000], threads=2)
    batch = np.ascontiguousarray(np.repeat(base[:1], 20_000, axis=0))
    together = min(_timed(lambda b: index.search(b, 10, 10), batch) for _ in range(3)) / len(batch)
    query = base[0]

    def alone(times):
        for _ in range(times):
            index.search(query, 10, 10)

    return min(_timed(alone, 20_000) for _ in range(3)) / 20_000 - together


def exact_rates(base, queries, metric):
    from mastra.native import exact_search

    one = min(_timed(lambda _: exact_search(base, queries[0], 10, metric=metric), 0) for _ in range(5))
    batch = min(_timed(lambda _: exact_search(base, queries, 10, metric=metric), 0) for _ in range(2))
    rows = _unit(base, metric)
    product = min(_timed(lambda _: rows @ queries[0], 0) for _ in range(5))
    return {
        "exact one query, GB/s": base.nbytes / one / 1e9,
        "numpy base @ query, GB/s": base.nbytes / product / 1e9,
        "exact batch, GFLOP/s": 2 * base.size * len(queries) / batch / 1e9,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base")
    parser.add_argument("--queries")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--metric", default="cosine", choices=["cosine", "dot", "l2"])
    parser.add_argument("--only", default="", help="names to run, separated by commas; a part of a name is enough")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--more", action="store_true", help="filters, churn and the cost of a call instead of peers")
    given = parser.parse_args()
    if given.base:
        base, queries = (np.load(path).astype(np.float32) for path in (given.base, given.queries))
    else:
        base, queries = made_up(given.rows, given.dim)
    if given.more:
        print("filters: share, kind, recall, batch and one query a second, each beside the exact scan of the rows")
        for share, kind, recall, *rates in filter_rates(base, queries):
            print(f"{share:6.0%} {kind:12}{recall:8.3f}" + "".join(f"{rate:>12,.0f}" for rate in rates), flush=True)
        for ef, churned, fresh in churn(base, queries, given.metric):
            print(f"churn, ef {ef}: recall {churned:.4f}, built afresh {fresh:.4f}", flush=True)
        print(f"a call costs {call_cost(base) * 1e6:.2f} µs over a query of a batch")
        return
    truth = true_neighbours(base, queries, given.metric)
    runners = {
        "mastra default": lambda: ours(base, given.metric, "default"),
        "mastra compact": lambda: ours(base, given.metric, "compact"),
        "mastra f16": lambda: ours(base, given.metric, "f16"),
        "hnswlib": lambda: with_hnswlib(base, given.metric),
        "usearch f32": lambda: with_usearch(base, given.metric),
        "usearch bf16": lambda: with_usearch(base, given.metric, "bf16"),
        "faiss hnsw-sq8": lambda: with_faiss(base, given.metric, "hnsw-sq8"),
        "faiss hnsw-flat": lambda: with_faiss(base, given.metric, "hnsw-flat"),
        "faiss ivf-pq4-refine": lambda: with_faiss(base, given.metric, "ivf-pq4-refine"),
        "scann": lambda: with_scann(base, given.metric),
        "voyager": lambda: with_voyager(base, given.metric),
    }
    print(f"{len(base)} x {base.shape[1]} {given.metric}, {len(queries)} queries, one thread, k = 10")
    print(json.dumps({k: round(v, 1) for k, v in exact_rates(base, queries, given.metric).items()}))
    print(f"{'':22}{'build s':>9}{'B/vector':>10}{'@0.90':>10}{'@0.95':>10}{'@0.99':>10}")
    for name, make in runners.items():
        if given.only and not any(part in name for part in given.only.split(",")):
            continue
        start = time.perf_counter()
        try:
            search, size = make()
        except ImportError:
            continue
        built = time.perf_counter() - start
        points = measure(lambda width, run=search: run(queries, width), len(queries), truth, given.repeats)
        rates = "".join(
            f"{rate:>10,.0f}" if (rate := at_recall(points, r)) else f"{'-':>10}" for r in (0.9, 0.95, 0.99)
        )
        print(f"{name:22}{built:>9.1f}{size or float('nan'):>10.0f}{rates}", flush=True)


if __name__ == "__main__":
    main()
