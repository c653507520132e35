"""The spans of what memory, retrieval and the server ask of embedders and vector stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mastra.runtime.tracing import NO_SPAN, current_span, inside

if TYPE_CHECKING:
    from mastra.ports.embedder import Embedder
    from mastra.runtime.tracing import NoSpan, Span, Tracer


def embedding_span(embedder: Embedder, count: int, purpose: Literal["document", "query"]) -> Span | NoSpan:
    """`count` texts become vectors."""
    if current_span() is None:
        return NO_SPAN
    # An embedder of a user's own may lack what it is called: that must not break what it is used for.
    model = getattr(embedder, "model_id", None) or type(embedder).__name__
    facts = {"model": model, "provider": getattr(embedder, "provider", None), "inputCount": count, "mode": purpose}
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
    if tracer is None and current_span() is None:
        return NO_SPAN
    told = {"operation": operation, "indexName": index, "topK" if operation == "query" else "rows": count}
    facts["attributes"] = {key: value for key, value in told.items() if value is not None}
    name, kind = f"rag vector: {operation}", "rag_vector_operation"
    return inside(name, kind, **facts) if tracer is None else tracer.span(name, kind, **facts)
