"""Searching messages for people: by meaning when there are vectors, else by the words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra.errors import InvalidInput, Unsupported
from mastra.memory.read_through import ReadThrough
from mastra.memory.tables import MESSAGES, THREADS
from mastra.ports.storage import Storage, SupportsTextSearch
from mastra.types.messages import Message
from mastra.types.records import Filter, Order

if TYPE_CHECKING:
    from mastra.memory.options import SemanticRecall
    from mastra.memory.semantic import SemanticIndex
    from mastra.memory.threads import ThreadRepo

Row = dict[str, Any]
MAX_SCANNED = 20_000
MAX_LIMIT = 100


class SearchPage(NamedTuple):
    """What was found, with a neighbour on each side, and how."""

    results: list[Row]
    query: str
    scope: str
    type: str

    def to_wire(self) -> Row:
        """The JSON of the HTTP protocol."""
        return {
            "results": self.results,
            "count": len(self.results),
            "query": self.query,
            "searchScope": self.scope,
            "searchType": self.type,
        }


async def search_messages(
    threads: ThreadRepo,
    semantic: SemanticIndex | None,
    recall: SemanticRecall | None,
    query: str,
    *,
    resource_id: str,
    thread_id: str | None,
    limit: int,
    indexed: bool = False,
) -> SearchPage:
    """The messages of a resource (of one of its threads) that fit `query`, best or newest first.

    With `indexed`, storage looks for whole words in its index; else the newest messages are read through.
    """
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"The limit is between 1 and {MAX_LIMIT}.")
    scope = "thread" if thread_id is not None and (recall is None or recall.scope == "thread") else "resource"
    where: Filter = {"resourceId": resource_id}
    if thread_id is not None:
        await threads.row(thread_id, resource_id=resource_id)
    if scope == "thread":
        where["threadId"] = thread_id
    if semantic is not None and recall is not None:
        rows = await _by_meaning(threads, semantic, recall, query, where, limit)
    elif indexed:
        rows = await _by_index(threads, query, where, limit)
    else:
        rows = await _by_words(threads, query, where, limit)
    titles = await threads.storage.get_many(THREADS, list({row["threadId"] for row in rows}))
    results = await asyncio.gather(*(_result(threads, row, titles) for row in rows))
    return SearchPage(list(results), query, scope, "text" if semantic is None else "semantic")


async def _by_meaning(
    threads: ThreadRepo, semantic: SemanticIndex, recall: SemanticRecall, query: str, where: Filter, limit: int
) -> list[Row]:
    from dataclasses import replace  # noqa: PLC0415 - only this way of searching needs it

    wide = replace(recall, top_k=limit, scope="thread" if "threadId" in where else "resource")
    matches = await semantic.query(query, wide, where.get("threadId", ""), where["resourceId"])
    ids = [str((match.metadata or {}).get("messageId", match.id)) for match in matches]
    found = await threads.messages.get_many(ids)
    mine = [found[message_id] for message_id in ids if message_id in found]
    return [row for row in mine if row["resourceId"] == where["resourceId"]]


async def _by_index(threads: ThreadRepo, query: str, where: Filter, limit: int) -> list[Row]:
    storage = text_search_of(threads.storage)
    if storage is None:
        raise Unsupported("This storage does not search texts.", hint="Leave text_search out.")
    found = await storage.search_text(MESSAGES, "content.parts[].text", query, where=where, limit=limit)
    return [record.value for record in found]


def text_search_of(storage: Storage) -> SupportsTextSearch | None:
    """The storage that searches texts, where this one does or reads through to one that does."""
    if isinstance(storage, ReadThrough):
        storage = storage.storage
    return storage if isinstance(storage, SupportsTextSearch) else None


async def _by_words(threads: ThreadRepo, query: str, where: Filter, limit: int) -> list[Row]:
    words = query.casefold().split()
    rows: list[Row] = []
    after: str | None = None
    scanned = 0
    while words and scanned < MAX_SCANNED:
        page = await threads.storage.scan(MESSAGES, where, order=Order("order", True), after=after, limit=500)
        for record in page.records:
            text = Message.from_wire(record.value).text.casefold()
            if all(word in text for word in words):
                rows.append(record.value)
                if len(rows) == limit:
                    return rows
        scanned += len(page.records)
        after = page.after
        if after is None:
            break
    return rows


async def _result(threads: ThreadRepo, row: Row, titles: dict[str, Row]) -> Row:
    around = await threads.messages.around(row, 1, 1)
    at = next(index for index, item in enumerate(around) if item["id"] == row["id"])
    thread = titles.get(row["threadId"], {})
    return {
        **_brief(row),
        "threadId": row["threadId"],
        "threadTitle": thread.get("title") or row["threadId"],
        "context": {
            "before": [_brief(item) for item in around[:at]],
            "after": [_brief(item) for item in around[at + 1 :]],
        },
    }


def _brief(row: Row) -> Row:
    text = Message.from_wire(row).text
    return {"id": row["id"], "role": row["role"], "content": text, "createdAt": row["createdAt"]}
