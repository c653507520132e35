"""The spans of what memory, retrieval and the server ask of embedders and vector stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mastra.runtime.tracing import inside

if TYPE_CHECKING:
    from mastra.ports.embedder import Embedder
    from mastra.runtime.tracing import NoSpan, Span, Tracer


def embedding_span(embedder: Embedder, count: int, purpose: Literal["document", "query"]) -> Span | NoSpan:
    """`count` texts become vectors."""
    facts = {"model": embedder.model_id, "provider": embedder.provider, "inputCount": count, "mode": purpose}
    return inside(f"rag embedding: {purpose}", "rag_embedding", attributes=facts)


def vector_span(
    operation: Literal["query", "upsert", "delete"],
    index: str,
    count: int | None = None,
    *,
    tracer: Tracer | None = None,
    **facts: Any,
) -> Span | NoSpan:
    """A vector store is read or written; `count` rows or, in a query, the most that are wanted.

    Outside of a run it is a trace of its own where there is a `tracer`.
    """
    told = {"operation": operation, "indexName": index, "topK" if operation == "query" else "rows": count}
    facts["attributes"] = {key: value for key, value in told.items() if value is not None}
    name, kind = f"rag vector: {operation}", "rag_vector_operation"
    return inside(name, kind, **facts) if tracer is None else tracer.span(name, kind, **facts)
