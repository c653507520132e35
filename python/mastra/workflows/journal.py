"""The journal of one run: what its owner appends, each append fenced by the run's token and whole or not at all."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mastra.errors import Conflict, InvalidInput, LeaseLost, StorageUnavailable
from mastra.types.records import Delete, Expect, Operation, Put
from mastra.types.schema import to_json
from mastra.workflows import crashpoints
from mastra.workflows.chunks import describe_error, plain_words
from mastra.workflows.history import is_source, keep, snapshot_entry, step_entry
from mastra.workflows.records import FINAL, RunState, StepRecord
from mastra.workflows.stops import Parked
from mastra.workflows.tables import EVENTS, JOURNAL, RUNS, entry_key, run_key

if TYPE_CHECKING:
    from mastra.workflows.inbox import RunEvent, StoredInbox
    from mastra.workflows.worker import Worker

_ABSENT: Any = object()


class _Append:
    """Entries that belong together, changes of the run's row with them, and whoever waits for both."""

    __slots__ = ("alone", "done", "entries", "more", "row")

    def __init__(
        self, entries: list[dict[str, Any]], more: list[Operation], row: dict[str, Any] | None, *, alone: bool
    ) -> None:
        self.entries = entries
        self.more = more
        self.row = row
        # Its preconditions must not be met by what stands beside it.
        self.alone = alone
        self.done: asyncio.Future[None] | None = None


