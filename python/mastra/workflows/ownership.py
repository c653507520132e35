"""Whose a stored run is: loading it, taking it over, waiting for it and stopping it from any process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mastra.errors import Conflict, HistoryMismatch, RunMissing
from mastra.types.records import Delete, Expect, Operation, Put
from mastra.workflows.changes import reconcile
from mastra.workflows.history import Rebuild, entries, references
from mastra.workflows.inbox import StoredInbox
from mastra.workflows.journal import Journal
from mastra.workflows.records import ACTIVE, FINAL, RunState
from mastra.workflows.tables import EVENTS, INBOXES, JOURNAL, RUNS, VALUES, entry_key, run_key
from mastra.workflows.worker import MAX_RECOVERIES, Worker

if TYPE_CHECKING:
    from mastra.workflows.carrier import Carrier
    from mastra.workflows.workflow import Workflow

log = logging.getLogger("mastra.workflows")

# How often somebody who waits for a run of another process looks.
_POLL_S = 0.25


def new_journal(worker: Worker, state: RunState) -> Journal:
    """The journal of a run that this process may come to own."""
    return Journal(worker, state, StoredInbox(worker.storage, run_key(state.workflow_id, state.run_id)))


def state_of(row: dict[str, Any]) -> RunState:
    """A run as its row tells, without its records."""
    state = RunState(row["workflow"], row["runId"], row["resourceId"], row["hash"], row["createdAt"])
    state.status = row["status"]
    state.updated_at = row["updatedAt"]
    return state


async def load(worker: Worker, row: dict[str, Any]) -> Journal:
    """A run with all its records, as storage has it."""
    state = state_of(row)
    journal = new_journal(worker, state)
    journal.row = row
    await rebuild(journal)
    return journal


async def rebuild(journal: Journal) -> None:
    """Fill the journal's run from its entries. The row has the last word on how the run stands."""
    build = Rebuild(journal.state)
    async for entry in entries(journal.storage, journal.key):
        build.apply(entry)
    journal.seq = build.seq
    journal.state.status = journal.row["status"]
    journal.state.updated_at = journal.row["updatedAt"]


async def refresh(run: Carrier[Any, Any]) -> None:
    """Bring a handle up to what other processes wrote; one whose run is at work here is up to date."""
    journal = run.journal
    assert journal is not None
    if run.is_active:
        return
    row = await journal.storage.get(RUNS, journal.key)
    if row is None:
        if journal.row:
            raise RunMissing(f"Workflow run {run.run_id!r} not found.", run_id=run.run_id)
        return
    if row["rev"] == journal.row.get("rev") and row["status"] not in ACTIVE:
        return
    fresh = await load(journal.worker, row)
    run.adopt(fresh)


async def take_over(
    workflow: Workflow[Any, Any],
    worker: Worker,
    row: dict[str, Any],
    make: Callable[..., Carrier[Any, Any]],
    *,
    at_once: bool = False,
) -> bool:
    """Own a run that nobody carries and carry it on; False when somebody else was faster."""
    state = state_of(row)
    journal = new_journal(worker, state)
    journal.row = row
    journal.seq = row["seq"]
    recoveries = row["recoveries"] + (1 if row["owner"] else 0)
    canceled = bool(row.get("cancel"))
    try:
        # First own, then read: what was appended before the token changed is then surely seen.
        await journal.claim(None, status="running", recoveries=recoveries, cancel=False)
    except Conflict:
        return False
    await rebuild(journal)
    state.status = "running"
    run: Carrier[Any, Any] = make(workflow, state, journal)
    if canceled:
        await run.end("canceled")
        return True
    if recoveries > MAX_RECOVERIES:
        message = f"Taken over {recoveries} times: it seems to kill its workers."
        await run.end("failed", {"message": message, "name": "RecoveryLimit"})
        return True
    try:
        if reconcile(run):
            await journal.travel(state)
    except HistoryMismatch as error:
        log.error("run %s cannot go on: %s", state.run_id, error)  # noqa: TRY400 - the place is known
        await run.end("paused", error.to_dict())
        return True
    await run.carry_on(at_once=at_once)
    return True


async def wait_settled(run: Carrier[Any, Any]) -> None:
    """Wait until a run has ended or waits for somebody, whoever carries it."""
    journal = run.journal
    assert journal is not None
    while True:
        row = await journal.storage.get(RUNS, journal.key)
        if row is None:
            raise RunMissing(f"Workflow run {run.run_id!r} not found.", run_id=run.run_id)
        if row["status"] not in ACTIVE:
            break
        await journal.worker.watch(journal.key, _POLL_S)
    await refresh(run)


async def cancel_stored(run: Carrier[Any, Any]) -> None:
    """Stop a run that is not at work in this handle."""
    journal = run.journal
    assert journal is not None
    worker = journal.worker
    while True:
        row = await journal.storage.get(RUNS, journal.key)
        if row is None:
            if run.state.status == "pending":
                run.state.status = "canceled"
                return
            raise RunMissing(f"Workflow run {run.run_id!r} not found.", run_id=run.run_id)
        if row["status"] in FINAL:
            await refresh(run)
            return
        here = worker.active.get(journal.key)
        if here is not None and here is not run:
            await here.cancel()
            continue
        if row["owner"] is None:
            if await take_over(run.workflow, worker, {**row, "cancel": True}, type(run)):
                await refresh(run)
                return
            continue
        if not row.get("cancel"):
            notice = {
                **row,
                "token": row["token"] + 1,
                "cancel": True,
                "notify": row["owner"],
                "rev": worker.new_rev(),
            }
            try:
                await journal.storage.write(
                    [Expect(RUNS, journal.key, {"rev": row["rev"]}), Put(RUNS, journal.key, notice)]
                )
            except Conflict:
                continue
        await worker.ensure()
        await worker.watch(journal.key, _POLL_S)


async def erase(journal: Journal) -> None:
    """Remove every row of a run. A writer that comes late finds no row to fence its write and fails."""
    storage, key = journal.storage, journal.key
    batch: list[Operation] = [Delete(RUNS, key)]
    seq = 0
    while True:
        keys = [entry_key(key, number) for number in range(seq, seq + 500)]
        found = await storage.get_many(JOURNAL, keys)
        for name, entry in found.items():
            batch.append(Delete(JOURNAL, name))
            batch += [Delete(VALUES, f"{key}/{digest}") for digest in references(entry)]
        if len(found) < len(keys):
            break
        seq += len(keys)
    for table in (EVENTS, INBOXES):
        page = await storage.scan(table, {"run": key}, limit=1000)
        while page.records:
            batch += [Delete(table, record.key) for record in page.records]
            if page.after is None:
                break
            page = await storage.scan(table, {"run": key}, after=page.after, limit=1000)
    await storage.write(batch)
