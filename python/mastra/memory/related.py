"""The messages that fit what is said now, read together with the rest of a turn.

Where the vectors are held in this process, what they say is taken for true while storage is asked whether it still is:
so the messages are read side by side with everything else, and only somebody else's new vectors cost a second read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mastra.memory.message_log import MessageLog
from mastra.memory.options import SemanticRecall
from mastra.memory.semantic import SemanticIndex
from mastra.ports.vectors import Match

Row = dict[str, Any]


async def related(
    semantic: SemanticIndex,
    messages: MessageLog,
    recall: SemanticRecall,
    query: str,
    *,
    thread_id: str,
    resource_id: str | None,
) -> list[Row]:
    """The matching messages that the caller may see, with their neighbours, each once."""
    found: list[Row] = []
    early = await semantic.glance(query, recall, thread_id, resource_id)
    current = False
    if early is not None:
        current, found = await asyncio.gather(semantic.is_current(), _around(messages, early, recall))
    if not current:
        matches = await semantic.query(query, recall, thread_id, resource_id)
        if matches != early:
            found = await _around(messages, matches, recall)
    # The row decides who may see it, not its vector.
    return [
        row
        for row in found
        if row["threadId"] == thread_id or (resource_id is not None and row["resourceId"] == resource_id)
    ]


async def _around(messages: MessageLog, matches: Sequence[Match], recall: SemanticRecall) -> list[Row]:
    before, after = recall.neighbours
    places = {str((match.metadata or {}).get("messageId", match.id)): match.metadata or {} for match in matches}
    # Vectors of an earlier release do not say where their message stands.
    unplaced = [message_id for message_id, place in places.items() if "order" not in place or "threadId" not in place]
    if unplaced:
        rows = await messages.get_many(unplaced)
        places = {one: rows.get(one, place) for one, place in places.items() if one in rows or one not in unplaced}
    groups = await asyncio.gather(*(messages.around(place, before, after) for place in places.values()))
    return list(
        {
            row["id"]: row
            for message_id, group in zip(places, groups, strict=True)
            # A message that is gone takes its neighbours with it.
            if any(row["id"] == message_id for row in group)
            for row in group
        }.values()
    )
