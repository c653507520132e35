"""Reranking models behind HTTP: Cohere, Voyage, Jina, and vendors that speak like them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from mastra.errors import InvalidInput
from mastra.ports.reranker import Ranked, Reranker
from mastra.providers.compatible import facts_of, vendors_with
from mastra.providers.endpoint import CallerOptions, EndpointAdapter


class HttpReranker(EndpointAdapter, Reranker):
    """`POST {url}/rerank` with a query and documents; the answer is places and scores."""

    path: ClassVar[str] = "/rerank"
    top_field: ClassVar[str] = "top_n"
    results: ClassVar[str] = "results"

    async def rerank(self, query: str, documents: Sequence[str], *, top: int | None = None) -> list[Ranked]:
        """The best documents, best first."""
        check_question(query, documents, top)
        if not documents:
            return []
        body: dict[str, Any] = {"model": self.model_id, "query": query, "documents": list(documents)}
        if top is not None:
            body[self.top_field] = min(top, len(documents))
        answer = await self.endpoint.ask(self.path, body)
        rows = answer.get(self.results)
        if not isinstance(rows, list):
            raise self.endpoint.malformed("no list of results")
        ranked: list[Ranked] = []
        for row in rows:
            place = row.get("index") if isinstance(row, dict) else None
            score = row.get("relevance_score", row.get("score")) if isinstance(row, dict) else None
            good_place = isinstance(place, int) and 0 <= place < len(documents)
            if not good_place or not isinstance(score, int | float) or not math.isfinite(score):
                raise self.endpoint.malformed("a result without a place or a score")
            ranked.append(Ranked(int(place), float(score)))  # type: ignore[arg-type]  # checked above
        if len({item.position for item in ranked}) != len(ranked):
            raise self.endpoint.malformed("a document twice")
        ranked.sort(key=lambda item: (-item.score, item.position))
        return ranked[:top]


def check_question(query: str, documents: Sequence[str], top: int | None) -> None:
    """Refuse what cannot be ranked."""
    if not query.strip():
        raise InvalidInput("An empty query ranks nothing.")
    if isinstance(documents, str):
        raise InvalidInput("One text was given where a list of documents is wanted.", hint="Write [text].")
    if top is not None and top < 1:
        raise InvalidInput("top must be at least 1.")


class CohereReranker(HttpReranker):
    """Cohere's rerank, version 2."""

    vendor = "cohere"
    home = "https://api.cohere.com/v2"
    key_env = ("COHERE_API_KEY", "CO_API_KEY")


class JinaReranker(HttpReranker):
    """Jina's rerank."""

    vendor = "jina"
    home = "https://api.jina.ai/v1"
    key_env = ("JINA_API_KEY",)


class VoyageReranker(HttpReranker):
    """Voyage's rerank."""

    vendor = "voyage"
    home = "https://api.voyageai.com/v1"
    key_env = ("VOYAGE_API_KEY",)
    top_field = "top_k"
    results = "data"


class CompatibleReranker(HttpReranker):
    """The rerank of a vendor in `compatible.toml`, or of any endpoint that speaks like Cohere's."""

    def __init__(self, model_id: str, *, vendor: str, url: str | None = None, **options: Unpack[CallerOptions]) -> None:
        super().__init__(model_id, **facts_of(vendor, url, "rerank"), **options)

    @staticmethod
    def vendors() -> list[str]:
        """The vendors with reranking."""
        return vendors_with("rerank")
