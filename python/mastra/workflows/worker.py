"""A process that carries runs: its lease, its timers, and the runs it takes over from processes that died."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra.errors import Conflict, MastraError, StorageUnavailable
from mastra.types.ids import new_id
from mastra.types.records import Delete, Expect, Order, Put
from mastra.workflows import crashpoints
from mastra.workflows.commits import Committer
from mastra.workflows.dispatch import Dispatch
from mastra.workflows.inbox import Outbox
from mastra.workflows.tables import RUNS, WORKERS

if TYPE_CHECKING:
    from mastra.ports.storage import Storage
    from mastra.runtime.services import Services
    from mastra.workflows.carrier import Carrier

log = logging.getLogger("mastra.workflows")

# A run that was taken over so often kills its workers: it is failed instead of tried for ever.
MAX_RECOVERIES = 100
_BATCH = 200


class Worker:
    """One per application and process. Starts by itself with the first durable run."""

    def __init__(
        self,
        services: Services,
        *,
        lease_s: float = 3.0,
        tick_s: float = 0.5,
        park_after_s: float = 10.0,
    ) -> None:
        assert services.storage is not None
        self.services = services
        self.storage: Storage = services.storage
        self.clock = services.clock
        self.id = f"{host_name()}:{os.getpid()}:{new_id()[:8]}"
        self.lease_s = lease_s
        self.tick_s = tick_s
        self.park_after_s = park_after_s
        # Runs this process carries or somebody here waits for, by key.
        self.active: dict[str, Carrier[Any, Any]] = {}
        self._watchers: dict[str, list[asyncio.Future[None]]] = {}
        self._lease_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Lock
        self._due: asyncio.Event
        self._next_due: int | None = None
        # Runs of this process whose pass broke off; they are taken up again.
        self.orphans: set[str] = set()
        # Workflows that are bound to the application without being registered there.
        self.workflows: dict[str, Any] = {}
        self.dispatch = Dispatch(self)
        self.committer, self.outbox = self._new_committer(), Outbox(self.storage, self.clock)
        self._rev_prefix, self._revs = new_id()[:13], itertools.count()
        # Other things to do on every tick: schedules, queues.
        self.chores: list[Callable[[], Any]] = []

    @classmethod
    def of(cls, services: Services) -> Worker:
        """The worker of an application."""
        if services.workflow_worker is None or services.workflow_worker.storage is not services.storage:
            services.workflow_worker = cls(services)
        worker: Worker = services.workflow_worker
        return worker

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self.clock.now().timestamp() * 1000)

    def new_rev(self) -> str:
        """A revision that no row of a run ever had."""
        return f"{self._rev_prefix}.{next(self._revs):x}"

    def _new_committer(self) -> Committer:
        return Committer(self.storage, self.clock, lambda: len(self.active) > 1)

    # ------------------------------------------------------------ life

    async def ensure(self) -> None:
        """Hold a lease; starts the worker when it does not run yet."""
        if not self._tasks or self._loop is not asyncio.get_running_loop():
            await self.start()

    async def start(self) -> None:
        """Take a lease, begin to renew it, to watch the timers and to look for runs that were left."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # A process may run one loop after another; what belonged to the old one ended with it.
            self._loop, self._starting, self._due = loop, asyncio.Lock(), asyncio.Event()
            self._tasks, self.active, self._watchers = [], {}, {}
            self.committer, self.outbox = self._new_committer(), Outbox(self.storage, self.clock)
        async with self._starting:
            if self._tasks:
                return
            await self.storage.open()
            await self._renew()
            await self.dispatch.start()
            for work, name in ((self._keep_lease, "lease"), (self._look_after, "timers")):
                self._tasks.append(loop.create_task(work(), name=f"mastra-worker-{name}"))

    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Give the runs at work `grace_s` seconds, hand the rest over at once, let the lease go."""
        tasks, self._tasks = self._tasks, []
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.dispatch.stop(grace_s=grace_s)
        running = [run.task for run in self.active.values() if run.task is not None]
        if running:
            _, left = await asyncio.wait(running, timeout=grace_s)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=1.0)
        self._lease_until = 0.0
        try:
            # Who looks next sees a lease that is over, and takes what is left.
            await self.storage.write([Put(WORKERS, self.id, self._row(until=0))])
        except MastraError as error:
            log.warning("the lease of %s could not be let go: %s", self.id, error)

    def _row(self, until: int) -> dict[str, Any]:
        return {"leaseUntil": until, "pid": os.getpid(), "host": host_name(), "born": process_birth(os.getpid())}

    async def _renew(self) -> None:
        asked = self.clock.monotonic()
        await self.storage.write([Put(WORKERS, self.id, self._row(until=self.now() + round(self.lease_s * 1000)))])
        self._lease_until = asked + self.lease_s

    @property
    def lease_is_over(self) -> bool:
        """Whether others may take this process for dead."""
        return bool(self._tasks) and self.clock.monotonic() > self._lease_until

    async def _keep_lease(self) -> None:
        while True:
            await self.clock.sleep(self.lease_s / 4)
            try:
                await self._renew()
            except StorageUnavailable as error:
                log.warning("the lease of %s was not renewed: %s", self.id, error)

    # ------------------------------------------------------------ looking after runs

    def expects(self, due: int) -> None:
        """A run was parked until `due`; look then, if nothing earlier comes."""
        if self._next_due is None or due < self._next_due:
            self._next_due = due
            self._ring()

    def kick(self) -> None:
        """Look at once."""
        self._next_due = 0
        self._ring()

    def _ring(self) -> None:
        if self._loop is not None:
            self._due.set()

    async def _look_after(self) -> None:
        while True:
            for chore in (self.recover, self.fire_timers, self._heed_notices, self._adopt_orphans, *self.chores):
                try:
                    await chore()
                except (StorageUnavailable, Conflict) as error:
                    log.warning("the worker %s will look again: %s", self.id, error)
                except Exception:
                    log.exception("the worker %s failed at a chore", self.id)
            pause = self.tick_s
            if self._next_due is not None:
                pause = max(0.0, min(pause, (self._next_due - self.now()) / 1000))
            self._due.clear()
            if pause > 0:
                ringing = asyncio.ensure_future(self._due.wait())
                sleeping = asyncio.ensure_future(self.clock.sleep(pause))
                try:
                    await asyncio.wait({ringing, sleeping}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ringing.cancel()
                    sleeping.cancel()

    async def fire_timers(self) -> None:
        """Take up the parked runs whose moment has come."""
        now = self.now()
        page = await self.storage.scan(RUNS, {"timer": "set"}, order=Order("wakeAt"), limit=1)
        if page.records and page.records[0].value["wakeAt"] <= now:
            page = await self.storage.scan(RUNS, {"timer": "set"}, order=Order("wakeAt"), limit=_BATCH)
        due = [row for row in page.records if row.value["wakeAt"] <= now]
        taken = await asyncio.gather(*(self.take(row.key, row.value) for row in due))
        left = page.records[len(due) :]
        self._next_due = left[0].value["wakeAt"] if left else now if any(taken) else None

    async def recover(self) -> None:
        """Take over the runs of workers whose lease is over, or whose process on this machine is gone."""
        page = await self.storage.scan(WORKERS, limit=1000)
        for row in page.records:
            if row.key == self.id or not self._is_gone(row.value):
                continue
            left = 0
            while True:
                runs = await self.storage.scan(RUNS, {"owner": row.key}, limit=_BATCH)
                # Side by side: their claims are then committed together.
                taken = await asyncio.gather(*(self.take(one.key, one.value) for one in runs.records))
                left = len(taken) - sum(taken)
                if not any(taken):
                    break
            if left == 0:
                try:
                    where = {"leaseUntil": row.value["leaseUntil"]}
                    await self.storage.write([Expect(WORKERS, row.key, where), Delete(WORKERS, row.key)])
                except Conflict:
                    continue  # it lives after all

    def _is_gone(self, row: dict[str, Any]) -> bool:
        if row["leaseUntil"] < self.now():
            return True
        if row["host"] != host_name() or not row.get("born"):
            return False
        return bool(process_birth(row["pid"]) != row["born"])

    async def take(self, key: str, row: dict[str, Any], *, at_once: bool = False) -> bool:
        """Carry on a run that nobody carries; False when it was not to be had."""
        workflow = self.services.workflows.get(row["workflow"]) or self.workflows.get(row["workflow"])
        if workflow is None or key in self.active:
            return False
        crashpoints.reach("in-recovery")
        return bool(await workflow.take_over(row, at_once=at_once))

    async def _heed_notices(self) -> None:
        page = await self.storage.scan(RUNS, {"notify": self.id}, limit=_BATCH)
        for row in page.records:
            run = self.active.get(row.key)
            if run is not None:
                await run.obey_cancel()
            else:
                await self.take(row.key, row.value)

    async def _adopt_orphans(self) -> None:
        for key in list(self.orphans):
            row = await self.storage.get(RUNS, key)
            if row is None or row["owner"] != self.id or await self.take(key, row):
                self.orphans.discard(key)

    # ------------------------------------------------------------ waiting for runs

    def settled(self, key: str) -> None:
        """Tell whoever waits here that a run ended or waits for somebody."""
        for waiter in self._watchers.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def watch(self, key: str, seconds: float) -> None:
        """Return when a run here has settled, or after `seconds`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.setdefault(key, []).append(waiter)
        sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait({waiter, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            if waiter in self._watchers.get(key, ()):
                self._watchers[key].remove(waiter)


def host_name() -> str:
    """Names the machine and the process namespace: only there does a process id mean anything."""
    global _HOST  # noqa: PLW0603 - read once
    if _HOST is None:
        _HOST = _read_host()
    return _HOST


_HOST: str | None = None


def _read_host() -> str:
    if sys.platform != "linux":
        return f"other-{new_id()[:12]}"
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115 - a link that names no path
    except OSError:
        return f"other-{new_id()[:12]}"
    return f"{boot[:13]}-{space}"


def process_birth(pid: int) -> str | None:
    """When the process began, as Linux counts; None when there is none or nobody can tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    # A zombie is dead: its parent has merely not looked yet.
    return None if fields[0] in "ZX" else fields[19]
