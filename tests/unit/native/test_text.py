"""Words, BM25, fused ranks and diverse picks are what their definitions say."""

# pyright: reportArgumentType=false
# Wrong arguments are given on purpose, and numpy calls its arrays buffers from Python 3.12 on only.

import math
import random
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import DimensionMismatch, NativeInvalidArgument
from mastra.native.memory import memory_counts
from mastra.native.text import Bm25Index, fuse_ranks, mmr, tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't STOP, 2 times!", ["don", "t", "stop", "2", "times"]),
        ("Grüße naïve cafe\u0301 Straße ÅNGSTRÖM", ["grusse", "naive", "cafe", "strasse", "angstrom"]),
        ("\uff26\uff35\uff2c\uff2c get_weather(x3)", ["full", "get", "weather", "x3"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("a東b 東", ["a", "東", "b", "東"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("हिन्दी", ["हिन्दी"]),
        ("\x00 - \u2028🙂", []),
        ("", []),
    ],
)
def test_words_are_folded_in_any_script(text, words):
    assert tokenize(text) == words


@given(st.text())
def test_any_text_has_words_without_capitals_and_the_same_ones_twice(text):
    words = tokenize(text)
    assert tokenize(text.replace(" ", "  ")) == words
    assert all(tokenize(word) == [word] or len(word) <= 2 for word in words)


def reference(documents, question, k1=1.2, b=0.75):
    """The formula, one document after the other."""
    counted = {name: Counter(words) for name, words in documents.items()}
    average = sum(map(len, documents.values())) / len(documents)
    scores = {}
    for name, words in documents.items():
        score = 0.0
        for word in question:
            n = sum(word in counts for counts in counted.values())
            if n:
                idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
                tf = counted[name][word]
                score += idf * tf / (tf + k1 * (1 - b + b * len(words) / average))
        if score > 0:
            scores[name] = score
    return scores


DOCUMENT = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | DOCUMENT), min_size=1, max_size=30), DOCUMENT)
def test_scores_are_exact_after_any_additions_replacements_and_removals(changes, question):
    index, documents = Bm25Index(), {}
    for number, words in changes:
        if words is None:
            assert index.remove(str(number)) == (documents.pop(str(number), None) is not None)
        else:
            index.add_words(str(number), words)
            documents.pop(str(number), None)
            documents[str(number)] = words
    assert len(index) == len(documents)
    assert index.vocabulary >= len({word for words in documents.values() for word in words})
    found = dict(index.search_words(question, 100))
    expected = reference(documents, question) if documents else {}
    assert found.keys() == expected.keys()
    for name, score in expected.items():
        assert found[name] == pytest.approx(score, rel=1e-4)


def test_the_same_scores_as_bm25s():
    bm25s = pytest.importorskip("bm25s")
    rng = random.Random(3)
    words = [f"w{number}" for number in range(300)]
    documents = [[words[int(rng.paretovariate(0.7)) % 300] for _ in range(rng.randint(3, 60))] for _ in range(400)]
    peer = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    peer.index(documents, show_progress=False)
    index = Bm25Index()
    for number, document in enumerate(documents):
        index.add_words(str(number), document)
    for _ in range(20):
        question = rng.sample(words, 3)
        theirs = peer.get_scores(question)
        for name, score in index.search_words(question, 400):
            assert score == pytest.approx(float(theirs[int(name)]), rel=1e-3)


def test_many_removals_are_swept_out_and_give_their_memory_back():
    before = memory_counts()["text"]["live"]
    index = Bm25Index()
    for number in range(2_000):
        index.add(str(number), f"common word{number} rare{number % 7}")
    for number in range(1_900):
        index.remove(str(number))
    assert len(index) == 100
    assert index.vocabulary < 400
    assert [name for name, _ in index.search("word1950")] == ["1950"]
    assert "1899" not in index
    assert "1900" in index
    assert len(index.search("common", 1_000)) == 100
    index.clear()
    assert len(index) == 0
    assert index.search("common") == []
    del index
    assert memory_counts()["text"]["live"] == before


def test_only_asked_for_documents_are_found_and_ties_keep_their_order():
    index = Bm25Index()
    for name in ("b", "a", "c"):
        index.add(name, "same text")
    assert [name for name, _ in index.search("text")] == ["b", "a", "c"]
    assert [name for name, _ in index.search("text", 2)] == ["b", "a"]
    assert [name for name, _ in index.search("text", only={"c", "a"})] == ["a", "c"]
    assert index.search("text", 0) == []


