"""Embedders and rerankers behind the same `Resilience` as models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mastra.ports.embedder import Embedder, Embeddings
from mastra.ports.reranker import Ranked, Reranker
from mastra.runtime.breaker import CircuitBreaker
from mastra.runtime.resilience import Resilience


class ResilientEmbedder(Embedder):
    """An embedder whose calls are retried and held back."""

    def __init__(self, inner: Embedder, resilience: Resilience | None = None) -> None:
        self.inner = inner
        self.provider = inner.provider
        self.model_id = inner.model_id
        self.resilience = resilience or Resilience()
        self.breaker = self.resilience.breaker or CircuitBreaker(
            f"{inner.provider}/{inner.model_id}", clock=self.resilience.clock
        )

    @property
    def dimension(self) -> int | None:  # type: ignore[override]  # what the port declares as an attribute
        """The length of the vectors, once it is known."""
        return self.inner.dimension

    def __repr__(self) -> str:
        return f"ResilientEmbedder({self.inner!r})"

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"] = "document") -> Embeddings:
        """The vectors of `texts`."""
        return await self.resilience.call(lambda: self.inner.embed(texts, purpose=purpose), breaker=self.breaker)

    async def close(self) -> None:
        """Close the embedder inside."""
        await self.inner.close()


class ResilientReranker(Reranker):
    """A reranker whose calls are retried and held back."""

    def __init__(self, inner: Reranker, resilience: Resilience | None = None) -> None:
        self.inner = inner
        self.provider = inner.provider
        self.model_id = inner.model_id
        self.resilience = resilience or Resilience()
        self.breaker = self.resilience.breaker or CircuitBreaker(
            f"{inner.provider}/{inner.model_id}", clock=self.resilience.clock
        )

    def __repr__(self) -> str:
        return f"ResilientReranker({self.inner!r})"

    async def rerank(self, query: str, documents: Sequence[str], *, top: int | None = None) -> list[Ranked]:
        """The best documents, best first."""
        return await self.resilience.call(lambda: self.inner.rerank(query, documents, top=top), breaker=self.breaker)

    async def close(self) -> None:
        """Close the reranker inside."""
        await self.inner.close()
