"""Schedules: workflows and agents that start by the clock, once for each moment, whichever process looks first."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, Conflict, InvalidInput, MastraError, NotFound
from mastra.types.ids import check_id, new_id
from mastra.types.records import Delete, Expect, Order, Put, Record, Table
from mastra.types.schema import to_json
from mastra.types.times import from_wire
from mastra.workflows.cron import Cron
from mastra.workflows.worker import Worker

if TYPE_CHECKING:
    from mastra.runtime.services import Services
    from mastra.workflows.workflow import Workflow

log = logging.getLogger("mastra.schedules")

SCHEDULES = Table("workflow_schedules", ("status+nextFireAt", "createdAt"))
TRIGGERS = Table("workflow_triggers", ("scheduleId+scheduledFireAt", "outcome"))

MISSED = ("skip", "once", "all")
_WHEN = ("cron", "every", "at")
# A moment counts as missed when it is found later than this.
_LATE_MS = 60_000
_CATCH_UP = 1_000
_FIELDS = frozenset(
    {"workflowId", "agentId", "cron", "every", "at", "timezone", "missed", "name", "prompt", "inputData",
     "initialState", "requestContext", "metadata", "threadId", "resourceId"}
)  # fmt: skip


class Schedules:
    """The schedules of one application, in its storage."""

    def __init__(self, services: Services) -> None:
        if services.storage is None:
            raise BadDefinition("Schedules need a storage.", hint='Mastra(storage="sqlite:///app.db")')
        self.services = services
        self.worker = Worker.of(services)
        self.storage = self.worker.storage
        if all(getattr(chore, "__self__", None).__class__ is not Schedules for chore in self.worker.chores):
            self.worker.chores.append(self.fire)

    # ------------------------------------------------------------ the rows

    async def create(self, spec: Mapping[str, Any], *, id: str | None = None) -> dict[str, Any]:
        """Add a schedule: `workflowId` or `agentId`, and one of `cron` (with `timezone`), `every` seconds, `at`."""
        given = _checked(spec)
        kind = "agent" if "agentId" in given else "schedule"
        row = await self._add(check_id(id, "schedule id") if id is not None else f"{kind}_{new_id()}", given)
        await self.worker.ensure()
        return shown(row)

    async def _add(self, key: str, given: dict[str, Any]) -> dict[str, Any]:
        now = self.worker.now()
        row = _timed({**given, "id": key, "createdAt": now, "updatedAt": now, "rev": _rev()}, _next(given, now, now))
        if row["nextFireAt"] is None:
            raise InvalidInput(f"The schedule {key!r} would never fire.")
        try:
            await self.storage.open()
            await self.storage.write([Expect(SCHEDULES, key, None), Put(SCHEDULES, key, row)])
        except Conflict:
            raise InvalidInput(f"There is a schedule {key!r} already.", hint="Update it.") from None
        return row

    async def declare(self, workflow: Workflow[Any, Any]) -> None:
        """Bring what is stored to what the workflow's own `schedule=` says: added, changed, removed."""
        await self.storage.open()
        page = await self.storage.scan(
            SCHEDULES, {"workflowId": workflow.id, "declared": True}, order=Order("createdAt"), limit=1_000
        )
        known = {row.key: row.value for row in page.records}
        for key, spec in declared(workflow.id, workflow.schedules).items():
            row = known.pop(key, None)
            given = _checked(spec)
            try:
                if row is None:
                    await self._add(key, {**given, "declared": True})
                elif {name: row[name] for name in _FIELDS if name in row} != given:
                    now = self.worker.now()
                    kept = {name: value for name, value in row.items() if name not in _FIELDS}
                    await self._write(_timed({**kept, **given}, _next(given, now, now)))
            except (InvalidInput, Conflict):
                continue  # another process that opened at the same time declared it
        for key in known:
            await self.storage.write([Delete(SCHEDULES, key)])

    async def any(self) -> bool:
        """Whether there is a schedule that may fire."""
        await self.storage.open()
        return bool((await self.storage.scan(SCHEDULES, {"status": "active"}, limit=1)).records)

    async def get(self, id: str) -> dict[str, Any]:
        """One schedule."""
        return shown(await self._row(id))

    async def _row(self, id: str) -> dict[str, Any]:
        await self.storage.open()
        row = await self.storage.get(SCHEDULES, check_id(id, "schedule id"))
        if row is None:
            raise NotFound(f"Schedule {id!r} not found.", hint="")
        return row

    async def list_schedules(
        self, *, workflow_id: str | None = None, agent_id: str | None = None
    ) -> list[dict[str, Any]]:
        """All schedules, oldest first."""
        await self.storage.open()
        where = {"workflowId": workflow_id, "agentId": agent_id}
        wanted = {name: value for name, value in where.items() if value is not None}
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = await self.storage.scan(SCHEDULES, wanted or None, order=Order("createdAt"), after=after, limit=500)
            found += [shown(row.value) for row in page.records]
            after = page.after
            if after is None:
                return found

    async def update(self, id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a schedule; a new time counts from now."""
        row = await self._row(id)
        kept = {name: row[name] for name in _FIELDS if name in row}
        if any(name in changes for name in _WHEN):
            kept = {name: value for name, value in kept.items() if name not in _WHEN}
        given = _checked({**kept, **changes})
        row = {**{name: value for name, value in row.items() if name not in _FIELDS}, **given}
        if any(name in changes for name in (*_WHEN, "timezone")):
            now = self.worker.now()
            timed = _timed(row, _next(given, now, now))
            row = {**timed, "status": "paused"} if row["status"] == "paused" else timed
        return await self._write(row)

    async def pause(self, id: str) -> dict[str, Any]:
        """Fire no more until it is resumed."""
        return await self._write({**await self._row(id), "status": "paused"})

    async def resume(self, id: str) -> dict[str, Any]:
        """Fire again, from the next moment on."""
        row = await self._row(id)
        now = self.worker.now()
        return await self._write(_timed(row, _next(row, now, row["createdAt"])))

    async def _write(self, row: dict[str, Any]) -> dict[str, Any]:
        expect = Expect(SCHEDULES, row["id"], {"rev": row["rev"]})
        row = {**row, "rev": _rev(), "updatedAt": self.worker.now()}
        await self.storage.write([expect, Put(SCHEDULES, row["id"], row)])
        return shown(row)

    async def delete(self, id: str) -> None:
        """Remove a schedule; what it started goes on."""
        await self._row(id)
        await self.storage.write([Delete(SCHEDULES, id)])

    async def triggers(self, id: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """When it fired and what came of it, newest first."""
        await self._row(id)
        order = Order("scheduledFireAt", descending=True)
        page = await self.storage.scan(TRIGGERS, {"scheduleId": id}, order=order, limit=limit)
        return [row.value for row in page.records]

    # ------------------------------------------------------------ firing

    async def run_now(self, id: str) -> dict[str, Any]:
        """Fire once by hand, beside its times."""
        row = await self._row(id)
        now = self.worker.now()
        key = f"{id}/{now}-{_rev()[:6]}"
        trigger = _trigger(row, now, now, "manual")
        await self.storage.write([Put(TRIGGERS, key, trigger)])
        return await self._begin(key, trigger, row)

    async def fire(self) -> None:
        """Fire what is due; of several processes the one that moves the row on does it."""
        now = self.worker.now()
        page = await self.storage.scan(SCHEDULES, {"status": "active"}, order=Order("nextFireAt"), limit=100)
        for record in page.records:
            if record.value["nextFireAt"] is not None and record.value["nextFireAt"] <= now:
                await self._fire_one(record.value, now)
        left = await self.storage.scan(TRIGGERS, {"outcome": "pending"}, limit=100)
        for record in left.records:
            # Somebody moved the schedule on and died before the run began. Starting it again finds it if it is there.
            if record.value["actualFireAt"] < now - 5_000:
                schedule = await self.storage.get(SCHEDULES, record.value["scheduleId"])
                if schedule is not None:
                    await self._begin_again(record, schedule, now)

    async def _begin_again(self, record: Record, schedule: dict[str, Any], now: int) -> None:
        """One process does it: an agent that is asked twice would answer twice."""
        mine = {**record.value, "actualFireAt": now}
        unchanged = {"actualFireAt": record.value["actualFireAt"], "outcome": "pending"}
        try:
            await self.storage.write([Expect(TRIGGERS, record.key, unchanged), Put(TRIGGERS, record.key, mine)])
        except Conflict:
            return
        await self._begin(record.key, mine, schedule)

    async def _fire_one(self, row: dict[str, Any], now: int) -> None:
        moments, following = _due(row, now)
        moved = {**_timed(row, following), "rev": _rev(), "lastFireAt": now}
        triggers = {f"{row['id']}/{moment}": _trigger(row, moment, now, "schedule") for moment in moments}
        try:
            await self.storage.write([
                Expect(SCHEDULES, row["id"], {"rev": row["rev"]}), Put(SCHEDULES, row["id"], moved),
                *(Put(TRIGGERS, key, trigger) for key, trigger in triggers.items()),
            ])  # fmt: skip
        except Conflict:
            return
        for key, trigger in triggers.items():
            await self._begin(key, trigger, row)

    async def _begin(self, key: str, trigger: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        try:
            await self._start(trigger["runId"], row)
            trigger = {**trigger, "outcome": "succeeded"}
        except MastraError as error:
            log.warning("schedule %s did not start: %s", row["id"], error)
            trigger = {**trigger, "outcome": "failed", "error": error.message}
        await self.storage.write([Put(TRIGGERS, key, trigger)])
        return trigger

    async def _start(self, run_id: str, row: dict[str, Any]) -> None:
        if "workflowId" in row:
            workflow = self.services.workflows.get(row["workflowId"]) or self.worker.workflows.get(row["workflowId"])
            if workflow is None:
                raise NotFound(f"Workflow {row['workflowId']!r} not found.")
            run = await workflow.create_run(run_id, resource=row.get("resourceId"))
            context = row.get("requestContext")
            await run.start_async(row.get("inputData"), state=row.get("initialState"), request_context=context)
            return
        agent = self.services.agents.get(row["agentId"])
        if agent is None:
            raise NotFound(f"Agent {row['agentId']!r} not found.")
        options = {"thread": row.get("threadId"), "resource": row.get("resourceId"), "run_id": run_id}
        work = agent.generate(row.get("prompt", ""), **{name: value for name, value in options.items() if value})
        self.services.background.spawn(work, f"schedule-{row['id']}")


def declared(workflow: str, specs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A workflow's own schedules by their ids; `BadDefinition` or `InvalidInput` for what cannot be one."""
    found: dict[str, dict[str, Any]] = {}
    for spec in specs:
        given = dict(spec)
        name = given.pop("id", None)
        if name is None and len(specs) > 1:
            raise BadDefinition(f"Each of the schedules of workflow {workflow!r} needs an id of its own.")
        key = f"wf_{workflow}" if name is None else f"wf_{workflow}_{check_id(name, 'schedule id')}"
        if key in found:
            raise BadDefinition(f"Two schedules of workflow {workflow!r} have the id {name!r}.")
        found[key] = _checked({**given, "workflowId": workflow})
    return found


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A schedule as on the wire."""
    return {name: value for name, value in row.items() if name not in ("rev", "lastFireAt", "declared")}


def _rev() -> str:
    return os.urandom(8).hex()


def _trigger(row: dict[str, Any], moment: int, now: int, kind: str) -> dict[str, Any]:
    return {
        "id": new_id(), "scheduleId": row["id"], "runId": new_id(), "scheduledFireAt": moment, "actualFireAt": now,
        "outcome": "pending", "triggerKind": kind,
    }  # fmt: skip


def _checked(spec: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name, value in to_json(dict(spec)).items() if value is not None}
    unknown = set(given) - _FIELDS
    if unknown:
        raise InvalidInput(f"A schedule has no field {min(unknown)!r}.")
    if ("workflowId" in given) == ("agentId" in given):
        raise InvalidInput("A schedule names either a workflowId or an agentId.")
    if sum(name in given for name in _WHEN) != 1:
        raise InvalidInput("A schedule has one of cron, every and at.")
    if given.get("missed", "skip") not in MISSED:
        raise InvalidInput(f"missed is one of {', '.join(MISSED)}.")
    for name, what in (("workflowId", "workflow id"), ("agentId", "agent id")):
        if name in given:
            check_id(given[name], what)
    if "cron" in given:
        if not isinstance(given["cron"], str):
            raise InvalidInput("cron is a text of 5, 6 or 7 fields.")
        Cron(given["cron"], given.get("timezone"))
    every = given.get("every")
    if every is not None and (isinstance(every, bool) or not isinstance(every, int | float) or not 1 <= every < 10**9):
        raise InvalidInput("every is a number of seconds of at least 1.")
    if "at" in given:
        from_wire(given["at"], "at")
    return given


def _next(row: Mapping[str, Any], after: int, anchor: int) -> int | None:
    """The first moment after `after`, in milliseconds; intervals count from `anchor`."""
    if "cron" in row:
        found = Cron(row["cron"], row.get("timezone")).next_after(datetime.fromtimestamp(after / 1000, UTC))
        return None if found is None else round(found.timestamp() * 1000)
    if "every" in row:
        every = round(row["every"] * 1000)
        return int(anchor + ((after - anchor) // every + 1) * every)
    moment = round(from_wire(row["at"]).timestamp() * 1000)
    return moment if moment > after or after == anchor else None


def _timed(row: Mapping[str, Any], moment: int | None) -> dict[str, Any]:
    """The row with the moment when it fires next; without one it is done."""
    return {**row, "nextFireAt": moment, "status": "completed" if moment is None else "active"}


def _due(row: dict[str, Any], now: int) -> tuple[list[int], int | None]:
    """The moments to fire for, and the one after them: missed ones are skipped, fired once or all."""
    policy, anchor, moment = row.get("missed", "skip"), row["createdAt"], row["nextFireAt"]
    if "at" in row:
        return [moment], None  # a single moment is late rather than lost
    if policy != "all":
        # Of many that were missed only the latest counts.
        recent = _next(row, max(now - _LATE_MS, moment), anchor)
        moment = recent if recent is not None and recent <= now else moment
    found: list[int] = []
    while moment is not None and moment <= now and len(found) < _CATCH_UP:
        found.append(moment)
        moment = _next(row, moment, anchor)
    if policy == "all":
        return found, moment  # what is left of very many comes with the next look
    late = now - found[-1] > _LATE_MS
    return [] if policy == "skip" and late else found[-1:], _next(row, now, anchor)
