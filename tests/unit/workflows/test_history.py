"""A run's journal: large values apart, records as entries and back, and what a rebuilt run knows."""

import pytest

from mastra.errors import StorageCorrupt
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put
from mastra.workflows.history import (
    LARGE,
    Rebuild,
    entries,
    forget_items,
    is_large,
    keep,
    record_of,
    references,
    snapshot_entry,
    step_entry,
)  # fmt: skip
from mastra.workflows.records import RunState, StepRecord
from mastra.workflows.tables import JOURNAL, entry_key

BIG = "x" * (LARGE + 1)


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ("x" * LARGE, False), (BIG, True), (7, False), (None, False), ({"a": BIG}, True), ([["x"] * 9] * 9, False),
        ([0] * LARGE, True), ({BIG: 1}, True), ([{"a": {"b": [BIG]}}], True), ([list(range(300))] * 100, True),
        ({str(n): n for n in range(16)}, False), ([["x" * 1000] * 50] * 2, True),
    ],
)  # fmt: skip
def test_large_is_what_would_swell_a_record(value, large):
    assert is_large(value) is large


async def test_a_large_value_is_stored_once_and_put_back():
    storage, more = MemoryStorage(), []
    first, second = keep("w/r", {"v": BIG}, more), keep("w/r", {"v": BIG}, more)
    assert first == second
    assert len({one.key for one in more}) == 1
    entry = {"kind": "step", "output": first, "list": [first, {"small": 1}]}
    assert references(entry) == {first["$value"]}
    await storage.write([*more, Put(JOURNAL, entry_key("w/r", 0), entry)])
    [found] = [one async for one in entries(storage, "w/r")]
    assert found == {"kind": "step", "output": {"v": BIG}, "list": [{"v": BIG}, {"small": 1}]}


async def test_a_value_that_is_gone_is_not_passed_over():
    storage = MemoryStorage()
    await storage.write([Put(JOURNAL, entry_key("w/r", 0), {"kind": "step", "output": {"$value": "f" * 64}})])
    with pytest.raises(StorageCorrupt, match="not there"):
        [one async for one in entries(storage, "w/r")]


@pytest.mark.parametrize("count", [0, 1, 23, 24, 25, 121, 700])
async def test_entries_come_in_order_however_many(count):
    storage = MemoryStorage()
    if count:
        await storage.write([Put(JOURNAL, entry_key("w/r", n), {"n": n}) for n in range(count)])
    assert [one["n"] async for one in entries(storage, "w/r")] == list(range(count))
    assert [one["n"] async for one in entries(storage, "w/r", start=20)] == list(range(20, count))


def full_record(status):
    record = StepRecord("n.s", "n.s[3]", {"in": 1}, 10)
    record.status = status
    record.output = {"out": [1]} if status == "success" else None
    record.error = {"message": "m", "name": "E"} if status == "failed" else None
    record.suspend_payload, record.resume_payload = {"why": 1}, {"ok": True}
    record.ended_at, record.suspended_at, record.resumed_at, record.wake_at = 11, 12, 13, 14
    record.label, record.iteration, record.attempts = "sign", 4, 2
    record.in_path = record.is_container = True
    return record


@pytest.mark.parametrize("status", ["success", "failed", "suspended", "waiting"])
def test_a_record_comes_back_as_it_was(status):
    record = full_record(status)
    again = record_of(step_entry("w/r", record, False, []), None)
    names = set(StepRecord.__slots__) - {"call_id", "is_stored"}
    assert {name: getattr(again, name) for name in names} == {name: getattr(record, name) for name in names}
    assert again.is_stored


def test_a_payload_that_is_the_output_before_is_not_written_twice():
    record = full_record("success")
    entry = step_entry("w/r", record, True, [])
    assert "payload" not in entry
    assert record_of(entry, {"from": "before"}).payload == {"from": "before"}


def test_a_rebuilt_run_is_the_run():
    run = RunState("w", "r", None, "h", 1)
    build = Rebuild(run)
    build.apply({"kind": "start", "input": {"n": 0}, "hash": "h2", "shape": [1], "state": {"s": 1},
                 "requestContext": {"a": 1}})  # fmt: skip
    base = {"kind": "step", "status": "success", "startedAt": 1, "inPath": True}
    build.apply({**base, "key": "a", "id": "a", "output": {"n": 1}, "decisions": [["c?", ["x"]]]})
    build.apply({**base, "key": "b", "id": "b", "status": "failed", "error": {"message": "m"}, "state": {"s": 2}})
    assert (run.hash, run.shape, run.state, run.initial_state) == ("h2", [1], {"s": 2}, {"s": 1})
    assert (run.path, run.decisions) == (["a", "b"], {"c?": ["x"]})
    # Each was fed with what went before it.
    assert [run.records[key].payload for key in "ab"] == [{"n": 0}, {"n": 1}]
    build.apply({"kind": "forget", "keys": ["b", "unknown"]})
    assert (list(run.records), list(run.steps)) == (["a"], ["a"])
    build.apply({"kind": "resume", "answers": {"b": 1}, "requestContext": {"c": 2}})
    assert (run.answers, run.request_values) == ({"b": 1}, {"a": 1, "c": 2})
    build.apply({**base, "key": "b", "id": "b", "output": 3})
    assert run.answers == {}
    build.apply({"kind": "finish", "status": "success", "result": 3, "usage": {"totalTokens": 5}})
    assert (run.status, run.result, run.usage["totalTokens"], build.seq) == ("success", 3, 5, 7)


def test_a_snapshot_stands_for_everything_before_it():
    run = RunState("w", "r", None, "h", 1)
    run.input, run.path, run.loops, run.epoch = {"n": 0}, ["a"], {"l": 2}, 3
    run.add(full_record("success"), visible=False)
    entry = snapshot_entry("w/r", run, [])
    other = RunState("w", "r", None, "x", 1)
    other.add(StepRecord("old", "old", None, 1))
    other.result = "old"
    Rebuild(other).apply(entry)
    assert (other.input, other.path, other.loops, other.epoch, other.hash, other.result) == (
        {"n": 0}, ["a"], {"l": 2}, 3, "h", None,
    )  # fmt: skip
    assert (list(other.records), list(other.steps)) == (["n.s[3]"], [])


def test_the_items_of_a_finished_foreach_are_dropped():
    run = RunState("w", "r", None, "h", 1)
    for key in ("each[0]", "each[1]", "each[1].inner", "other[0]"):
        run.add(StepRecord(key, key, None, 1))
    forget_items(run, "each")
    assert "other[0]" in run.records
    assert not [key for key in run.records if key in ("each[0]", "each[1]")]
