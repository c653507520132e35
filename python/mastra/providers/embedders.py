"""Embedding models behind HTTP: OpenAI and everything compatible, Mistral, Voyage, Jina, Cohere, Google, Ollama."""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Unpack

from mastra.errors import BadDefinition, InvalidInput
from mastra.ports.embedder import Embedder, Embeddings
from mastra.providers.compatible import facts_of, vendors_with
from mastra.providers.endpoint import CallerOptions, EndpointAdapter, EndpointOptions, JsonEndpoint
from mastra.providers.ollama import host_url

Purpose = Literal["document", "query"]
MOST_AT_ONCE = 4
# The lengths of well-known models, so that an index can be made before the first call.
DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "gemini-embedding-001": 3072,
    "text-embedding-004": 768,
    "embed-v4.0": 1536,
    "embed-english-v3.0": 1024,
    "embed-multilingual-v3.0": 1024,
    "embed-english-light-v3.0": 384,
    "embed-multilingual-light-v3.0": 384,
    "voyage-3.5": 1024,
    "voyage-3.5-lite": 1024,
    "voyage-3-large": 1024,
    "voyage-code-3": 1024,
    "mistral-embed": 1024,
    "codestral-embed": 1536,
    "jina-embeddings-v3": 1024,
    "jina-embeddings-v4": 2048,
    "nomic-embed-text": 768,
    "mxbai-embed-large": 1024,
    "all-minilm": 384,
    "bge-m3": 1024,
}


class HttpEmbedder(EndpointAdapter, Embedder):
    """Splits the texts into batches, asks for a few at a time, and checks what comes back."""

    # How many texts one request may carry.
    batch: ClassVar[int] = 256

    def __init__(self, model_id: str, *, dimension: int | None = None, **options: Unpack[EndpointOptions]) -> None:
        if dimension is not None and dimension < 1:
            raise BadDefinition("The dimension of an embedding must be at least 1.")
        super().__init__(model_id, **options)
        self.asked_dimension = dimension
        self.dimension = dimension or DIMENSIONS.get(model_id.rpartition("/")[2])

    @abstractmethod
    async def ask(self, texts: Sequence[str], purpose: Purpose) -> tuple[list[Any], int]:
        """The vectors of one batch as the provider sent them, in order, and the tokens they cost."""

    async def embed(self, texts: Sequence[str], *, purpose: Purpose = "document") -> Embeddings:
        """The vectors of `texts`, all of one length."""
        check_texts(texts)
        if not texts:
            return Embeddings([], 0)
        batches = [texts[at : at + self.batch] for at in range(0, len(texts), self.batch)]
        gate = asyncio.Semaphore(MOST_AT_ONCE)

        async def one(batch: Sequence[str]) -> tuple[list[list[float]], int]:
            async with gate:
                found, tokens = await self.ask(batch, purpose)
            return self._checked(found, len(batch)), tokens

        if len(batches) == 1:
            answers = [await one(batches[0])]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(batch)) for batch in batches]
            answers = [task.result() for task in tasks]
        vectors = [vector for found, _ in answers for vector in found]
        return Embeddings(vectors, sum(tokens for _, tokens in answers))

    def _checked(self, found: list[Any], wanted: int) -> list[list[float]]:
        """The vectors, if there is one of the right length for each text."""
        if len(found) != wanted:
            raise self.endpoint.malformed(f"{len(found)} vectors for {wanted} texts")
        for vector in found:
            if not isinstance(vector, list) or not vector:
                raise self.endpoint.malformed("a vector that is none")
            if self.dimension is None:
                self.dimension = len(vector)
            if len(vector) != self.dimension:
                raise self.endpoint.malformed(f"a vector of {len(vector)} instead of {self.dimension} numbers")
            try:
                good = all(map(math.isfinite, vector))
            except (TypeError, OverflowError):
                good = False
            if not good:
                raise self.endpoint.malformed("a vector that holds something else than numbers")
        return found


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what no model can embed, before anything is sent or paid for."""
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InvalidInput("A list of texts is wanted.", hint="Write [text].")
    for position, text in enumerate(texts):
        if not text.strip():
            raise InvalidInput(
                f"The text at position {position} is empty and cannot be embedded.",
                issues=[{"field": f"texts[{position}]", "message": "is empty"}],
            )


def rows_by_index(answer: dict[str, Any], endpoint: JsonEndpoint) -> list[Any]:
    """The vectors of an answer in OpenAI's form, in the order of the texts."""
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise endpoint.malformed("no list of vectors")
    ordered = sorted(rows, key=lambda row: row.get("index") or 0)
    return [row.get("embedding") for row in ordered]


def tokens_of(usage: Any) -> int:
    """The tokens that an answer in OpenAI's form says it cost."""
    usage = usage if isinstance(usage, dict) else {}
    return int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)


class OpenAIEmbedder(HttpEmbedder):
    """OpenAI's embeddings, and every endpoint that speaks like it."""

    vendor = "openai"
    home = "https://api.openai.com/v1"
    key_env = ("OPENAI_API_KEY",)
    dimension_field: ClassVar[str] = "dimensions"
    path: ClassVar[str] = "/embeddings"

    def more(self, purpose: Purpose) -> dict[str, Any]:
        """Fields that only this vendor wants."""
        del purpose
        return {}

    async def ask(self, texts: Sequence[str], purpose: Purpose) -> tuple[list[Any], int]:
        """One batch."""
        body: dict[str, Any] = {"model": self.model_id, "input": list(texts), **self.more(purpose)}
        if self.asked_dimension is not None:
            body[self.dimension_field] = self.asked_dimension
        answer = await self.endpoint.ask(self.path, body)
        return rows_by_index(answer, self.endpoint), tokens_of(answer.get("usage"))


