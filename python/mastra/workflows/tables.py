"""Where runs live in storage: the tables and the keys of their rows."""

from __future__ import annotations

from mastra.types.records import Table

# One row per run: who owns it, how it stands, when to look at it again.
RUNS = Table("workflow_runs", ("workflow+createdAt", "workflow+status", "owner", "timer+wakeAt", "notify"))
# The records of a run, numbered without gaps; a run is read by asking for its numbers.
JOURNAL = Table("workflow_journal")
# Values too large for a record, once per run, by the hash of their content.
VALUES = Table("workflow_values")
# Events that were sent and not yet taken; `inbox` is the run and the name of the event.
EVENTS = Table("workflow_events", ("inbox+n",))
# How many events each inbox has ever received.
INBOXES = Table("workflow_inboxes")
# The processes that carry runs, and until when each one's lease holds.
WORKERS = Table("workflow_workers")


def run_key(workflow_id: str, run_id: str) -> str:
    """The key of a run's row."""
    return f"{workflow_id}/{run_id}"


def entry_key(run: str, seq: int) -> str:
    """The key of an entry in a run's journal."""
    return f"{run}/{seq:08d}"