class Journal:
    """Appends to one run. Appends that come while one is being written are written together after it."""

    def __init__(self, worker: Worker, state: RunState, inbox: StoredInbox) -> None:
        self.worker = worker
        self.storage = worker.storage
        self.state = state
        self.key = run_key(state.workflow_id, state.run_id)
        self.inbox = inbox
        # The run's row as this owner wrote or read it last.
        self.row: dict[str, Any] = {}
        self.seq = 0
        self.after_flush: list[Callable[[], None]] = []
        self._deferred: list[tuple[StepRecord, dict[str, Any]]] = []
        self._deferred_more: list[Operation] = []
        self._decisions: list[tuple[str, Any]] = []
        self._state_seen: Any = None
        self._source: Any = _ABSENT
        self._waiting: deque[_Append] = deque()
        self._is_writing = False
        self._draining: asyncio.Task[None] | None = None

    @property
    def has_deferred(self) -> bool:
        """Whether records wait for the next write."""
        return bool(self._deferred)

    @property
    def token(self) -> int:
        """The fencing token: who has an older one writes nothing."""
        return int(self.row.get("token", 0))

    # ------------------------------------------------------------ the run's row

    def new_row(self, **changes: Any) -> dict[str, Any]:
        """The row with changes and a new revision."""
        row = {**self.row, **changes, "rev": self.worker.new_rev(), "updatedAt": self.worker.now(), "seq": self.seq}
        row["status"] = changes.get("status", self.state.status)
        # Runs that are due sometime are found without looking at the others.
        row["timer"] = "set" if row.get("wakeAt") is not None else None
        return row

    def put_row(self, row: dict[str, Any]) -> Operation:
        """The write of a row."""
        return Put(RUNS, self.key, row)

    async def begin(self, run: RunState) -> bool:
        """Write the run before its first effect; False when another start wrote it first."""
        await self.worker.ensure()
        more: list[Operation] = []
        entry: dict[str, Any] = {
            "kind": "start", "input": keep(self.key, to_json(run.input), more), "hash": run.hash,
            "shape": run.shape, "requestContext": run.request_values, "state": to_json(run.state),
        }  # fmt: skip
        known = dict(self.row)
        self.row = {
            "workflow": run.workflow_id, "runId": run.run_id, "resourceId": run.resource_id, "hash": run.hash,
            "createdAt": run.created_at, "token": known.get("token", 0) + 1, "owner": self.worker.id,
            "wakeAt": None, "notify": None, "recoveries": 0, "suspended": [],
        }  # fmt: skip
        self.seq = 1
        row = self.new_row(status="running")
        expect = Expect(RUNS, self.key, {"rev": known["rev"]} if known else None)
        batch = [expect, self.put_row(row), Put(JOURNAL, entry_key(self.key, 0), entry), *more]
        try:
            crashpoints.reach("before-start")
            await self._commit_row(batch, row)
            crashpoints.reach("after-start")
        except BaseException as error:
            self.row, self.seq = known, 0
            if isinstance(error, Conflict):
                return False
            raise
        self.row = row
        self._state_seen = run.state
        self._source = run.input
        return True

    async def register(self, run: RunState) -> None:
        """Write a run that is created and not started, so that its id is known everywhere."""
        self.row = {
            "workflow": run.workflow_id, "runId": run.run_id, "resourceId": run.resource_id, "hash": run.hash,
            "createdAt": run.created_at, "token": 0, "owner": None, "wakeAt": None, "notify": None,
            "recoveries": 0, "suspended": [],
        }  # fmt: skip
        row = self.new_row(status="pending")
        try:
            await self._commit_row([Expect(RUNS, self.key, None), self.put_row(row)], row)
        except BaseException:
            self.row = {}
            raise
        self.row = row

    async def claim(self, entry: dict[str, Any] | None, more: Sequence[Operation] = (), **changes: Any) -> None:
        """Become the run's owner, by compare-and-set on its row; `Conflict` when somebody was faster."""
        await self.worker.ensure()
        appended: list[Operation] = []
        if entry is not None:
            appended.append(Put(JOURNAL, entry_key(self.key, self.seq), entry))
            self.seq += 1
        changes = {"owner": self.worker.id, "wakeAt": None, "notify": None, **changes}
        row = self.new_row(token=self.token + 1, **changes)
        expect = Expect(RUNS, self.key, {"rev": self.row["rev"]})
        try:
            await self._commit_row([expect, self.put_row(row), *appended, *more], row)
        except BaseException:
            self.seq -= len(appended)
            raise
        self.row = row
        self._state_seen = self.state.state
        self._source = _ABSENT

    async def suspended_row(self, run: RunState) -> None:
        """Let go of the run: it waits for somebody, was paused, or has ended."""
        waits = [{"key": one.key, "id": one.id, "label": one.label} for one in run.suspended]
        entries: list[dict[str, Any]] = []
        more: list[Operation] = []
        if run.status in FINAL:
            entry: dict[str, Any] = {"kind": "finish", "status": run.status}
            if run.status == "success":
                entry["result"] = keep(self.key, to_json(run.result), more)
            if run.error is not None:
                entry["error"] = run.error
            if any(run.usage.values()):
                entry["usage"] = run.usage
            entries, waits = [entry], []
        row = {"owner": None, "wakeAt": None, "suspended": waits}
        deferred = [record for record, _ in self._deferred]
        try:
            await self._append(entries, more, row=row)
        except InvalidInput as error:
            if run.status != "success":
                raise
            # Storage does not take what the last step gave, or what the run came to.
            run.status, run.result, run.cause, run.error = "failed", None, error, describe_error(error)
            for record in deferred:
                record.status, record.output, record.error = "failed", None, run.error
            records = [self._entry(record, []) for record in deferred]
            await self._append([*records, {"kind": "finish", "status": "failed", "error": run.error}], [], row=row)

    async def finish(self, run: RunState) -> None:
        """Commit how the run stands at the end of a pass."""
        if run.status != "waiting":
            await self.suspended_row(run)

    # ------------------------------------------------------------ records

    async def step(
        self, record: StepRecord, effects: Sequence[Operation] | None, event: RunEvent | None = None
    ) -> None:
        """Commit a result together with what the step changed and the event it consumed."""
        crashpoints.reach("before-record")
        more = list(effects) if effects else []
        if event is not None and event.key:
            more += [Expect(EVENTS, event.key, {}), Delete(EVENTS, event.key)]
        await self._append([self._entry(record, more)], more, alone=bool(effects))
        if event is not None:
            self.inbox.recorded(event)
        crashpoints.reach("after-record")

    def _entry(self, record: StepRecord, more: list[Operation]) -> dict[str, Any]:
        entry = step_entry(self.key, record, record.payload is self._source, more)
        if self._decisions:
            entry["decisions"], self._decisions = self._decisions, []
        if self.state.state is not self._state_seen:
            self._state_seen = self.state.state
            entry["state"] = self.state.state
        if is_source(record):
            self._source = record.output
        return entry

    async def waiting(self, record: StepRecord) -> None:
        """Commit that a wait began, and when it is due."""
        more: list[Operation] = []
        await self._append([self._entry(record, more)], more, row={"status": "waiting"})

    async def retrying(self, record: StepRecord, error: Exception) -> None:
        """Commit that a try failed and when the next one is due."""
        more: list[Operation] = []
        entry = self._entry(record, more)
        entry["lastError"] = {"message": plain_words(error)[:2000], "name": type(error).__name__}
        await self._append([entry], more)

    def defer(self, record: StepRecord) -> None:
        """Write this record with the next append, which follows at once."""
        self._deferred.append((record, self._entry(record, self._deferred_more)))

    def decided(self, key: str, decision: Any) -> None:
        """Write this decision with the next append."""
        self._decisions.append((key, decision))

    def may_park(self, milliseconds: float | None) -> None:
        """Leave by `Parked` when the wait is long: the run then costs a row and no memory."""
        if milliseconds is None or milliseconds > self.worker.park_after_s * 1000:
            raise Parked

    async def park(self, due: int | None) -> bool:
        """Let go of a run that waits long; any worker takes it up when it is due. False: an event came meanwhile."""
        self.state.status = "waiting"
        row = {"owner": None, "wakeAt": due, "status": "waiting"}
        try:
            await self._append([], list(self.inbox.nothing_came()), row=row, alone=True)
        except Conflict:
            self.inbox.look_afresh()
            return False
        if due is not None:
            self.worker.expects(due)
        return True

    async def travel(self, run: RunState) -> None:
        """Commit a rewritten past and become the owner of the run."""
        more: list[Operation] = []
        await self.claim(snapshot_entry(self.key, run, more), more, status="running", suspended=[])

    # ------------------------------------------------------------ writing

    @property
    def is_stale(self) -> bool:
        """Whether this process may have lost its runs: its lease ran out before it was renewed."""
        return self.worker.lease_is_over

    async def check(self) -> None:
        """`LeaseLost` when somebody else owns the run by now."""
        row = await self.storage.get(RUNS, self.key)
        if row is None or row["token"] != self.token:
            raise self._lost()

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"Run {self.state.run_id!r} is owned by another worker now.", run_id=self.state.run_id, hint=""
        )

    async def _append(
        self,
        entries: list[dict[str, Any]],
        more: list[Operation],
        *,
        row: dict[str, Any] | None = None,
        alone: bool = False,
    ) -> None:
        if self._deferred:
            entries = [*(entry for _, entry in self._deferred), *entries]
            more = [*self._deferred_more, *more]
            self._deferred, self._deferred_more = [], []
        append = _Append(entries, more, row, alone=alone)
        if self._is_writing:
            append.done = asyncio.get_running_loop().create_future()
            self._waiting.append(append)
            await append.done
        else:
            self._is_writing = True
            try:
                await self._write([append])
            finally:
                if self._waiting:
                    # In a task of its own: this one may be stopped, and those that wait may not.
                    self._draining = asyncio.ensure_future(self._drain())
                else:
                    self._is_writing = False
        if self.after_flush:
            calls, self.after_flush = self.after_flush, []
            for call in calls:
                call()

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft()]
                while self._waiting and not (group[0].alone or self._waiting[0].alone):
                    group.append(self._waiting.popleft())
                try:
                    await self._write(group)
                except Exception as error:  # noqa: BLE001 - it is theirs who wait
                    _answer(group, error)
                else:
                    _answer(group, None)
        finally:
            self._is_writing = False
            _answer(self._waiting, self._lost())

    async def _write(self, group: list[_Append]) -> None:
        batch: list[Operation] = [Expect(RUNS, self.key, {"token": self.token})]
        count = 0
        changes: dict[str, Any] | None = None
        for append in group:
            for entry in append.entries:
                batch.append(Put(JOURNAL, entry_key(self.key, self.seq + count), entry))
                count += 1
            batch.extend(append.more)
            if append.row is not None:
                changes = {**(changes or {}), **append.row}
        row: dict[str, Any] | None = None
        if changes is not None:
            row = self.new_row(**changes)
            row["seq"] = self.seq + count
            batch.append(self.put_row(row))
        is_written = functools.partial(self._has, self.seq, row)
        try:
            if group[0].alone and row is None:
                # What a step writes beside its record may touch the rows of others; parking does not.
                await self.worker.committer.write_alone(batch, is_written)
            else:
                await self.worker.committer.write(self.key, batch, is_written)
        except asyncio.CancelledError:
            # What was written is the run's past, whatever becomes of the run: nothing may be written over it.
            if await is_written():
                self._wrote(count, row)
            raise
        except Conflict:
            found = await self.storage.get(RUNS, self.key)
            if found is not None and found["token"] == self.token:
                raise  # a precondition of the step's own effects, or of parking
            raise self._lost() from None
        self._wrote(count, row)

    def _wrote(self, count: int, row: dict[str, Any] | None) -> None:
        self.seq += count
        if row is not None:
            self.row = row

    async def _has(self, seq: int, row: dict[str, Any] | None) -> bool:
        """Whether the entry with this number, or this row, was written by this owner."""
        found = await self.storage.get(RUNS, self.key)
        if found is None or found["token"] != self.token:
            return False
        if row is not None:
            return bool(found["rev"] == row["rev"])
        return await self.storage.get(JOURNAL, entry_key(self.key, seq)) is not None

    async def _commit_row(self, batch: list[Operation], row: dict[str, Any]) -> None:
        """Commit a batch with which this process becomes the owner, or the run becomes known."""

        async def is_written() -> bool:
            found = await self.storage.get(RUNS, self.key)
            return found is not None and found["rev"] == row["rev"]

        try:
            await self.worker.committer.write(self.key, batch, is_written)
        except (StorageUnavailable, asyncio.CancelledError):
            # It may be ours without anybody carrying it; the worker looks as soon as it can.
            self.worker.orphans.add(self.key)
            raise


def _answer(group: Iterable[_Append], error: Exception | None) -> None:
    for one in group:
        if one.done is None or one.done.done():
            continue
        if error is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(error)
