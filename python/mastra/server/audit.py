"""The audit log: one row for each request that changes or runs something, chained by a keyed hash.

A row's hash covers the row and the hash before it: a row that is changed, dropped or slipped in breaks the chain.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra.errors import BadSetting, Conflict
from mastra.server.auth import refuse_empty
from mastra.types.json import dumps
from mastra.types.records import Expect, Operation, Order, Put, Table
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.server.call import Call

AUDIT = Table("audit", indexes=("at", "actor"))
HEAD = Table("audit_head")
SECRET_VARIABLE = "MASTRA_AUDIT_SECRET"  # noqa: S105 - the name of a variable, not a secret
log = logging.getLogger("mastra.audit")


class Broken(NamedTuple):
    """Where a chain does not hold, and why."""

    number: int
    reason: str


class AuditLog:
    """Appends rows in order, a group at a time; several processes share one chain through the storage."""

    def __init__(self, storage: Storage, *, secret: str | None = None, batch: int = 256) -> None:
        given = secret if secret is not None else os.environ.get(SECRET_VARIABLE, "")
        self._key = refuse_empty(given, f"audit secret ({SECRET_VARIABLE})").encode()
        if len(self._key) < 16:
            raise BadSetting("The audit secret is shorter than 16 characters.")
        self._storage = storage
        self._waiting: deque[dict[str, Any]] = deque()
        self._batch = batch
        self._writer: asyncio.Task[None] | None = None

    def note(self, call: Call, status: int) -> None:
        """Remember a request; reads that succeeded are not kept."""
        route = call.route
        if route.method == "GET" and status < 400:
            return
        actor = call.principal.id if call.principal is not None else None
        self.append(
            {
                "at": to_wire(datetime.now(UTC)),
                "actor": actor,
                "method": route.method,
                "route": route.path,
                "params": call.params,
                "status": status,
                "requestId": call.request_id,
            }
        )

    def append(self, row: dict[str, Any]) -> None:
        """Add a row; it is written in the background, in order."""
        self._waiting.append(_storable(row))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="mastra-audit")

    async def flush(self) -> None:
        """Wait until everything is written."""
        while self._waiting or (self._writer is not None and not self._writer.done()):
            if self._writer is None or self._writer.done():
                self._writer = asyncio.get_running_loop().create_task(self._write(), name="mastra-audit")
            await asyncio.wait({self._writer})
            if self._writer.exception() is not None:
                return

    async def _write(self) -> None:
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            try:
                await self._append(rows)
            except BaseException:
                self._waiting.extendleft(reversed(rows))
                log.exception("%s audit rows could not be written; they are kept for the next attempt", len(rows))
                raise

    async def _append(self, rows: list[dict[str, Any]]) -> None:
        while True:
            head = await self._storage.get(HEAD, "head")
            number, last = (head["number"], head["hash"]) if head else (0, "")
            batch: list[Operation] = [Expect(HEAD, "head", {"number": number} if head else None)]
            for row in rows:
                number += 1
                last = self._link(last, number, row)
                batch.append(Put(AUDIT, f"{number:016d}", {**row, "number": number, "hash": last}))
            batch.append(Put(HEAD, "head", {"number": number, "hash": last, "mac": self._seal(number, last)}))
            try:
                await self._storage.write(batch)
            except Conflict:
                continue  # another process appended first: link to its rows instead
            return

    def _link(self, last: str, number: int, row: dict[str, Any]) -> str:
        text = f"{last}|{number}|{dumps(_sorted(row))}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _seal(self, number: int, last: str) -> str:
        return hmac.new(self._key, f"head|{number}|{last}".encode(), hashlib.sha256).hexdigest()

    async def verify(self) -> tuple[int, Broken | None]:
        """How many rows hold from the start on, and the first place that does not."""
        last, expected, after = "", 1, None
        while True:
            page = await self._storage.scan(AUDIT, order=None, after=after, limit=1000)
            for record in page.records:
                broken = self._judge(record.key, record.value, expected, last)
                if broken is not None:
                    return expected - 1, broken
                last = record.value["hash"]
                expected += 1
            after = page.after
            if after is None:
                break
        return expected - 1, await self._judge_head(expected - 1, last)

    def _judge(self, key: str, value: dict[str, Any], expected: int, last: str) -> Broken | None:
        if key != f"{expected:016d}" or value.get("number") != expected:
            return Broken(expected, "a row is missing or out of order")
        row = {name: item for name, item in value.items() if name not in {"number", "hash"}}
        if not hmac.compare_digest(str(value.get("hash", "")), self._link(last, expected, row)):
            return Broken(expected, "the row was changed")
        return None

    async def _judge_head(self, count: int, last: str) -> Broken | None:
        head = await self._storage.get(HEAD, "head")
        if head is None:
            return None if count == 0 else Broken(count, "the head of the chain is missing")
        if not hmac.compare_digest(str(head.get("mac", "")), self._seal(head["number"], head["hash"])):
            return Broken(count, "the head of the chain was changed")
        if head["number"] != count or head["hash"] != last:
            return Broken(count + 1, "rows are missing at the end")
        return None


def _storable(value: Any) -> Any:
    """The same without what a storage refuses: one such text in a URL would hold up every row behind it."""
    if isinstance(value, str):
        return value.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:
    """The same with the keys of every mapping in order: a database may give them back in another one."""
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in sorted(value.items())}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


async def recent(storage: Storage, *, limit: int = 100) -> list[dict[str, Any]]:
    """The newest rows first."""
    page = await storage.scan(AUDIT, order=Order("at", descending=True), limit=limit)
    return [record.value for record in page.records]