class CompatibleEmbedder(OpenAIEmbedder):
    """The embeddings of a vendor in `compatible.toml`, or of any endpoint that speaks like OpenAI's."""

    def __init__(
        self,
        model_id: str,
        *,
        vendor: str,
        url: str | None = None,
        dimension: int | None = None,
        **options: Unpack[CallerOptions],
    ) -> None:
        super().__init__(model_id, dimension=dimension, **facts_of(vendor, url, "embeddings"), **options)

    @staticmethod
    def vendors() -> list[str]:
        """The vendors with embeddings."""
        return vendors_with("embeddings")


class MistralEmbedder(OpenAIEmbedder):
    """Mistral's embeddings."""

    vendor = "mistral"
    home = "https://api.mistral.ai/v1"
    key_env = ("MISTRAL_API_KEY",)
    dimension_field = "output_dimension"
    batch = 128


class VoyageEmbedder(OpenAIEmbedder):
    """Voyage's embeddings, which differ for questions and documents."""

    vendor = "voyage"
    home = "https://api.voyageai.com/v1"
    key_env = ("VOYAGE_API_KEY",)
    dimension_field = "output_dimension"
    batch = 128

    def more(self, purpose: Purpose) -> dict[str, Any]:
        """What the text is for."""
        return {"input_type": purpose}


class JinaEmbedder(OpenAIEmbedder):
    """Jina's embeddings, which differ for questions and documents."""

    vendor = "jina"
    home = "https://api.jina.ai/v1"
    key_env = ("JINA_API_KEY",)

    def more(self, purpose: Purpose) -> dict[str, Any]:
        """What the text is for; older models know no task."""
        if "v2" in self.model_id:
            return {}
        return {"task": "retrieval.query" if purpose == "query" else "retrieval.passage"}


class CohereEmbedder(HttpEmbedder):
    """Cohere's embeddings, version 2."""

    vendor = "cohere"
    home = "https://api.cohere.com/v2"
    key_env = ("COHERE_API_KEY", "CO_API_KEY")
    batch = 96

    async def ask(self, texts: Sequence[str], purpose: Purpose) -> tuple[list[Any], int]:
        """One batch."""
        body: dict[str, Any] = {
            "model": self.model_id,
            "texts": list(texts),
            "input_type": f"search_{purpose}",
            "embedding_types": ["float"],
        }
        if self.asked_dimension is not None:
            body["output_dimension"] = self.asked_dimension
        answer = await self.endpoint.ask("/embed", body)
        found = answer.get("embeddings")
        vectors = found.get("float") if isinstance(found, dict) else None
        if not isinstance(vectors, list):
            raise self.endpoint.malformed("no list of vectors")
        meta = answer.get("meta")
        billed = meta.get("billed_units") if isinstance(meta, dict) else None
        return vectors, int(billed.get("input_tokens") or 0) if isinstance(billed, dict) else 0


class GoogleEmbedder(HttpEmbedder):
    """Google's embeddings."""

    vendor = "google"
    home = "https://generativelanguage.googleapis.com/v1beta"
    key_env = ("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
    key_header = "x-goog-api-key"
    batch = 100

    async def ask(self, texts: Sequence[str], purpose: Purpose) -> tuple[list[Any], int]:
        """One batch."""
        name = f"models/{self.model_id}"
        facts: dict[str, Any] = {
            "model": name,
            "taskType": "RETRIEVAL_QUERY" if purpose == "query" else "RETRIEVAL_DOCUMENT",
        }
        if self.asked_dimension is not None:
            facts["outputDimensionality"] = self.asked_dimension
        questions = [{**facts, "content": {"parts": [{"text": text}]}} for text in texts]
        answer = await self.endpoint.ask(f"/{name}:batchEmbedContents", {"requests": questions})
        rows = answer.get("embeddings")
        if not isinstance(rows, list):
            raise self.endpoint.malformed("no list of vectors")
        return [row.get("values") if isinstance(row, dict) else None for row in rows], 0


class OllamaEmbedder(HttpEmbedder):
    """The embeddings of a local Ollama."""

    vendor = "ollama"
    key_env = ("OLLAMA_API_KEY",)
    key_required = False
    batch = 64

    def default_url(self) -> str:
        """Where the local server is."""
        return host_url()

    async def ask(self, texts: Sequence[str], purpose: Purpose) -> tuple[list[Any], int]:
        """One batch."""
        del purpose
        body: dict[str, Any] = {"model": self.model_id, "input": list(texts)}
        if self.asked_dimension is not None:
            body["dimensions"] = self.asked_dimension
        answer = await self.endpoint.ask("/api/embed", body)
        rows = answer.get("embeddings")
        if not isinstance(rows, list):
            raise self.endpoint.malformed("no list of vectors")
        return rows, int(answer.get("prompt_eval_count") or 0)
