"""BM25 questions a second over 20,000 documents: ours, bm25s, rank-bm25, on the same words.

Run: pytest bench/bench_text.py --benchmark-only  (pip install bm25s rank-bm25 for the peers)
"""

from __future__ import annotations

import random

import pytest

from mastra.native.text import Bm25Index

RNG = random.Random(3)
WORDS = [f"w{number}" for number in range(20_000)]
DOCUMENTS = [[WORDS[int(RNG.paretovariate(0.6)) % 20_000] for _ in range(80)] for _ in range(20_000)]
QUESTIONS = [[WORDS[int(RNG.paretovariate(0.4)) % 20_000] for _ in range(4)] for _ in range(20)]


def ours():
    index = Bm25Index()
    for number, words in enumerate(DOCUMENTS):
        index.add_words(str(number), words)
    return lambda: [index.search_words(question, 10) for question in QUESTIONS]


def bm25s():
    peer = pytest.importorskip("bm25s").BM25(method="lucene", k1=1.2, b=0.75)
    peer.index(DOCUMENTS, show_progress=False)
    return lambda: [peer.retrieve([question], k=10, show_progress=False) for question in QUESTIONS]


def rank_bm25():
    peer = pytest.importorskip("rank_bm25").BM25Okapi(DOCUMENTS)
    names = list(range(len(DOCUMENTS)))
    return lambda: [peer.get_top_n(question, names, n=10) for question in QUESTIONS]


@pytest.mark.parametrize("make", [ours, bm25s, rank_bm25], ids=lambda make: make.__name__)
def test_questions(benchmark, make):
    run = make()
    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["microseconds_per_question"] = round(benchmark.stats.stats.min / len(QUESTIONS) * 1e6, 1)
