"""Cache reads and writes against cachetools and functools.lru_cache, and hit rates on a Zipf trace.

Run: pytest bench/bench_cache.py --benchmark-only --benchmark-group-by=func  (pip install cachetools for the peer)
"""

from __future__ import annotations

import functools
import random

import pytest

from mastra.native.cache import Cache

cachetools = pytest.importorskip("cachetools")

ROOM = 2_000
KEYS = 20_000
random.seed(7)
WEIGHTS = [1 / (rank + 1) ** 0.9 for rank in range(KEYS)]
TRACE = [f"key:{number}" for number in random.choices(range(KEYS), WEIGHTS, k=100_000)]
PEERS = {
    "ours": lambda: Cache(max_entries=ROOM),
    "cachetools_lru": lambda: cachetools.LRUCache(ROOM),
    "cachetools_ttl": lambda: cachetools.TTLCache(ROOM, ttl=3600),
}


def replay(name):
    cache, hits = PEERS[name](), 0
    put = cache.set if name == "ours" else cache.__setitem__
    get = cache.get
    for key in TRACE:
        if get(key) is None:
            put(key, key)
        else:
            hits += 1
    return hits


def replay_function():
    @functools.lru_cache(maxsize=ROOM)
    def make(key):
        return key

    for key in TRACE:
        make(key)
    return make.cache_info().hits


@pytest.mark.parametrize("peer", [*PEERS, "functools_lru"])
def test_zipf_trace(benchmark, peer):
    run = replay_function if peer == "functools_lru" else functools.partial(replay, peer)
    hits = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info["hit_rate"] = round(hits / len(TRACE), 4)
    benchmark.extra_info["ns_per_request"] = round(benchmark.stats.stats.min / len(TRACE) * 1e9)


@pytest.mark.parametrize("peer", list(PEERS))
def test_hit(benchmark, peer):
    cache = PEERS[peer]()
    put = cache.set if peer == "ours" else cache.__setitem__
    keys = TRACE[:ROOM]
    for key in keys:
        put(key, key)
    kept = [key for key in keys if cache.get(key) is not None]
    get = cache.get
    benchmark(lambda: [get(key) for key in kept])
