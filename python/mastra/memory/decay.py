"""Forgetting: what is old and unimportant goes, what matters stays. By a declared policy, with a dry run and an audit.

A message's worth is its importance times one half for each half-life of its age. Importance is what was set in the
message's metadata (`importance`, 0 to 1), else a guess from who said it and how it was said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mastra.errors import BadDefinition, Conflict
from mastra.memory.tables import DUE, MESSAGES
from mastra.memory.threads import ThreadRepo
from mastra.types.ids import new_id
from mastra.types.messages import Message
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Put, Table
from mastra.types.times import from_wire, to_wire

AUDIT = Table("memory_audit", ("at",))
# Whoever answers meanwhile waits for one batch: it is made as small as it must be to take no longer than this.
BATCH_S = 0.003
SMALLEST, LARGEST = 10, 200
_WEIGHTY = ("remember", "important", "never", "always", "my name", "deadline", "password", "prefer", "allergic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """When a message may be forgotten: worth below `keep_above`, older than `min_age`, not among the newest."""

    half_life: timedelta = timedelta(days=30)
    keep_above: float = 0.1
    min_age: timedelta = timedelta(days=7)
    # The newest messages of each thread stay whatever they are worth.
    keep_last: int = 20
    importance: dict[str, float] = field(default_factory=lambda: {"user": 0.5, "assistant": 0.4, "system": 1.0})

    def __post_init__(self) -> None:
        if self.half_life <= timedelta(0) or not 0 <= self.keep_above <= 1 or self.keep_last < 0:
            raise BadDefinition("Decay needs a half-life, keep_above between 0 and 1, and keep_last of at least 0.")

    def importance_of(self, row: dict[str, Any]) -> float:
        """Between 0 and 1."""
        set_by_hand = (row["content"].get("metadata") or {}).get("importance")
        if isinstance(set_by_hand, int | float) and not isinstance(set_by_hand, bool):
            return min(1.0, max(0.0, float(set_by_hand)))
        text = Message.from_wire(row).text.casefold()
        guess = self.importance.get(row["role"], 0.4)
        if any(word in text for word in _WEIGHTY):
            guess += 0.4
        return min(1.0, guess)

    def worth(self, row: dict[str, Any], now: datetime) -> float:
        """Importance, halved for each half-life of age."""
        age = max(timedelta(0), now - from_wire(row["createdAt"]))
        return float(self.importance_of(row) * 0.5 ** (age / self.half_life))


class Forgotten(NamedTuple):
    """What a clean-up did, or would do: how many it looked at, and the messages that go, with their worth."""

    looked_at: int
    removed: int
    worths: dict[str, float]
    audit_id: str | None


class _Pace:
    """How much is done at once: as much as took a moment the last time, and then as long a rest."""

    def __init__(self) -> None:
        self.size = SMALLEST
        self._began = time.perf_counter()

    async def rest(self) -> None:
        """Leave to others as much time as the last batch took."""
        took = time.perf_counter() - self._began
        self.size = max(SMALLEST, min(LARGEST, int(self.size * min(2.0, BATCH_S / max(took, 1e-6)))))
        await asyncio.sleep(min(took, 1.0))
        self._began = time.perf_counter()


async def forget(
    threads: ThreadRepo,
    policy: Decay,
    *,
    now: datetime,
    resource_id: str | None = None,
    thread_id: str | None = None,
    dry_run: bool = False,
    most: int = 100_000,
) -> Forgotten:
    """Remove what the policy lets go, in small batches between which others have their turn."""
    scope: Filter = {}
    if resource_id is not None:
        scope["resourceId"] = resource_id
    if thread_id is not None:
        scope["threadId"] = thread_id
    looked_at = removed = 0
    worths: dict[str, float] = {}
    pace = _Pace()
    async for rows in _old_rows(threads, policy, scope, now, pace):
        looked_at += len(rows)
        going = {row["id"]: policy.worth(row, now) for row in rows}
        going = {message_id: worth for message_id, worth in going.items() if worth < policy.keep_above}
        kept_ids = await _newest(threads, policy, {row["threadId"] for row in rows if row["id"] in going})
        victims = [row for row in rows if row["id"] in going and row["id"] not in kept_ids][: most - removed]
        if not dry_run and victims:
            victims = await _remove(threads, victims)
        removed += len(victims)
        if len(worths) < 1000:
            worths.update({row["id"]: round(going[row["id"]], 4) for row in victims})
        if removed >= most:
            break
        await pace.rest()
    audit_id = None
    if not dry_run:
        audit_id = new_id()
        record = {"at": to_wire(now), "kind": "decay", "scope": scope, "lookedAt": looked_at, "removed": removed}
        rule = {"halfLifeS": policy.half_life.total_seconds(), "keepAbove": policy.keep_above}
        await threads.storage.write([Put(AUDIT, audit_id, {**record, "policy": rule, "worths": worths})])
    return Forgotten(looked_at, removed, worths, audit_id)


async def _old_rows(
    threads: ThreadRepo, policy: Decay, scope: Filter, now: datetime, pace: _Pace
) -> AsyncIterator[list[dict[str, Any]]]:
    """Messages older than the policy's age, a batch at a time."""
    where: Filter = {**scope, "order": {"$lt": to_wire(now - policy.min_age)}}
    order = Order("order") if scope else None
    after: str | None = None
    while True:
        page = await threads.storage.scan(MESSAGES, where, order=order, after=after, limit=pace.size)
        if page.records:
            yield [record.value for record in page.records]
        after = page.after
        if after is None:
            return


async def _newest(threads: ThreadRepo, policy: Decay, thread_ids: set[str]) -> set[str]:
    if policy.keep_last == 0:
        return set()
    lasts = await asyncio.gather(
        *(threads.messages.last({"threadId": thread_id}, policy.keep_last) for thread_id in thread_ids)
    )
    return {row["id"] for rows in lasts for row in rows}


async def _remove(threads: ThreadRepo, victims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    batch: list[Operation] = []
    for row in victims:
        # A message that was changed since the look stays.
        batch += [Expect(MESSAGES, row["id"], {"step": row["step"]}), Delete(MESSAGES, row["id"])]
    if threads.has_vectors:
        due = {"kind": "drop", "messageIds": [row["id"] for row in victims], "at": ""}
        batch.append(Put(DUE, f"drop/{new_id()}", due))
    try:
        await threads.storage.write(batch)
    except Conflict:
        return []
    return victims
