"""Entries of a run's journal: how records are written into them and a run is rebuilt from them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mastra.errors import StorageCorrupt
from mastra.types.json import dumps
from mastra.types.records import Operation, Put
from mastra.types.schema import to_json
from mastra.workflows.records import RunState, StepRecord
from mastra.workflows.tables import JOURNAL, VALUES, entry_key

if TYPE_CHECKING:
    from mastra.ports.storage import Storage

# A value with more characters than this is stored once, by its hash.
LARGE = 65_536
_REFERENCE = "$value"
# How many entries are asked for at once: few at first, because most runs are short.
_FIRST_CHUNK, _CHUNK = 24, 500
# A collection of so few short things is not large, whatever they are.
_FEW = 16
_SHORT = frozenset({int, float, bool, type(None)})
# Field on the record, name in the entry; written when they hold something: values first, then plain numbers and words.
_VALUES = (("error", "error"), ("suspend_payload", "suspendPayload"), ("resume_payload", "resumePayload"))
_PLAIN = (
    ("ended_at", "endedAt"), ("suspended_at", "suspendedAt"), ("resumed_at", "resumedAt"), ("label", "label"),
    ("iteration", "iteration"), ("wake_at", "wakeAt"),
)  # fmt: skip


def is_large(value: Any) -> bool:
    """Whether `value` is worth storing apart; looks no further than needed."""
    kind = type(value)
    if kind is str:
        return len(value) > LARGE
    if kind is not dict and kind is not list:
        return False
    if len(value) <= _FEW and all(
        type(one) in _SHORT or (type(one) is str and len(one) < LARGE // (2 * _FEW))
        for one in (value.values() if kind is dict else value)
    ):
        return kind is dict and any(len(key) > LARGE // (2 * _FEW) for key in value)
    budget, rest = LARGE, [value]
    while rest:
        one = rest.pop()
        kind = type(one)
        if kind is str:
            budget -= len(one)
        elif kind is dict:
            budget -= 4 * len(one)
            rest.extend(one)
            rest.extend(one.values())
        elif kind is list:
            budget -= 2 * len(one)
            if budget > 0:
                rest.extend(one)
        else:
            budget -= 4
        if budget <= 0:
            return True
    return False


def keep(run: str, value: Any, operations: list[Operation]) -> Any:
    """`value`, or a reference to it after adding the operation that stores it."""
    if not is_large(value):
        return value
    digest = hashlib.sha256(dumps(value).encode()).hexdigest()
    operations.append(Put(VALUES, f"{run}/{digest}", {"value": value}))
    return {_REFERENCE: digest}


def references(entry: Any) -> set[str]:
    """The digests of the large values that an entry refers to."""
    found: set[str] = set()
    rest = [entry]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            if len(one) == 1 and isinstance(one.get(_REFERENCE), str):
                found.add(one[_REFERENCE])
            rest.extend(one.values())
        elif isinstance(one, list):
            rest.extend(one)
    return found


def step_entry(run: str, record: StepRecord, same_payload: bool, operations: list[Operation]) -> dict[str, Any]:  # noqa: FBT001 - internal
    """A record as an entry. `same_payload`: its input is the output of the entry that went before it in a row."""
    entry: dict[str, Any] = {
        "kind": "step", "key": record.key, "id": record.id, "status": record.status, "startedAt": record.started_at,
    }  # fmt: skip
    if record.status == "success":
        entry["output"] = keep(run, to_json(record.output), operations)
    if not same_payload:
        entry["payload"] = keep(run, to_json(record.payload), operations)
    if record.status != "success" or record.resumed_at is not None:
        for field, name in _VALUES:
            value = getattr(record, field)
            if value is not None:
                entry[name] = keep(run, to_json(value), operations)
    for field, name in _PLAIN:
        value = getattr(record, field)
        if value is not None:
            entry[name] = value
    if record.attempts:
        entry["attempts"] = record.attempts
    if record.in_path:
        entry["inPath"] = True
    if record.is_container:
        entry["holds"] = True
    return entry


def record_of(entry: dict[str, Any], source: Any) -> StepRecord:
    """The record that an entry holds; its values are the JSON of the journal."""
    payload = entry.get("payload", source)
    record = StepRecord(entry["id"], entry["key"], payload, entry["startedAt"])
    record.status = entry["status"]
    record.output = entry.get("output")
    for field, name in (*_VALUES, *_PLAIN):
        setattr(record, field, entry.get(name))
    record.attempts = entry.get("attempts", 0)
    record.in_path = entry.get("inPath", False)
    record.is_container = entry.get("holds", False)
    record.is_stored = True
    return record


def snapshot_entry(run: str, state: RunState, operations: list[Operation]) -> dict[str, Any]:
    """Everything that is known of the run, in one entry: after a journey, or a patch."""
    return {
        "kind": "snapshot", "input": keep(run, to_json(state.input), operations), "state": to_json(state.state),
        "records": [
            {**step_entry(run, one, False, operations), "shown": state.steps.get(one.id) is one}
            for one in state.records.values()
        ],
        "path": state.path, "decided": state.decisions, "loops": state.loops, "epoch": state.epoch,
        "hash": state.hash, "scopes": to_json(state.scopes), "answers": to_json(state.answers),
        "injected": to_json(state.injected), "requestContext": state.request_values,
    }  # fmt: skip


async def entries(storage: Storage, run: str, *, start: int = 0) -> AsyncIterator[dict[str, Any]]:
    """The entries of a run in order, from a number on, their large values in place."""
    seq, count = start, _FIRST_CHUNK
    while True:
        keys = [entry_key(run, number) for number in range(seq, seq + count)]
        found = await storage.get_many(JOURNAL, keys)
        for key in keys:
            entry = found.get(key)
            if entry is None:
                return
            yield await _resolve(storage, run, entry)
        seq, count = seq + count, min(4 * count, _CHUNK)


async def _resolve(storage: Storage, run: str, entry: dict[str, Any]) -> dict[str, Any]:
    wanted = references(entry)
    if not wanted:
        return entry
    rows = await storage.get_many(VALUES, [f"{run}/{digest}" for digest in wanted])
    values = {key.rpartition("/")[2]: row["value"] for key, row in rows.items()}
    missing = wanted - set(values)
    if missing:
        raise StorageCorrupt(f"Run {run!r} refers to the value {min(missing)}, which is not there.")
    resolved: dict[str, Any] = _replaced(entry, values)
    return resolved


def _replaced(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and value.get(_REFERENCE) in values:
            return values[value[_REFERENCE]]
        return {key: _replaced(item, values) for key, item in value.items()}
    return [_replaced(item, values) for item in value] if isinstance(value, list) else value


class Rebuild:
    """Applies entries to a run, one after another."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.seq = 0
        # The output that a following record without a payload was fed with.
        self.source: Any = None

    def apply(self, entry: dict[str, Any]) -> None:
        """One entry."""
        state, kind = self.state, entry["kind"]
        self.seq += 1
        for key, decision in entry.get("decisions", ()):
            state.decisions[key] = decision
        if "state" in entry:
            state.state = entry["state"]
        if kind == "step":
            self._step(entry)
        elif kind == "start":
            state.input = self.source = entry["input"]
            state.initial_state = entry.get("state")
            state.request_values = entry.get("requestContext", {})
            state.hash = entry.get("hash", state.hash)
            state.shape = entry.get("shape")
        elif kind == "resume":
            state.answers.update(entry["answers"])
            state.request_values |= entry.get("requestContext", {})
        elif kind == "forget":
            for key in entry["keys"]:
                record = state.records.pop(key, None)
                if record is not None:
                    state.steps.pop(record.id, None)
        elif kind == "snapshot":
            self._snapshot(entry)
        elif kind == "finish":
            state.status = entry["status"]
            state.result, state.error = entry.get("result"), entry.get("error")
            state.usage |= entry.get("usage", {})

    def _step(self, entry: dict[str, Any]) -> None:
        state = self.state
        record = record_of(entry, self.source)
        known = state.records.get(record.key)
        base, mark, count = record.key.rpartition("#")
        if mark and record.iteration is not None:
            state.loops[base] = int(count)
        state.add(record, visible=not record.key.endswith("]"))
        if record.in_path and known is None:
            state.path.append(record.id)
        state.answers.pop(record.key, None)
        state.injected.pop(record.key, None)
        if is_source(record):
            self.source = entry.get("output")
        if record.is_container and record.status == "success":
            forget_items(state, record.key)

    def _snapshot(self, entry: dict[str, Any]) -> None:
        state = self.state
        state.records.clear()
        state.steps.clear()
        for one in entry["records"]:
            state.add(record_of(one, None), visible=one["shown"])
        state.input = self.source = entry["input"]
        state.path = list(entry["path"])
        state.decisions, state.loops = dict(entry["decided"]), dict(entry["loops"])
        state.scopes, state.answers = dict(entry["scopes"]), dict(entry["answers"])
        state.injected, state.request_values = dict(entry["injected"]), dict(entry["requestContext"])
        state.epoch, state.hash = entry["epoch"], entry["hash"]
        state.result = state.error = None


def is_source(record: StepRecord) -> bool:
    """Whether the next record may leave out its payload because it is this one's output."""
    return record.status == "success" and (record.in_path or record.iteration is not None)


def forget_items(state: RunState, key: str) -> None:
    """Drop the items of a finished foreach."""
    index = 0
    while f"{key}[{index}]" in state.records:
        state.forget(f"{key}[{index}]")
        index += 1
