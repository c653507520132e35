"""Events that were sent to a run and wait to be taken: in memory, or in storage in the order they were accepted."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra.errors import Conflict, InvalidInput, RunMissing, StorageUnavailable
from mastra.types.ids import new_id
from mastra.types.records import Expect, Operation, Order, Put
from mastra.workflows.commits import commit
from mastra.workflows.records import FINAL
from mastra.workflows.tables import EVENTS, INBOXES, RUNS

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.runtime.clock import Clock

# So many events of one run are stored in one batch.
_AT_ONCE = 200


class RunEvent(NamedTuple):
    """An event sent to a run; `key` is its row in storage, empty without storage."""

    name: str
    data: Any
    key: str = ""


class Inbox:
    """The events of one run in this process: kept in order, taken once."""

    # How long a wait may last before it looks again; None: until the bell rings.
    look_again_s: float | None = None

    def __init__(self) -> None:
        self._kept: dict[str, deque[RunEvent]] = {}
        self._bell: asyncio.Event | None = None

    async def put(self, name: str, data: Any) -> None:
        """Accept an event."""
        self._kept.setdefault(name, deque()).append(RunEvent(name, data))
        self.ring()

    async def next(self, name: str) -> RunEvent | None:
        """Take the oldest event of this name."""
        kept = self._kept.get(name)
        return kept.popleft() if kept else None

    def ring(self) -> None:
        """Wake whoever waits: something may have come."""
        if self._bell is not None:
            self._bell.set()
            self._bell = None

    async def wait(self, clock: Clock, seconds: float | None) -> None:
        """Return when something may have come, or after `seconds`."""
        if self._bell is None:
            self._bell = asyncio.Event()
        bell = asyncio.ensure_future(self._bell.wait())
        limits = [one for one in (seconds, self.look_again_s) if one is not None]
        waits: set[asyncio.Future[Any]] = {bell}
        if limits:
            waits.add(asyncio.ensure_future(clock.sleep(min(limits))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()


class StoredInbox(Inbox):
    """The events of one run in storage. Taking one is part of the write that records what it led to."""

    look_again_s = 0.5

    def __init__(self, storage: Storage, run: str) -> None:
        super().__init__()
        self.storage = storage
        self.run = run
        # Taken in this pass and not yet deleted by a record: not to be seen again by a wait beside it.
        self._taken: set[str] = set()
        # How many events of a name had ever come when somebody looked and found none.
        self._looked: dict[str, int] = {}

    async def next(self, name: str) -> RunEvent | None:
        """The oldest event of this name that is not taken."""
        event = await self._oldest(name)
        if event is not None:
            return event
        head = await self.storage.get(INBOXES, f"{self.run}/{name}")
        count = head["n"] if head else 0
        if self._looked.get(name) == count:
            return None
        # First counted, then looked: what the look does not find comes later and is counted.
        self._looked[name] = count
        return await self._oldest(name)

    def recorded(self, event: RunEvent) -> None:
        """A taken event is deleted, together with the record of what it led to."""
        self._taken.discard(event.key)

    def nothing_came(self) -> list[Expect]:
        """Preconditions: since this pass looked for events and found none, none has come."""
        return [
            Expect(INBOXES, f"{self.run}/{name}", {"n": count} if count else None)
            for name, count in self._looked.items()
        ]

    def look_afresh(self) -> None:
        """Another pass begins."""
        self._looked.clear()

    async def _oldest(self, name: str) -> RunEvent | None:
        page = await self.storage.scan(
            EVENTS, {"inbox": f"{self.run}/{name}"}, order=Order("n"), limit=len(self._taken) + 1
        )
        for row in page.records:
            if row.key not in self._taken:
                self._taken.add(row.key)
                return RunEvent(name, row.value["data"], row.key)
        return None


class _Sent(NamedTuple):
    """An event on its way, and whoever waits for it."""

    name: str
    data: Any
    mark: str
    done: asyncio.Future[bool]


class Outbox:
    """Stores the events that one process sends to runs. What is sent to one run at the same time is stored together."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        # By run; a run that is here has a task that stores them.
        self._waiting: dict[str, deque[_Sent]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, run: str, name: str, data: Any) -> bool:
        """Store an event for a run behind those that are there; True when the run must be woken by a worker."""
        loop = asyncio.get_running_loop()
        sent = _Sent(name, data, new_id(), loop.create_future())
        waiting = self._waiting.get(run)
        if waiting is not None:
            waiting.append(sent)
        else:
            self._waiting[run] = deque([sent])
            task = loop.create_task(self._drain(run), name=f"mastra-events-{run}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await sent.done

    async def _drain(self, run: str) -> None:
        waiting = self._waiting[run]
        try:
            while waiting:
                group = [waiting.popleft() for _ in range(min(len(waiting), _AT_ONCE))]
                # Who gave up meanwhile is spared, as a call that was never made.
                await self._store(run, [one for one in group if not one.done.done()])
        finally:
            del self._waiting[run]
            for one in waiting:
                one.done.cancel()

    async def _store(self, run: str, group: list[_Sent]) -> None:
        try:
            parked = await _store(self._storage, self._clock, run, group)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            if len(group) > 1 and not isinstance(error, StorageUnavailable):
                for one in group:
                    await self._store(run, [one])
                return
            for one in group:
                if not one.done.done():
                    one.done.set_exception(error)
        except BaseException:
            for one in group:
                one.done.cancel()
            raise
        else:
            for one in group:
                if not one.done.done():
                    one.done.set_result(parked)


async def _store(storage: Storage, clock: Clock, run: str, group: Sequence[_Sent]) -> bool:
    """Store events in their order; True when nobody carries the run."""
    while group:
        row = await storage.get(RUNS, run)
        if row is None:
            raise RunMissing(f"Workflow run {run.partition('/')[2]!r} not found.", run_id=run.partition("/")[2])
        if row["status"] in FINAL:
            raise InvalidInput(f"Run {row['runId']!r} has ended as {row['status']}; it takes no events.")
        inboxes = [f"{run}/{name}" for name in dict.fromkeys(one.name for one in group)]
        heads = await storage.get_many(INBOXES, inboxes)
        counts = {inbox: heads[inbox]["n"] if inbox in heads else 0 for inbox in inboxes}
        batch: list[Operation] = [
            Expect(INBOXES, inbox, {"n": count} if count else None) for inbox, count in counts.items()
        ]
        last: dict[str, str] = {}
        for one in group:
            inbox = f"{run}/{one.name}"
            n = counts[inbox] = counts[inbox] + 1
            last[inbox] = one.mark
            event = {"inbox": inbox, "n": n, "run": run, "name": one.name, "data": one.data, "mark": one.mark}
            batch.append(Put(EVENTS, f"{inbox}/{n:010d}", event))
        end = f"{run}/{group[-1].name}"
        is_there = functools.partial(_is_there, storage, end, f"{end}/{counts[end]:010d}", group[-1].mark)
        batch += [Put(INBOXES, inbox, {"n": counts[inbox], "run": run, "last": mark}) for inbox, mark in last.items()]
        batch.append(Expect(RUNS, run, {"rev": row["rev"]}))
        parked = row["status"] == "waiting" and row["owner"] is None
        if parked:
            # Nobody carries the run: whoever looks next finds it due.
            batch.append(Put(RUNS, run, {**row, "wakeAt": int(clock.now().timestamp() * 1000), "timer": "set"}))
        try:
            await commit(storage, clock, batch, is_there)
        except Conflict:
            continue
        return parked
    return False


async def _is_there(storage: Storage, inbox: str, key: str, mark: str) -> bool:
    """Whether an event was stored: it is still there, or was taken and was the last of its inbox."""
    event, head = await storage.get(EVENTS, key), await storage.get(INBOXES, inbox)
    return mark in ((event or {}).get("mark"), (head or {}).get("last"))
