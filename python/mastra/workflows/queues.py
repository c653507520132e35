"""Queues: runs that wait their turn. Priority, limits per queue and per key, rates and debounce, over all processes."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, Conflict, InputError, InvalidInput, RunMissing
from mastra.types.ids import check_id, new_id
from mastra.types.records import Delete, Expect, Operation, Order, Put, Record, Table
from mastra.types.schema import to_json
from mastra.workflows.tables import RUNS, run_key
from mastra.workflows.worker import Worker

if TYPE_CHECKING:
    from mastra.runtime.services import Services

log = logging.getLogger("mastra.queues")

ITEMS = Table("workflow_queue", ("queue+state+rank", "queue+debounce"))
GATES = Table("workflow_queue_gates")

_BUSY = ("pending", "running", "waiting")
_LOOK = 200
# Keeps what one process lines up within a millisecond in the order it came.
_order = itertools.count()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a queue allows. `concurrency` counts all runs at work, `per_key` those with the same key.

    `rate` is at most so many starts in each period of `period_s` seconds.
    """

    concurrency: int | None = None
    per_key: int | None = None
    rate: int | None = None
    period_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("concurrency", "per_key", "rate"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadDefinition(f"The limit {name} of a queue must be at least 1.")
        if self.period_s <= 0:
            raise BadDefinition("The period of a queue must be greater than zero.")


class Queue:
    """A named queue of runs in the application's storage; every process with the same name serves it."""

    def __init__(self, services: Services, name: str, limits: Limits | None = None) -> None:
        if services.storage is None:
            raise BadDefinition("A queue needs a storage.", hint='Mastra(storage="sqlite:///app.db")')
        self.services = services
        self.name = check_id(name, "queue name")
        self.limits = limits or Limits()
        self.worker = Worker.of(services)
        self.storage = self.worker.storage
        self.worker.chores.append(self.dispatch)
        self._lock = asyncio.Lock()

    async def put(
        self,
        workflow: str,
        input: Any,
        *,
        key: str = "",
        priority: int = 0,
        run_id: str | None = None,
        debounce: str | None = None,
        debounce_s: float = 0.0,
    ) -> str:
        """Line up a run; its id. Higher `priority` goes first, equal ones in the order they came.

        With `debounce`, a later call with the same word replaces the one that has not begun, and the wait of
        `debounce_s` seconds begins anew.
        """
        if not -1_000_000 <= priority <= 1_000_000:
            raise InvalidInput("A priority is a whole number between -1000000 and 1000000.")
        definition = self._workflow(workflow)
        if definition is None:
            raise InvalidInput(f"There is no workflow {workflow!r}.")
        definition.accept(input)
        await self.storage.open()
        id = check_id(run_id, "run id") if run_id is not None else new_id()  # noqa: A001 - the word of the protocol
        place, now = f"{self.name}/{id}", self.worker.now()
        item = {
            "queue": self.name, "workflow": workflow, "runId": id, "input": to_json(input), "key": key,
            "priority": priority, "state": "waiting", "debounce": debounce, "rev": os.urandom(6).hex(),
            "notBefore": now + round(debounce_s * 1000), "createdAt": now,
            "rank": f"{2_000_000 - priority:07d}-{now:015d}-{next(_order):012d}-{os.urandom(4).hex()}",
        }  # fmt: skip
        while await self.storage.get(ITEMS, place) is None:
            batch: list[Operation] = [Expect(ITEMS, place, None), Put(ITEMS, place, item)]
            if debounce is not None:
                same = {"queue": self.name, "debounce": debounce, "state": "waiting"}
                for one in (await self.storage.scan(ITEMS, same)).records:
                    batch += [Expect(ITEMS, one.key, {"state": "waiting"}), Delete(ITEMS, one.key)]
            try:
                await self.storage.write(batch)
            except Conflict:
                continue  # the same run was lined up, or one that this replaces has begun
            await self.worker.ensure()
            self.worker.kick()
        return id

    async def size(self) -> int:
        """How many runs wait."""
        return await self.storage.count(ITEMS, {"queue": self.name, "state": "waiting"})

    async def dead_letters(self) -> list[dict[str, Any]]:
        """The items whose runs failed, with their input, until they are put again or dropped."""
        page = await self.storage.scan(ITEMS, {"queue": self.name, "state": "failed"}, order=Order("rank"), limit=1_000)
        return [row.value for row in page.records]

    async def drop(self, run_id: str) -> None:
        """Remove an item that waits or failed."""
        row = await self.storage.get(ITEMS, f"{self.name}/{run_id}")
        if row is None or row["state"] == "started":
            raise RunMissing(f"No run {run_id!r} waits in queue {self.name!r}.", run_id=run_id)
        await self.storage.write([Delete(ITEMS, f"{self.name}/{run_id}")])

    def _workflow(self, name: str) -> Any:
        return self.services.workflows.get(name) or self.worker.workflows.get(name)

    # ------------------------------------------------------------ dispatch

    async def dispatch(self) -> None:
        """Start what the limits allow. One process at a time decides, by compare-and-set on the queue's gate."""
        async with self._lock:
            while await self._dispatch_once():
                continue

    async def _dispatch_once(self) -> bool:
        waiting = await self._items("waiting")
        started = await self._items("started")
        if not waiting and not started:
            return False
        gate = await self.storage.get(GATES, self.name)
        now = self.worker.now()
        finished = [one for one in started if not await self._is_busy(one)]
        at_work = [one for one in started if one not in finished]
        starts = [moment for moment in (gate or {}).get("starts", []) if moment > now - self.limits.period_s * 1000]
        chosen = self._choose(waiting, at_work, starts, now)
        if not chosen and not finished:
            return False
        starts += [now] * len(chosen) if self.limits.rate is not None else []
        batch: list[Operation] = [
            Expect(GATES, self.name, {"rev": gate["rev"]} if gate else None),
            Put(GATES, self.name, {"rev": os.urandom(6).hex(), "starts": starts}),
        ]
        batch += [await self._close(one) for one in finished]
        batch += [Put(ITEMS, one.key, {**one.value, "state": "started", "startedAt": now}) for one in chosen]
        batch += [Expect(ITEMS, one.key, {"rev": one.value["rev"]}) for one in chosen]
        try:
            await self.storage.write(batch)
        except Conflict:
            return True
        for one in chosen:
            await self._start(one)
        return bool(finished)

    async def _items(self, state: str) -> list[Record]:
        found: list[Record] = []
        after = None
        while True:
            where = {"queue": self.name, "state": state}
            page = await self.storage.scan(ITEMS, where, order=Order("rank"), after=after, limit=_LOOK)
            found += page.records
            after = page.after
            if after is None:
                return found

    def _choose(self, waiting: list[Record], at_work: list[Record], starts: list[int], now: int) -> list[Record]:
        limits, keys = self.limits, [one.value["key"] for one in at_work]
        room = len(waiting) if limits.concurrency is None else limits.concurrency - len(at_work)
        if limits.rate is not None:
            room = min(room, limits.rate - len(starts))
        chosen: list[Record] = []
        for one in waiting:
            if len(chosen) >= room:
                break
            key = one.value["key"]
            if self._workflow(one.value["workflow"]) is None:
                continue  # for a process that has it
            if one.value["notBefore"] > now or (limits.per_key is not None and keys.count(key) >= limits.per_key):
                continue
            keys.append(key)
            chosen.append(one)
        return chosen

    async def _is_busy(self, item: Record) -> bool:
        row = await self.storage.get(RUNS, run_key(item.value["workflow"], item.value["runId"]))
        if row is None:
            # Chosen by a process that died before it started the run: started again, which finds it if it is there.
            if (
                self.worker.now() - item.value["startedAt"] > 5_000
                and self._workflow(item.value["workflow"]) is not None
            ):
                await self._start(item)
            return True
        return row["status"] in _BUSY

    async def _close(self, item: Record) -> Operation:
        row = await self.storage.get(RUNS, run_key(item.value["workflow"], item.value["runId"]))
        if row is not None and row["status"] in ("failed", "tripwire"):
            return Put(ITEMS, item.key, {**item.value, "state": "failed"})
        return Delete(ITEMS, item.key)

    async def _start(self, item: Record) -> None:
        workflow = self._workflow(item.value["workflow"])
        run = await workflow.create_run(item.value["runId"])
        try:
            await run.start_async(item.value["input"])
        except InputError as error:
            # Another definition may have taken it; this one never does.
            log.warning("run %s of queue %s did not start: %s", run.run_id, self.name, error)
            await self.storage.write([Put(ITEMS, item.key, {**item.value, "state": "failed"})])
            return
        background = self.services.background
        background.spawn(self._watch(run), f"queue-{self.name}")

    async def _watch(self, run: Any) -> None:
        await run.wait()
        self.worker.kick()
