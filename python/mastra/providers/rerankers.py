"""Reranking models behind HTTP: Cohere, Voyage, Jina, and vendors that speak like them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mastra.errors import InvalidInput
from mastra.ports.reranker import Ranked, Reranker
from mastra.providers.compatible import facts_of, vendors_with
from mastra.providers.endpoint import JsonEndpoint
from mastra.providers.keys import KeySource
from mastra.providers.transport import Http, HttpOptions


class HttpReranker(Reranker):
    """`POST {url}/rerank` with a query and documents; the answer is places and scores."""

    url: ClassVar[str] = ""
    key_env: ClassVar[tuple[str, ...]] = ()
    path: ClassVar[str] = "/rerank"
    top_field: ClassVar[str] = "top_n"
    results: ClassVar[str] = "results"

    def __init__(
        self,
        model_id: str,
        *,
        provider: str,
        url: str | None = None,
        api_key: KeySource = None,
        headers: Mapping[str, str] | None = None,
        http: Http | HttpOptions | None = None,
        key_env: tuple[str, ...] | None = None,
        key_required: bool = True,
    ) -> None:
        self.provider = provider
        self.model_id = model_id
        self.endpoint = JsonEndpoint(
            provider=provider,
            model=model_id,
            url=url or self.url,
            api_key=api_key,
            key_env=self.key_env if key_env is None else key_env,
            key_required=key_required,
            headers=headers,
            http=http,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model_id})"

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

    async def close(self) -> None:
        """Give back connections."""
        await self.endpoint.close()


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

    url = "https://api.cohere.com/v2"
    key_env = ("COHERE_API_KEY", "CO_API_KEY")

    def __init__(self, model_id: str, *, provider: str = "cohere", **options: Any) -> None:
        super().__init__(model_id, provider=provider, **options)


class JinaReranker(HttpReranker):
    """Jina's rerank."""

    url = "https://api.jina.ai/v1"
    key_env = ("JINA_API_KEY",)

    def __init__(self, model_id: str, *, provider: str = "jina", **options: Any) -> None:
        super().__init__(model_id, provider=provider, **options)


class VoyageReranker(HttpReranker):
    """Voyage's rerank."""

    url = "https://api.voyageai.com/v1"
    key_env = ("VOYAGE_API_KEY",)
    top_field = "top_k"
    results = "data"

    def __init__(self, model_id: str, *, provider: str = "voyage", **options: Any) -> None:
        super().__init__(model_id, provider=provider, **options)


class CompatibleReranker(HttpReranker):
    """The rerank of a vendor in `compatible.toml`, or of any endpoint that speaks like Cohere's."""

    def __init__(self, model_id: str, *, vendor: str, url: str | None = None, **options: Any) -> None:
        super().__init__(model_id, **facts_of(vendor, url, "rerank"), **options)

    @staticmethod
    def vendors() -> list[str]:
        """The vendors with reranking."""
        return vendors_with("rerank")
