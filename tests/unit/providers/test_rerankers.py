"""Rerankers: each vendor's body and answer, and what comes back is checked."""

from __future__ import annotations

import json

import httpx
import pytest

from mastra.errors import InvalidInput, ResponseMalformed, UnknownAdapter, Unsupported
from mastra.ports.reranker import Ranked
from mastra.providers import rerankers
from mastra.providers.transport import HttpOptions
from mastra.runtime.models import resolve_reranker

ROWS = [
    {"index": 0, "relevance_score": 0.1},
    {"index": 2, "relevance_score": 0.9},
    {"index": 1, "relevance_score": 0.5},
]


def answering(rows, seen=None, results="results") -> HttpOptions:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(json.loads(request.content))
        return httpx.Response(200, json={results: rows})

    return HttpOptions(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("kind", "results", "top"),
    [
        (rerankers.CohereReranker, "results", "top_n"),
        (rerankers.JinaReranker, "results", "top_n"),
        (rerankers.VoyageReranker, "data", "top_k"),
    ],
)
async def test_every_vendor_ranks_best_first(kind, results, top):
    seen: list[dict] = []
    model = kind("m", api_key="k", http=answering(ROWS, seen, results))
    assert await model.rerank("q", ["a", "b", "c"], top=2) == [Ranked(2, 0.9), Ranked(1, 0.5)]
    assert seen[0] == {"model": "m", "query": "q", "documents": ["a", "b", "c"], top: 2}
    assert await model.rerank("q", []) == []
    await model.close()


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [{"index": 3, "relevance_score": 1}],
        [{"index": -1, "relevance_score": 1}],
        [{"index": 0}],
        [{"index": 0, "relevance_score": "x"}],
        [ROWS[0], ROWS[0]],
        ["x"],
    ],
)
async def test_results_that_do_not_fit_are_refused(rows):
    with pytest.raises(ResponseMalformed):
        await rerankers.CohereReranker("m", api_key="k", http=answering(rows)).rerank("q", ["a", "b", "c"])


@pytest.mark.parametrize(("query", "documents", "top"), [(" ", ["a"], None), ("q", "text", None), ("q", ["a"], 0)])
async def test_a_question_that_is_none_is_refused(query, documents, top):
    with pytest.raises(InvalidInput):
        await rerankers.CohereReranker("m", api_key="k").rerank(query, documents, top=top)


def test_names_reach_rerankers():
    assert resolve_reranker("cohere/rerank-v3.5").provider == "cohere"
    assert resolve_reranker({"id": "acme/m", "url": "http://127.0.0.1:1"}).provider == "acme"
    with pytest.raises(UnknownAdapter, match="no reranking provider called 'groq'"):
        resolve_reranker("groq/m")
    with pytest.raises(Unsupported, match="has no rerank"):
        rerankers.CompatibleReranker("m", vendor="groq")
