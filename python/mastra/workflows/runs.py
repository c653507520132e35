"""The runs of one workflow: kept in this process, or in storage where every process finds them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

from mastra.errors import Conflict, InvalidInput, RunMissing
from mastra.types.ids import check_id, new_ordered_id
from mastra.types.records import Order, Record
from mastra.types.schema import to_json
from mastra.workflows.ownership import erase, load, new_journal, take_over
from mastra.workflows.records import FINAL, RunState
from mastra.workflows.run import Run
from mastra.workflows.snapshots import list_entry, matches_dates
from mastra.workflows.tables import RUNS, run_key
from mastra.workflows.worker import Worker

if TYPE_CHECKING:
    from mastra.workflows.workflow import Workflow

# Finished runs without storage are forgotten, oldest first, beyond this many.
KEPT_RUNS = 1_000


class LocalRuns:
    """Runs that end with their process."""

    def __init__(self, workflow: Workflow[Any, Any]) -> None:
        self.workflow = workflow
        self._runs: OrderedDict[str, Run[Any, Any]] = OrderedDict()

    async def create(self, run_id: str | None, resource: str | None, *, persist: bool) -> Run[Any, Any]:  # noqa: ARG002 - there is nowhere to persist
        """A run that is not started; with a known id, that run."""
        known = self._runs.get(run_id) if run_id is not None else None
        if known is not None:
            return known
        run: Run[Any, Any] = Run(self.workflow, fresh(self.workflow, run_id, resource))
        self._runs[run.run_id] = run
        if len(self._runs) > KEPT_RUNS:
            for name, one in self._runs.items():
                if one.status in FINAL or one.status == "pending":
                    del self._runs[name]
                    break
        return run

    async def get(self, run_id: str) -> Run[Any, Any]:
        """A run by its id."""
        run = self._runs.get(run_id)
        if run is None:
            raise missing(run_id)
        return run

    async def page(
        self, status: str | None, resource: str | None, dates: tuple[Any, Any], start: int, count: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Runs, newest first, as entries of the wire, and how many there are."""
        found = [
            one for one in reversed(self._runs.values())
            if (status is None or one.status == status)
            and (resource is None or one.state.resource_id == resource)
            and matches_dates(one.state.created_at, *dates)
        ]  # fmt: skip
        return [list_entry(one.state, self.workflow) for one in found[start : start + count]], len(found)

    async def count(self, status: str) -> int:
        """How many runs stand like this."""
        return sum(one.status == status for one in self._runs.values())

    async def delete(self, run_id: str) -> None:
        """Stop and forget a run."""
        run = await self.get(run_id)
        await run.cancel()
        self._runs.pop(run_id, None)

    async def send(self, run_id: str, name: str, data: Any) -> None:
        """Give a run an event."""
        run = await self.get(run_id)
        if run.status in FINAL:
            raise InvalidInput(f"Run {run_id!r} has ended as {run.status}; it takes no events.")
        await run.inbox.put(name, to_json(data))


class StoredRuns:
    """Runs that outlive their process."""

    def __init__(self, workflow: Workflow[Any, Any]) -> None:
        self.workflow = workflow
        self.worker = Worker.of(workflow.services)
        self.worker.workflows[workflow.id] = workflow
        self.storage = self.worker.storage

    async def create(self, run_id: str | None, resource: str | None, *, persist: bool) -> Run[Any, Any]:
        """A run that is not started; with a known id, that run."""
        if run_id is not None:
            try:
                return await self.get(run_id)
            except RunMissing:
                pass
        state = fresh(self.workflow, run_id, resource)
        run: Run[Any, Any] = Run(self.workflow, state, new_journal(self.worker, state))
        if persist:
            assert run.journal is not None
            try:
                await run.journal.register(state)
            except Conflict:
                return await self.get(state.run_id)
        return run

    async def get(self, run_id: str) -> Run[Any, Any]:
        """A run by its id, as it stands now."""
        key = run_key(self.workflow.id, check_id(run_id, "run id"))
        here = self.worker.active.get(key)
        if here is not None:
            return cast("Run[Any, Any]", here)
        await self.storage.open()
        row = await self.storage.get(RUNS, key)
        if row is None:
            raise missing(run_id)
        journal = await load(self.worker, row)
        return Run(self.workflow, journal.state, journal)

    async def page(
        self, status: str | None, resource: str | None, dates: tuple[Any, Any], start: int, count: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Runs, newest first, as entries of the wire, and how many there are."""
        await self.storage.open()
        where: dict[str, Any] = {"workflow": self.workflow.id}
        if status is not None:
            where["status"] = status
        if resource is not None:
            where["resourceId"] = resource
        filtered = dates != (None, None)
        wanted: list[Record] = []
        seen, after = 0, None
        while True:
            found = await self.storage.scan(
                RUNS, where, order=Order("createdAt", descending=True), after=after, limit=200
            )
            for row in found.records:
                if filtered and not matches_dates(row.value["createdAt"], *dates):
                    continue
                if start <= seen < start + count:
                    wanted.append(row)
                seen += 1
            after = found.after
            if after is None or (not filtered and len(wanted) == count):
                break
        total = seen if after is None else await self.storage.count(RUNS, where)
        return [await self._entry(row) for row in wanted], total

    async def _entry(self, row: Record) -> dict[str, Any]:
        here = self.worker.active.get(row.key)
        state = here.state if here is not None else (await load(self.worker, row.value)).state
        return list_entry(state, self.workflow)

    async def count(self, status: str) -> int:
        """How many runs stand like this."""
        await self.storage.open()
        return await self.storage.count(RUNS, {"workflow": self.workflow.id, "status": status})

    async def delete(self, run_id: str) -> None:
        """Stop a run and remove all its rows."""
        run = await self.get(run_id)
        await run.cancel()
        assert run.journal is not None
        await erase(run.journal)

    async def send(self, run_id: str, name: str, data: Any) -> None:
        """Store an event for a run, then wake whoever carries it."""
        key = run_key(self.workflow.id, check_id(run_id, "run id"))
        await self.storage.open()
        if await self.worker.outbox.send(key, name, to_json(data)):
            await self.worker.ensure()
            self.worker.kick()
        here = self.worker.active.get(key)
        if here is not None:
            here.inbox.ring()

    async def take_over(self, row: dict[str, Any], *, at_once: bool = False) -> bool:
        """Carry on a run that nobody carries."""
        return await take_over(self.workflow, self.worker, row, Run, at_once=at_once)


def fresh(workflow: Workflow[Any, Any], run_id: str | None, resource: str | None) -> RunState:
    """A run that nobody has heard of."""
    now = int(workflow.services.clock.now().timestamp() * 1000)
    id = new_ordered_id() if run_id is None else check_id(run_id, "run id")  # noqa: A001 - the word of the protocol
    state = RunState(workflow.id, id, resource, workflow.hash, now)
    state.shape = workflow.shape
    return state


def missing(run_id: str) -> RunMissing:
    """The error for an id that nobody knows."""
    return RunMissing(f"Workflow run {run_id!r} not found.", run_id=run_id, hint="")
