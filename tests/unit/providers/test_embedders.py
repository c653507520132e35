"""Embedders: each vendor's body and answer, batches, and what comes back is checked."""

from __future__ import annotations

import json

import httpx
import pytest

from mastra.errors import BadDefinition, InvalidInput, ResponseMalformed, UnknownAdapter, Unsupported
from mastra.providers import embedders
from mastra.providers.transport import HttpOptions
from mastra.runtime.models import resolve_embedder


class Vendor:
    """Answers each vendor's question with vectors that tell the texts apart."""

    def __init__(self, spoil=None) -> None:
        self.bodies: list[dict] = []
        self.requests: list[httpx.Request] = []
        self.spoil = spoil

    def options(self) -> HttpOptions:
        return HttpOptions(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.requests.append(request)
        self.bodies.append(body)
        texts = (
            body.get("input") or body.get("texts") or [item["content"]["parts"][0]["text"] for item in body["requests"]]
        )
        vectors = [[float(len(text)), 1.0, 0.5] for text in texts]
        if self.spoil:
            vectors = self.spoil(vectors)
        path = request.url.path
        if path.endswith("/embed") and "texts" in body:
            out = {"embeddings": {"float": vectors}, "meta": {"billed_units": {"input_tokens": 7}}}
        elif path.endswith("/api/embed"):
            out = {"embeddings": vectors, "prompt_eval_count": 7}
        elif path.endswith("batchEmbedContents"):
            out = {"embeddings": [{"values": vector} for vector in vectors]}
        else:
            rows = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
            # The order of the rows is not promised.
            out = {"data": rows[::-1], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
        return httpx.Response(200, json=out)


KINDS = [
    (embedders.OpenAIEmbedder, {"model": "m"}),
    (embedders.MistralEmbedder, {"model": "m"}),
    (embedders.VoyageEmbedder, {"input_type": "query"}),
    (embedders.JinaEmbedder, {"task": "retrieval.query"}),
    (embedders.CohereEmbedder, {"input_type": "search_query"}),
    (embedders.GoogleEmbedder, {}),
    (embedders.OllamaEmbedder, {"model": "m"}),
]


@pytest.mark.parametrize(("kind", "sent"), KINDS)
async def test_every_vendor_embeds_in_order(kind, sent):
    vendor = Vendor()
    model = kind("m", api_key="k", http=vendor.options())
    found = await model.embed(["a", "bbb", "cc"], purpose="query")
    assert [vector[0] for vector in found.vectors] == [1, 3, 2]
    assert model.dimension == 3
    assert sent.items() <= vendor.bodies[0].items()
    assert (await model.embed([])).vectors == []
    await model.close()


async def test_google_is_told_the_purpose_and_the_length():
    vendor = Vendor()
    model = embedders.GoogleEmbedder("gemini-embedding-001", dimension=3, api_key="canary", http=vendor.options())
    await model.embed(["a"])
    asked = vendor.bodies[0]["requests"][0]
    assert (asked["taskType"], asked["outputDimensionality"]) == ("RETRIEVAL_DOCUMENT", 3)
    assert "canary" not in str(vendor.requests[0].url)
    assert vendor.requests[0].headers["x-goog-api-key"] == "canary"


async def test_many_texts_are_sent_in_batches_and_come_back_in_order():
    vendor = Vendor()
    model = embedders.MistralEmbedder("m", api_key="k", http=vendor.options())
    found = await model.embed(["x" * (at % 50 + 1) for at in range(300)])
    assert [vector[0] for vector in found.vectors] == [at % 50 + 1 for at in range(300)]
    assert sorted(len(body["input"]) for body in vendor.bodies) == [44, 128, 128]
    assert found.input_tokens == 21


@pytest.mark.parametrize(
    "spoil",
    [
        lambda vectors: vectors[1:],
        lambda vectors: [vectors[0], vectors[1][:2]],
        lambda vectors: [[], []],
        lambda vectors: [[1.0, 2.0, "x"], vectors[1]],
        lambda vectors: [None, vectors[1]],
        lambda vectors: [[1.0, 2.0, None], vectors[1]],
    ],
)
async def test_vectors_that_do_not_fit_are_refused(spoil):
    model = embedders.OpenAIEmbedder("m", api_key="k", http=Vendor(spoil).options())
    with pytest.raises(ResponseMalformed):
        await model.embed(["a", "b"])


@pytest.mark.parametrize("texts", [["a", ""], ["  "], [None], "text"])
async def test_what_cannot_be_embedded_is_refused_before_anything_is_sent(texts):
    vendor = Vendor()
    with pytest.raises(InvalidInput):
        await embedders.OpenAIEmbedder("m", api_key="k", http=vendor.options()).embed(texts)
    assert vendor.bodies == []


async def test_a_length_that_was_asked_for_is_kept_to():
    vendor = Vendor()
    model = embedders.OpenAIEmbedder("text-embedding-3-small", dimension=4, api_key="k", http=vendor.options())
    with pytest.raises(ResponseMalformed, match="3 instead of 4"):
        await model.embed(["a"])
    assert vendor.bodies[0]["dimensions"] == 4
    with pytest.raises(BadDefinition):
        embedders.OpenAIEmbedder("m", dimension=0)


def test_names_reach_embedders():
    assert resolve_embedder("openai/text-embedding-3-large").dimension == 3072
    assert resolve_embedder("togetherai/m").provider == "togetherai"
    assert resolve_embedder({"id": "acme/m", "url": "http://127.0.0.1:1", "dimension": 5}).dimension == 5
    with pytest.raises(UnknownAdapter, match="no embedding provider called 'groq'"):
        resolve_embedder("groq/m")
    with pytest.raises(Unsupported, match="has no embeddings"):
        embedders.CompatibleEmbedder("m", vendor="groq")
