"""Embedding and ranking by words: deterministic, of unit length, near where words are shared."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition, InvalidInput
from mastra.providers.lexical import LexicalEmbedder, LexicalReranker, words_of
from mastra.runtime.models import resolve_embedder, resolve_reranker

TEXTS = ["Oslo is the capital of Norway.", "The cat sleeps on the sofa.", "Paris is the capital of France.",
         "Cats like to sleep.", "東京は日本の首都です。"]  # fmt: skip
ASKED = ["京都", "日本の首都", "cut \ud83d"]  # the last ends in half a character


def dot(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


@given(st.text(min_size=1).filter(str.strip))
def test_every_text_has_a_vector_of_unit_length(text):
    assert math.isclose(dot(*[LexicalEmbedder("64").vector(text)] * 2), 1.0, rel_tol=1e-9)


async def test_texts_with_words_in_common_are_near():
    found = await resolve_embedder("lexical/512").embed([*TEXTS, "capital of Norway", "sleeping cat", "日本の首都"])
    documents, questions = found.vectors[:5], found.vectors[5:]
    best = [max(range(5), key=lambda at: dot(question, documents[at])) for question in questions]
    assert best[0] == 0
    assert best[1] in (1, 3)
    assert best[2] == 4


def test_the_vector_is_the_same_in_every_process():
    code = "from mastra.providers.lexical import LexicalEmbedder; print(LexicalEmbedder('32').vector('Hello, world'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(LexicalEmbedder("32").vector("Hello, world"))


@pytest.mark.parametrize("name", ["", "7", "x", "99999"])
def test_an_impossible_dimension_is_refused(name):
    with pytest.raises(BadDefinition):
        LexicalEmbedder(name)


async def test_an_empty_text_is_refused():
    with pytest.raises(InvalidInput):
        await LexicalEmbedder("64").embed(["a", " "])


def test_words_have_no_case_and_no_accents():
    assert words_of("Naïve CAFÉ, l'été: 東京!") == ["naive", "cafe", "l", "ete", "東", "京"]


async def test_ranking_by_words():
    ranked = await resolve_reranker("lexical/bm25").rerank("capital of Norway", TEXTS)
    assert [item.position for item in ranked[:2]] == [0, 2]
    assert [item.position for item in await LexicalReranker().rerank("zzz", TEXTS)] == [0, 1, 2, 3, 4]
    assert len(await LexicalReranker().rerank("cat", TEXTS, top=1)) == 1
    assert [item.position for item in await LexicalReranker().rerank("首都", ["京都", "日本の首都", "cut \ud83d"])] == [
        1,
        0,
        2,
    ]
    with pytest.raises(BadDefinition):
        LexicalReranker("other")
