"""An embedder that remembers."""

from __future__ import annotations

import pytest

from mastra.ports.cache import Cache
from mastra.ports.embedder import Embedder, Embeddings
from mastra.providers.lexical import LexicalEmbedder
from mastra.runtime.embedding_cache import CachedEmbedder


class Shelf(Cache):
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def get(self, key):
        return self.kept.get(key)

    async def set(self, key, value, *, ttl_s=None):
        self.kept[key] = value

    async def delete(self, key):
        self.kept.pop(key, None)


class Counting(Embedder):
    provider, model_id = "acme", "m"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.inner = LexicalEmbedder("16")
        self.dimension = 16

    async def embed(self, texts, *, purpose="document"):
        self.asked.append(list(texts))
        return Embeddings((await self.inner.embed(texts)).vectors, 5)


async def test_each_text_is_embedded_once():
    inner, shelf = Counting(), Shelf()
    model = CachedEmbedder(inner, shelf)
    first = await model.embed(["a", "b", "a"])
    again = await model.embed(["b", "c", "a"])
    assert inner.asked == [["a", "b"], ["c"]]
    assert (first.input_tokens, again.input_tokens) == (5, 5)
    exact = (await LexicalEmbedder("16").embed(["b"])).vectors[0]
    assert again.vectors[0] == pytest.approx(exact, abs=1e-6)
    assert first.vectors[0] == first.vectors[2]


async def test_questions_and_documents_are_kept_apart():
    inner = Counting()
    model = CachedEmbedder(inner, Shelf())
    await model.embed(["a"])
    await model.embed(["a"], purpose="query")
    assert len(inner.asked) == 2


async def test_an_entry_that_is_none_of_ours_is_made_anew():
    inner, shelf = Counting(), Shelf()
    model = CachedEmbedder(inner, shelf)
    await model.embed(["a"])
    for damaged in (b"", b"x", b"1234"):
        shelf.kept = dict.fromkeys(shelf.kept, damaged)
        assert len((await model.embed(["a"])).vectors[0]) == 16
    assert len(inner.asked) == 4
    assert model.dimension == 16
    await model.close()


async def test_a_length_that_is_learned_later_changes_no_name():
    class Learning(Counting):
        def __init__(self) -> None:
            super().__init__()
            self.dimension = None  # type: ignore[assignment]  # as embedders that are told by the first answer

        async def embed(self, texts, *, purpose="document"):
            self.dimension = 16
            return await super().embed(texts)

    inner, shelf = Learning(), Shelf()
    model = CachedEmbedder(inner, shelf)
    await model.embed(["a"])
    await model.embed(["a"])
    assert inner.asked == [["a"]]
