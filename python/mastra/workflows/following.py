"""Follows a run that another process carries: what its journal says, as chunks, while it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mastra.types.chunks import Chunk
from mastra.types.schema import to_json
from mastra.workflows.chunks import brief, finish_facts, result_facts, suspension_facts
from mastra.workflows.history import Rebuild, entries
from mastra.workflows.ownership import state_of
from mastra.workflows.records import ACTIVE, FINAL
from mastra.workflows.tables import RUNS

if TYPE_CHECKING:
    from mastra.workflows.journal import Journal
    from mastra.workflows.records import RunState, StepRecord

# How often somebody who follows a run of another process looks.
POLL_S = 0.25


def is_elsewhere(journal: Journal | None) -> bool:
    """Whether another process carried the run when it was last read."""
    owner = None if journal is None else journal.row.get("owner")
    return journal is not None and owner is not None and owner != journal.worker.id


async def follow(journal: Journal, *, over_pauses: bool = False) -> AsyncIterator[Chunk]:
    """The run's chunks from its start: each step once its record is committed, then how the run stands.

    What steps write as they go stays in the process that carries them. `over_pauses`: go on until it has ended.
    """
    storage, key, worker = journal.storage, journal.key, journal.worker
    row = await storage.get(RUNS, key)
    build: Rebuild | None = None
    told = ""
    while row is not None:
        build = build or Rebuild(state_of(row))
        state = build.state
        # The row was read first: all that led to how it stands is among the entries.
        async for entry in entries(storage, key, start=build.seq):
            build.apply(entry)
            made = _chunk(entry, state)
            if made is not None:
                yield Chunk(made[0], made[1], state.run_id, "WORKFLOW")
        status = row["status"]
        if status not in ACTIVE and row["rev"] != told:
            told, state.status = row["rev"], status
            yield Chunk("workflow-finish", finish_facts(state), state.run_id, "WORKFLOW")
        if status in FINAL or (status not in ACTIVE and not over_pauses):
            return
        await worker.watch(key, POLL_S)
        row = await storage.get(RUNS, key)


def _chunk(entry: dict[str, Any], state: RunState) -> tuple[str, Any] | None:
    kind = entry["kind"]
    if kind == "start":
        return "workflow-start", {"workflowId": state.workflow_id}
    if kind != "step" or entry["key"].endswith("]"):
        return None
    record = state.records.get(entry["key"]) or state.steps.get(entry["id"])
    return None if record is None else _step_chunk(record)


def _step_chunk(record: StepRecord) -> tuple[str, Any] | None:
    if record.status in ("success", "failed"):
        return "workflow-step-result", result_facts(record)
    if record.status == "suspended":
        return "workflow-step-suspended", suspension_facts(record)
    if record.status == "waiting":
        waiting = {"payload": to_json(record.payload), "startedAt": record.started_at, "status": "waiting"}
        return "workflow-step-waiting", brief(record) | waiting
    return None
