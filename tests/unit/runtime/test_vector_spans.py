from __future__ import annotations

from typing import cast

from mastra.ports.embedder import Embedder
from mastra.rag.document import Document
from mastra.rag.retriever import Retriever
from mastra.registry import open_url
from mastra.runtime.models import resolve_embedder
from mastra.runtime.tracing import NO_SPAN, Tracer
from mastra.runtime.vector_spans import embedding_span, vector_span
from mastra.types.spans import SpanRecord


async def test_indexing_and_asking_are_seen_from_the_run_around_them() -> None:
    finished: list[SpanRecord] = []
    retriever = Retriever(open_url("mastra.vectors", "memory:"), resolve_embedder("lexical/64"))
    with Tracer(finished.append).span("run", "agent_run", resource_id="ann") as around:
        await retriever.add([Document("Ships cross the ocean.", id="ships")])
        await retriever.retrieve("ocean", k=3)
        await retriever.remove("ships")
    parts, wholes = finished[:-1], [one for one in finished[:-1] if one.type in {"rag_ingestion", "rag_action"}]
    seen = [(one.type, one.attributes.get("operation", one.attributes.get("mode"))) for one in parts]
    embedding, vector, action = "rag_embedding", "rag_vector_operation", ("rag_action", None)
    assert seen == [
        (embedding, "document"), (vector, "upsert"), ("rag_ingestion", None),
        (embedding, "query"), (vector, "query"), action, (vector, "delete"), action,
    ]  # fmt: skip
    assert {one.parent_span_id for one in wholes} == {around.span_id}
    assert {one.parent_span_id for one in parts if one not in wholes} == {one.span_id for one in wholes}
    assert {one.resource_id for one in finished} == {"ann"}
    assert finished[0].attributes == {"model": "64", "provider": "lexical", "inputCount": 1, "mode": "document"}
    assert finished[4].attributes == {"operation": "query", "indexName": "documents", "topK": 3}


async def test_a_retriever_with_a_tracer_is_seen_outside_of_runs_too() -> None:
    finished: list[SpanRecord] = []
    vectors, embedder = open_url("mastra.vectors", "memory:"), resolve_embedder("lexical/64")
    retriever = Retriever(vectors, embedder, tracer=Tracer(finished.append))
    await retriever.add([Document("Ships cross the ocean.", id="ships")])
    await retriever.retrieve("ocean", k=3)
    roots = [one.type for one in finished if one.parent_span_id is None]
    assert roots == ["rag_ingestion", "rag_action"]
    assert {one.type for one in finished} - set(roots) == {"rag_embedding", "rag_vector_operation"}
    assert len({one.trace_id for one in finished}) == 2


def test_an_embedder_without_a_name_is_called_by_its_class() -> None:
    class Own:
        """Not even an Embedder by inheritance."""

    finished: list[SpanRecord] = []
    with Tracer(finished.append).span("run", "agent_run"), embedding_span(cast("Embedder", Own()), 1, "query"):
        pass
    assert finished[0].attributes["model"] == "Own"


def test_outside_of_a_run_only_who_has_a_tracer_is_traced() -> None:
    finished: list[SpanRecord] = []
    assert vector_span("query", "i", 1) is NO_SPAN
    assert embedding_span(resolve_embedder("lexical/64"), 1, "query") is NO_SPAN
    with vector_span("upsert", "i", 2, tracer=Tracer(finished.append), resource_id="ann"):
        pass
    assert [(one.name, one.resource_id, one.parent_span_id) for one in finished] == [
        ("rag vector: upsert", "ann", None)
    ]