def test_searches_and_changes_run_beside_each_other():
    index, wrong = Bm25Index(), []
    for number in range(200):
        index.add(str(number), f"alpha beta{number}")

    def change():
        for number in range(500):
            index.add(str(number % 200), f"alpha gamma{number}")
            index.remove(str((number * 7) % 200))

    def ask():
        for _ in range(300):
            hits = index.search("alpha", 10)
            if [score for _, score in hits] != sorted((score for _, score in hits), reverse=True):
                wrong.append(hits)

    threads = [threading.Thread(target=work) for work in (change, ask, ask, change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("wrong", [{"k1": -1}, {"b": 1.1}, {"b": -0.1}, {"k1": float("nan")}, {"k1": float("inf")}])
def test_parameters_that_cannot_be_are_refused(wrong):
    with pytest.raises(NativeInvalidArgument):
        Bm25Index(**wrong)


def test_ranks_are_fused_by_their_reciprocals():
    assert fuse_ranks([["a", "b", "c"], ["c", "a"]]) == [
        ("a", pytest.approx(1 / 61 + 1 / 62)),
        ("c", pytest.approx(1 / 63 + 1 / 61)),
        ("b", pytest.approx(1 / 62)),
    ]
    assert fuse_ranks([["a", "a", "b"]], k=0) == [("a", 1.0), ("b", 0.5)]
    assert fuse_ranks([["a"], ["b"]], weights=[1, 3])[0][0] == "b"
    assert fuse_ranks([]) == []
    assert fuse_ranks(iter([(1, None), iter([None])])) == [(None, pytest.approx(1 / 62 + 1 / 61)), (1, 1 / 61)]
    for wrong in (
        {"weights": [1]},
        {"weights": [1, -1]},
        {"k": -1},
        {"k": float("nan")},
        {"weights": [1, float("inf")]},
    ):
        with pytest.raises(NativeInvalidArgument):
            fuse_ranks([["a"], ["b"]], **wrong)


@pytest.mark.parametrize("wrong", [[[["a"]]], [1], 5])
def test_what_cannot_be_ranked_is_refused(wrong):
    with pytest.raises(TypeError):
        fuse_ranks(wrong)


RANKINGS = st.lists(st.tuples(st.lists(st.integers(0, 9)), st.floats(0, 5)), max_size=4)


@given(RANKINGS, st.floats(0, 100))
def test_fused_ranks_are_those_of_the_definition(weighted, k):
    sums = {}
    for ranking, weight in weighted:
        for rank, item in enumerate(dict.fromkeys(ranking), start=1):
            sums[item] = sums.get(item, 0.0) + weight / (k + rank)
    expected = sorted(sums.items(), key=lambda pair: -pair[1])
    assert fuse_ranks([ranking for ranking, _ in weighted], weights=[weight for _, weight in weighted], k=k) == expected


def picked_by_definition(question, vectors, k, balance):
    def unit(rows):
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
        return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)

    rows, asked, out = unit(vectors.astype(float)), unit(question.astype(float)), []
    while len(out) < min(k, len(rows)):
        scores = {
            row: balance * rows[row] @ asked
            - (1 - balance) * max((rows[row] @ rows[other] for other in out), default=0)
            for row in range(len(rows))
            if row not in out
        }
        out.append(max(scores, key=lambda row: scores[row]))
    return out


@pytest.mark.parametrize("balance", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_diverse_picks_follow_the_definition(balance):
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(40, 33)).astype(np.float32)
    question = rng.normal(size=33).astype(np.float32)
    assert mmr(question, vectors, 12, balance=balance) == picked_by_definition(question, vectors, 12, balance)


def test_a_copy_of_what_was_picked_comes_last():
    vectors = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 0]], np.float32)
    assert mmr(np.array([1, 0.1], np.float32), vectors, 9, balance=0.5)[:2] == [0, 2]


def test_what_cannot_be_picked_from_is_refused():
    good = np.ones((3, 4), np.float32)
    with pytest.raises(DimensionMismatch):
        mmr(np.ones(5, np.float32), good, 1)
    for question, vectors, options in (
        (np.ones(4), good, {}),
        (good[0], good.astype(np.float64), {}),
        (good[0], np.asfortranarray(np.ones((4, 4), np.float32)), {}),
        (good[0], good, {"balance": 1.5}),
        (good[0], good * np.float32(np.inf), {}),
    ):
        with pytest.raises(NativeInvalidArgument):
            mmr(question, vectors, 1, **options)
    assert mmr(good[0], good[:0], 3) == []
