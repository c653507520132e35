"""BM25 over 20,000 documents beside bm25s and rank-bm25; picking by MMR and fusing rankings beside LangChain's.

Run: pytest bench/bench_text.py --benchmark-only  (pip install bm25s rank-bm25 langchain-classic for the peers)
"""

from __future__ import annotations

import random

import pytest

from mastra.native.text import Bm25Index, fuse_ranks, mmr

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


# Two hundred candidates of 384 numbers, twenty to pick; four rankings of fifty.
def vectors():
    np = pytest.importorskip("numpy")
    chance = np.random.default_rng(5)
    return chance.normal(size=384).astype("f4"), chance.normal(size=(200, 384)).astype("f4")


def ours_mmr():
    question, rows = vectors()
    return lambda: mmr(question, rows, 20)


def langchain_mmr():
    peer = pytest.importorskip("langchain_core.vectorstores.utils").maximal_marginal_relevance
    question, rows = vectors()
    return lambda: peer(question, list(rows), lambda_mult=0.5, k=20)


@pytest.mark.parametrize("make", [ours_mmr, langchain_mmr], ids=lambda make: make.__name__)
def test_mmr(benchmark, make):
    run = make()
    assert list(run()) == list(ours_mmr()())
    benchmark.pedantic(run, rounds=50, warmup_rounds=2)
    benchmark.extra_info["microseconds"] = round(benchmark.stats.stats.min * 1e6, 1)


RANKINGS = [RNG.sample(WORDS, 50) for _ in range(4)]


def ours_fusion():
    return lambda: [name for name, _ in fuse_ranks(RANKINGS)]


def langchain_fusion():
    ensemble = pytest.importorskip("langchain_classic.retrievers.ensemble").EnsembleRetriever
    document = pytest.importorskip("langchain_core.documents").Document
    peer = ensemble.model_construct(retrievers=[], weights=[1.0] * 4, c=60, id_key=None)  # it would ask for retrievers
    rankings = [[document(page_content=word) for word in ranking] for ranking in RANKINGS]
    return lambda: [found.page_content for found in peer.weighted_reciprocal_rank(rankings)]


@pytest.mark.parametrize("make", [ours_fusion, langchain_fusion], ids=lambda make: make.__name__)
def test_fusion(benchmark, make):
    run = make()
    assert run() == ours_fusion()()
    benchmark.pedantic(run, rounds=50, warmup_rounds=2)
    benchmark.extra_info["microseconds"] = round(benchmark.stats.stats.min * 1e6, 1)
