"""Claims: who goes on with a run that waited. A claim is a lease: when its holder dies, another may take the run up."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra.agents.waiting import CLAIMS, RUNS, storage_of
from mastra.errors import ApprovalInvalid, Conflict, MastraError
from mastra.types.ids import new_id
from mastra.types.records import Expect, Put
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from mastra.agents.run import Run
    from mastra.ports.storage import Storage
    from mastra.runtime.services import Services

log = logging.getLogger("mastra.agents")
# How long a claim holds without being renewed, and how often a living holder renews it.
LEASE_S = 30.0
RENEW_S = 10.0


async def claim_run(services: Services, storage: Storage, row: Mapping[str, Any]) -> str:
    """Take the run as the only one; the holder's name. `ApprovalInvalid` when another was first."""
    run_id, holder = row["runId"], new_id()
    claimed = {**row, "status": "running", "version": row["version"] + 1}
    try:
        await storage.write(
            [
                Expect(RUNS, run_id, {"version": row["version"]}),
                Put(RUNS, run_id, claimed),
                Put(CLAIMS, run_id, _lease(services, holder)),
            ]
        )
    except Conflict as error:
        raise ApprovalInvalid(
            f"Another caller answered run {run_id} first.", run_id=run_id, hint="List the suspended runs again."
        ) from error
    return holder


async def claim_new(run: Run, row: Mapping[str, Any]) -> None:
    """Write a run down that begins here; `Conflict` when there is one of this id."""
    storage = await storage_of(run.services)
    holder = new_id()
    guard = Expect(RUNS, run.run_id)
    lease = Put(CLAIMS, run.run_id, _lease(run.services, holder))
    await storage.write([guard, Put(RUNS, run.run_id, {**row, "version": 1}), lease])
    run.state["suspension"] = {"version": 1, "holder": holder}


def _lease(services: Services, holder: str) -> dict[str, Any]:
    return {"holder": holder, "until": to_wire(services.clock.now() + timedelta(seconds=LEASE_S))}


@asynccontextmanager
async def held(run: Run) -> AsyncIterator[None]:
    """Renew the claim for as long as the run is at work."""
    task = asyncio.create_task(_renew(run), name=f"claim of run {run.run_id}")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _renew(run: Run) -> None:
    holder = run.state["suspension"]["holder"]
    storage = await storage_of(run.services)
    while True:
        await asyncio.sleep(RENEW_S)
        try:
            await storage.write(
                [
                    Expect(CLAIMS, run.run_id, {"holder": holder}),
                    Put(CLAIMS, run.run_id, _lease(run.services, holder)),
                ]
            )
        except Conflict:
            return  # it has ended, or is another's now: the next note of this holder is refused
        except MastraError:
            log.warning("the claim of run %s could not be renewed; trying again", run.run_id, exc_info=True)


async def note(run: Run, call_id: str, **facts: Any) -> None:
    """Write down how far a call has come, before anything else happens; refused when the run is another's now."""
    storage = await storage_of(run.services)
    kept = run.state["suspension"]
    row = await storage.get(RUNS, run.run_id)
    if row is None or row["version"] != kept["version"]:
        raise _taken(run)
    pending = {**row["pending"], call_id: {**row["pending"][call_id], **facts}}
    await put_noted(run, {**row, "pending": pending, "answers": [message.to_wire() for message in run.answers()]})


async def put_noted(run: Run, row: Mapping[str, Any]) -> None:
    """Write the row of a run at work; refused when the run is another's now."""
    storage = await storage_of(run.services)
    kept = run.state["suspension"]
    changed = {**row, "version": kept["version"] + 1}
    try:
        await storage.write([Expect(RUNS, run.run_id, {"version": kept["version"]}), Put(RUNS, run.run_id, changed)])
    except Conflict as error:
        raise _taken(run) from error
    kept["version"] += 1


def _taken(run: Run) -> ApprovalInvalid:
    return ApprovalInvalid(f"Run {run.run_id} was taken up by another process.", run_id=run.run_id)
