"""Semantic recall: messages become vectors after the answer was given, and are found by what they are about.

What is still to embed is a row written in the same batch as the message, so a crash or a failing embedder loses
nothing: the work is done by whoever comes next.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from mastra.errors import IndexMissing, MastraError
from mastra.memory.options import SemanticRecall
from mastra.memory.tables import DUE, MESSAGES
from mastra.ports.embedder import Embedder
from mastra.ports.storage import Storage
from mastra.ports.vectors import Match, SupportsGlance, VectorRow, VectorStore
from mastra.runtime.vector_spans import embedding_span, vector_span
from mastra.types.records import Delete, Filter, Operation, Order, Put

Row = dict[str, Any]
CHUNK = 2_000
MAX_CHUNKS = 16
BATCH = 64
MAX_QUERIES = 256


class SemanticIndex:
    """The vectors of one memory's messages."""

    def __init__(self, storage: Storage, vectors: VectorStore, embedder: Embedder) -> None:
        self._storage = storage
        self.vectors = vectors
        self._holding = vectors if isinstance(vectors, SupportsGlance) else None
        self.embedder = embedder
        self._dimension = embedder.dimension
        self._made: set[str] = set()
        self._queries: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def name(self) -> str:
        """The index; one for each length of vectors, so that a change of embedder does not mix them."""
        return f"memory_messages_{self._dimension}"

    @staticmethod
    def due(rows: Sequence[Row]) -> list[Operation]:
        """The work that writing these messages leaves for later."""
        return [
            Put(DUE, f"embed/{row['id']}", {"kind": "embed", "messageId": row["id"], "at": row["order"]})
            for row in rows
            if row["role"] in {"user", "assistant"} and text_of(row)
        ]

    async def embedded(self, text: str) -> list[float]:
        """The vector of a question; the last ones are remembered."""
        vector = self._queries.get(text)
        if vector is None:
            with embedding_span(self.embedder, 1, "query"):
                found = await self.embedder.embed([text], purpose="query")
            vector = self._queries[text] = found.vectors[0]
            if len(self._queries) > MAX_QUERIES:
                self._queries.popitem(last=False)
        self._dimension = len(vector)
        return vector

    async def query(self, text: str, recall: SemanticRecall, thread_id: str, resource_id: str | None) -> list[Match]:
        """The best matches in the scope, one a message."""
        vector = await self.embedded(text)
        where = _scope(recall, thread_id, resource_id)
        try:
            with vector_span("query", self.name, recall.top_k * 2):
                matches = await self.vectors.query(self.name, vector, k=recall.top_k * 2, where=where)
        except IndexMissing:
            return []
        return _best(matches, recall)

    async def glance(
        self, text: str, recall: SemanticRecall, thread_id: str, resource_id: str | None
    ) -> list[Match] | None:
        """The same among the vectors that this process holds, without asking storage; None when it holds none."""
        if self._holding is None:
            return None
        vector = await self.embedded(text)
        where = _scope(recall, thread_id, resource_id)
        with vector_span("query", self.name, recall.top_k * 2):
            matches = await self._holding.glance(self.name, vector, k=recall.top_k * 2, where=where)
        return None if matches is None else _best(matches, recall)

    async def is_current(self) -> bool:
        """Whether a glance has seen all vectors that there are."""
        return self._holding is not None and await self._holding.is_current(self.name)

    async def run_due(self) -> int:
        """Do the work that is due, some at a time; how many rows were done. Raises what the embedder raises."""
        done = 0
        while True:
            page = await self._storage.scan(DUE, {"kind": "embed"}, order=Order("at"), limit=BATCH)
            if not page.records:
                return done
            ids = [record.value["messageId"] for record in page.records]
            rows = await self._storage.get_many(MESSAGES, ids)
            await self._embed([rows[message_id] for message_id in ids if message_id in rows])
            await self._storage.write([Delete(DUE, record.key) for record in page.records])
            done += len(page.records)

    async def _embed(self, rows: list[Row]) -> None:
        pieces = [(row, number, piece) for row in rows for number, piece in enumerate(chunks(text_of(row)))]
        if not pieces:
            return
        with embedding_span(self.embedder, len(pieces), "document"):
            found = await self.embedder.embed([piece for _, _, piece in pieces])
        self._dimension = len(found.vectors[0])
        if self.name not in self._made:
            await self.vectors.create(self.name, self._dimension)
            self._made.add(self.name)
        made = [
            VectorRow(f"{row['id']}:{number}" if number else row["id"], vector, metadata_of(row))
            for (row, number, _), vector in zip(pieces, found.vectors, strict=True)
        ]
        with vector_span("upsert", self.name, len(made)):
            await self.vectors.upsert(self.name, made)

    async def forget(self, where: Filter) -> None:
        """Remove vectors by their metadata from every index of messages."""
        for name in await self.vectors.names():
            if name.startswith("memory_messages_"):
                await self.vectors.delete(name, where=where)

    async def forget_due(self) -> None:
        """Remove the vectors of threads and messages that were deleted, and of threads that moved."""
        for kind in ("forget", "drop", "reindex"):
            while True:
                page = await self._storage.scan(DUE, {"kind": kind}, order=Order("at"), limit=BATCH)
                if not page.records:
                    break
                for record in page.records:
                    await self._forget_one(record.value)
                await self._storage.write([Delete(DUE, record.key) for record in page.records])

    async def _forget_one(self, row: Row) -> None:
        if row["kind"] == "drop":
            await self.forget({"messageId": {"$in": row["messageIds"]}})
            return
        await self.forget({"threadId": row["threadId"]})
        if row["kind"] == "reindex":
            await self._reembed(row["threadId"])

    async def _reembed(self, thread_id: str) -> None:
        after: str | None = None
        while True:
            where: Filter = {"threadId": thread_id}
            page = await self._storage.scan(MESSAGES, where, order=Order("order"), after=after, limit=BATCH)
            await self._embed([record.value for record in page.records if record.value["role"] != "system"])
            after = page.after
            if after is None:
                return


