"""Embedders and rerankers behind the same resilience."""

from __future__ import annotations

import pytest

from mastra.errors import ModelUnavailable
from mastra.ports.embedder import Embedder, Embeddings
from mastra.ports.reranker import Ranked, Reranker
from mastra.runtime.resilience import Resilience
from mastra.runtime.resilient_calls import ResilientEmbedder, ResilientReranker
from mastra.testing import HandClock


class Shaky(Embedder, Reranker):
    provider, model_id, dimension = "acme", "m", 2

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def _fail(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise ModelUnavailable("down")

    async def embed(self, texts, *, purpose="document"):
        self._fail()
        return Embeddings([[1.0, 2.0] for _ in texts], 1)

    async def rerank(self, query, documents, *, top=None):
        self._fail()
        return [Ranked(0, 1.0)]

    async def close(self) -> None:
        self.failures = -100


async def test_both_are_tried_again_and_give_up():
    resilience = Resilience(clock=HandClock(jump=True))
    embedder = ResilientEmbedder(Shaky(2), resilience)
    assert (await embedder.embed(["a"])).vectors == [[1.0, 2.0]]
    assert (embedder.dimension, embedder.provider, embedder.model_id) == (2, "acme", "m")
    reranker = ResilientReranker(Shaky(1), resilience)
    assert await reranker.rerank("q", ["a"]) == [Ranked(0, 1.0)]
    with pytest.raises(ModelUnavailable):
        await ResilientReranker(Shaky(9), resilience).rerank("q", ["a"])
    await embedder.close()
    await reranker.close()
    assert embedder.inner.failures == reranker.inner.failures == -100
