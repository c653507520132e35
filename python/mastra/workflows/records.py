"""What is known of a run while it runs: one record per executed step, and the run around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra.types.schema import to_json

if TYPE_CHECKING:
    from mastra.workflows.graph import Node

_ABSENT = object()
# Statuses after which nothing more happens by itself.
FINAL = frozenset({"success", "failed", "canceled", "bailed", "tripwire"})
ACTIVE = frozenset({"pending", "running", "waiting"})
# All that the protocol lets ask for.
STATUSES = FINAL | ACTIVE | {"suspended", "paused", "skipped"}


class StepRecord:
    """One execution of one step. `key` names its place in the run, `id` its name on the wire."""

    __slots__ = ("attempts", "call_id", "ended_at", "error", "id", "in_path", "is_container", "is_stored", "iteration",
                 "key", "label", "output",
                 "payload", "resume_payload", "resumed_at", "started_at", "status", "suspend_payload",
                 "suspended_at", "wake_at")  # fmt: skip

    def __init__(self, id: str, key: str, payload: Any, started_at: int) -> None:
        self.id = id
        self.key = key
        self.payload = payload
        self.started_at = started_at
        self.status = "running"
        self.output: Any = None
        self.error: dict[str, Any] | None = None
        self.ended_at: int | None = None
        self.suspend_payload: Any = None
        self.suspended_at: int | None = None
        self.resume_payload: Any = None
        self.resumed_at: int | None = None
        self.label: str | None = None
        self.iteration: int | None = None
        self.attempts = 0
        # Milliseconds since 1970 when a sleep or a pause before a retry ends.
        self.wake_at: int | None = None
        self.call_id = ""
        # Whether it stands in the run's execution path: the steps in a row of the outermost sequence.
        self.in_path = False
        # A nested workflow or a foreach: its suspension is that of a record below it.
        self.is_container = False
        # Whether `output` and `payload` are still the JSON of the journal.
        self.is_stored = False

    def to_wire(self) -> dict[str, Any]:
        """The step in results and snapshots."""
        out: dict[str, Any] = {}
        if self.status != "skipped":
            out = {"payload": to_json(self.payload), "startedAt": self.started_at}
        out["status"] = self.status
        if self.resumed_at is not None:
            out["resumePayload"] = to_json(self.resume_payload)
            out["resumedAt"] = self.resumed_at
        if self.status == "success":
            out["output"] = to_json(self.output)
        elif self.status == "failed":
            out["error"] = self.error
        elif self.status == "suspended":
            out["suspendPayload"] = to_json(self.suspend_payload)
            out["suspendedAt"] = self.suspended_at
        if self.ended_at is not None:
            out["endedAt"] = self.ended_at
        if self.iteration is not None:
            out["metadata"] = {"iterationCount": self.iteration}
        return out


class RunState:
    """A run: what it was given, how it stands, and the records of its steps."""

    __slots__ = (
        "answers",
        "cause",
        "created_at",
        "decisions",
        "epoch",
        "error",
        "hash",
        "initial_state",
        "injected",
        "input",
        "loops",
        "patches",
        "path",
        "records",
        "request_values",
        "resource_id",
        "result",
        "run_id",
        "scopes",
        "shape",
        "state",
        "status",
        "steps",
        "trace",
        "updated_at",
        "usage",
        "workflow_id",
    )  # fmt: skip

    def __init__(self, workflow_id: str, run_id: str, resource_id: str | None, hash: str, now: int) -> None:
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.resource_id = resource_id
        self.hash = hash
        self.status = "pending"
        self.input: Any = None
        self.state: Any = None
        self.initial_state: Any = None
        self.result: Any = None
        self.error: dict[str, Any] | None = None
        # The exception itself, for callers in this process.
        self.cause: BaseException | None = None
        # By place ("each[2]", "loop#3", "nested.inner"): what a repeated pass over the graph goes by.
        self.records: dict[str, StepRecord] = {}
        # By wire id: the latest record of a step.
        self.steps: dict[str, StepRecord] = {}
        self.path: list[str] = []
        # Conditions that were decided, by place.
        self.decisions: dict[str, Any] = {}
        # The structure of the definition it was started with.
        self.shape: list[Any] | None = None
        # The inputs of nested workflows, by place.
        self.scopes: dict[str, Any] = {}
        # What waiting steps are resumed with, and inputs that time travel put in place, by place.
        self.answers: dict[str, Any] = {}
        self.injected: dict[str, Any] = {}
        # How far a loop got, by the place of its step.
        self.loops: dict[str, int] = {}
        # Counts the times somebody travelled back: a step that runs again on purpose has another key.
        self.epoch = 0
        self.patches: list[str] = []
        self.request_values: dict[str, Any] = {}
        self.created_at = now
        self.updated_at = now
        self.usage = dict.fromkeys(USAGE, 0)
        self.trace: tuple[str, str] | None = None

    def add(self, record: StepRecord, *, visible: bool = True) -> None:
        """Keep a record, and of a loop only its latest repetition. Items of a foreach are not `visible`."""
        self.records[record.key] = record
        if visible:
            self.steps[record.id] = record
        if record.iteration is not None and record.iteration > 1:
            base = record.key.rpartition("#")[0]
            self.forget(f"{base}#{record.iteration - 1}")

    def forget(self, key: str) -> None:
        """Drop the record at a place and all below it."""
        self.records.pop(key, None)
        self.decisions.pop(key, None)
        # Only nested workflows have places below; loops over plain steps, the usual ones, are spared the search.
        if self.scopes.pop(key, _ABSENT) is not _ABSENT:
            for one in [one for one in self.records if one.startswith(f"{key}.")]:
                del self.records[one]

    @property
    def suspended(self) -> list[StepRecord]:
        """The records that wait for a resume, without those that only hold such a one."""
        return [one for one in self.records.values() if one.status == "suspended" and not one.is_container]


USAGE = (
    "inputTokens", "outputTokens", "totalTokens", "cachedInputTokens", "cacheCreationInputTokens", "reasoningTokens",
)  # fmt: skip


class Scope:
    """Where in the graph a sequence stands: the outermost one, or a nested workflow."""

    __slots__ = ("is_root", "nodes", "prefix", "side_by_side", "wire")

    def __init__(self, nodes: Sequence[Node], prefix: str = "", wire: str = "", *, side_by_side: bool = False) -> None:
        self.nodes = nodes
        self.prefix = prefix
        self.wire = wire
        self.is_root = not prefix
        # Whether other steps run at the same time: their chunks are then interleaved fairly.
        self.side_by_side = side_by_side

    def beside(self) -> Scope:
        """The same place, among others that run at the same time."""
        return self if self.side_by_side else Scope(self.nodes, self.prefix, self.wire, side_by_side=True)