def _scope(recall: SemanticRecall, thread_id: str, resource_id: str | None) -> Filter:
    scope: Filter = {"threadId": thread_id}
    if recall.scope == "resource" and resource_id is not None:
        scope = {"resourceId": resource_id}
    return {"$and": [scope, recall.filter]} if recall.filter else scope


def _best(matches: Sequence[Match], recall: SemanticRecall) -> list[Match]:
    best: dict[str, Match] = {}
    for match in matches:
        if recall.threshold is None or match.score >= recall.threshold:
            best.setdefault((match.metadata or {}).get("messageId", match.id), match)
    return list(best.values())[: recall.top_k]


def metadata_of(row: Row) -> Row:
    """What can be filtered by, and where in its thread the message stands."""
    return {
        "messageId": row["id"],
        "threadId": row["threadId"],
        "order": row["order"],
        "resourceId": row["resourceId"],
        "role": row["role"],
        "createdAt": row["createdAt"],
    }


def text_of(row: Row) -> str:
    """The text parts of a stored message."""
    return "\n".join(
        part["text"]
        for part in row["content"].get("parts", ())
        if part.get("type") == "text" and isinstance(part.get("text"), str) and part["text"].strip()
    )


def chunks(text: str) -> list[str]:
    """A long text in pieces that an embedder takes, cut at a space where there is one."""
    pieces: list[str] = []
    while text and len(pieces) < MAX_CHUNKS:
        if len(text) <= CHUNK:
            pieces.append(text)
            break
        cut = text.rfind(" ", CHUNK // 2, CHUNK)
        cut = CHUNK if cut < 0 else cut
        pieces.append(text[:cut])
        text = text[cut:].lstrip()
    return pieces


def is_worth_retrying(error: BaseException) -> bool:
    """Whether the same work may succeed a little later."""
    return isinstance(error, MastraError) and error.retryable
