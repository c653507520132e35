"""Finds the passages that answer a question: documents in, chunks embedded and indexed, the best ones out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra.errors import IndexMissing, InvalidInput
from mastra.ports.vectors import VectorRow, VectorStore
from mastra.rag.chunk import Chunk, ChunkOptions
from mastra.runtime.tracing import current_span, inside, span
from mastra.runtime.vector_spans import embedding_span, vector_span

if TYPE_CHECKING:
    from mastra.ports.embedder import Embedder
    from mastra.ports.reranker import Reranker
    from mastra.rag.document import Document
    from mastra.runtime.tracing import NoSpan, Span, Tracer
    from mastra.types.records import Filter

# How many chunks are embedded and written at once.
BATCH = 128
DOCUMENT = "document_id"


class Passage(NamedTuple):
    """A chunk that was found; a higher score is better."""

    text: str
    score: float
    id: str
    metadata: dict[str, Any]


class Retriever:
    """An index of documents in a vector store."""

    def __init__(
        self,
        vectors: VectorStore,
        embedder: Embedder,
        *,
        index: str = "documents",
        chunks: ChunkOptions | None = None,
        reranker: Reranker | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Spans of what is asked outside of a run go to `tracer`; in a run they belong to its trace."""
        self._vectors = vectors
        self._embedder = embedder
        self._index = index
        self._chunks = chunks
        self._reranker = reranker
        self._tracer = tracer

    async def add(self, documents: Iterable[Document]) -> int:
        """Index the documents; the number of chunks. A document of a known id replaces the old one."""
        with self._span("rag ingestion", "rag_ingestion"):
            return await self._add(documents)

    async def _add(self, documents: Iterable[Document]) -> int:
        total = 0
        waiting: list[tuple[str, str, Chunk]] = []
        for document in documents:
            pieces = document.chunk(self._chunks)
            await self._forget_beyond(document.id, len(pieces))
            waiting += [(f"{document.id}:{number:06d}", document.id, piece) for number, piece in enumerate(pieces)]
            total += len(pieces)
            while len(waiting) >= BATCH:
                await self._write(waiting[:BATCH])
                del waiting[:BATCH]
        if waiting:
            await self._write(waiting)
        return total

    async def remove(self, document_id: str) -> int:
        """Take a document out of the index; the number of chunks it had."""
        with self._span("rag action: remove", "rag_action"):
            return await self._forget_beyond(document_id, 0)

    async def retrieve(
        self, query: str, *, k: int = 5, where: Filter | None = None, min_score: float | None = None
    ) -> list[Passage]:
        """The `k` passages that fit the question best, best first; none when nothing was indexed."""
        if not query.strip():
            raise InvalidInput("The question is empty.")
        if k < 1:
            raise InvalidInput(f"{k!r} passages cannot be asked for.", hint="Use a whole number from 1 on.")
        with self._span("rag action: retrieve", "rag_action", attributes={"topK": k}):
            return await self._retrieve(query, k, where, min_score)

    def _span(self, name: str, kind: str, **facts: Any) -> Span | NoSpan:
        return span(self._tracer, name, kind, **facts) if current_span() is None else inside(name, kind, **facts)

    async def _retrieve(self, query: str, k: int, where: Filter | None, min_score: float | None) -> list[Passage]:
        with embedding_span(self._embedder, 1, "query"):
            (vector,) = (await self._embedder.embed([query], purpose="query")).vectors
        # A reranker sees more than is asked for: what it would lift may stand further down.
        wanted = k * 4 if self._reranker else k
        try:
            with vector_span("query", self._index, wanted):
                matches = await self._vectors.query(self._index, vector, k=wanted, where=where)
        except IndexMissing:
            return []
        found = [Passage(match.document or "", match.score, match.id, dict(match.metadata or {})) for match in matches]
        if self._reranker and found:
            ranked = await self._reranker.rerank(query, [passage.text for passage in found], top=k)
            found = [found[item.position]._replace(score=item.score) for item in ranked]
        return [passage for passage in found[:k] if min_score is None or passage.score >= min_score]

    async def _write(self, batch: list[tuple[str, str, Chunk]]) -> None:
        with embedding_span(self._embedder, len(batch), "document"):
            embedded = await self._embedder.embed([chunk.text for _, _, chunk in batch], purpose="document")
        await self._vectors.create(self._index, len(embedded.vectors[0]))
        rows = [
            VectorRow(row_id, vector, {**chunk.metadata, DOCUMENT: document_id, "start": chunk.start}, chunk.text)
            for (row_id, document_id, chunk), vector in zip(batch, embedded.vectors, strict=True)
        ]
        with vector_span("upsert", self._index, len(rows)):
            await self._vectors.upsert(self._index, rows)

    async def _forget_beyond(self, document_id: str, count: int) -> int:
        """Remove the chunks of a document from number `count` on."""
        try:
            info = await self._vectors.describe(self._index)
        except IndexMissing:
            return 0
        if count == 0:
            with vector_span("delete", self._index):
                return await self._vectors.delete(self._index, where={DOCUMENT: document_id})
        last = min(info.row_count, 999_999)
        stale = [f"{document_id}:{number:06d}" for number in range(count, last + 1)]
        # Chunks are numbered without gaps: the first batch that removes nothing is the end.
        removed = 0
        for begin in range(0, len(stale), BATCH):
            gone = await self._vectors.delete(self._index, stale[begin : begin + BATCH])
            removed += gone
            if gone == 0:
                break
        return removed
