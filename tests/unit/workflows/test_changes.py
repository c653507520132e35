"""Code that changed while runs waited: the old definition, today's where it goes on, a migration, or a refusal."""

import pytest

from mastra import Workflow, step
from mastra.errors import HistoryMismatch
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.workflows.changes import Migration
from mastra.workflows.records import RunState, StepRecord


def act(name, calls):
    def run(value: dict) -> dict:
        calls.append(name)
        return {"n": value.get("n", 0) + 1}

    return step(id=name)(run)


def ask(calls):
    def run(value, ctx):
        if ctx.resume_data is None:
            ctx.suspend({"why": "?"})
        calls.append("ask")
        return value

    return step(id="ask", resume={"ok": bool})(run)


def flow_of(calls, names, **options):
    flow = Workflow("changed", **options)
    for name in names:
        flow = flow.then(ask(calls) if name == "ask" else act(name, calls))
    return flow.commit()


async def suspended(storage, calls):
    flow = flow_of(calls, ["a", "ask", "b"])
    flow.bind(Services(storage=storage))
    await (await flow.create_run("r1")).start({"n": 0})
    calls.clear()
    return flow


async def resumed(storage, flow):
    flow.bind(Services(storage=storage))
    return await (await flow.get_run("r1")).resume({"ok": True})


async def test_a_run_goes_on_where_only_its_future_changed():
    storage, calls = MemoryStorage(), []
    await suspended(storage, calls)
    result = await resumed(storage, flow_of(calls, ["a", "ask", "c", "d"]))
    assert (result.status, calls, result.result) == ("success", ["ask", "c", "d"], {"n": 3})


@pytest.mark.parametrize("names", [["x", "a", "ask", "b"], ["ask", "b"], ["a2", "ask"]])
async def test_a_changed_past_is_refused_and_nothing_has_run(names):
    storage, calls = MemoryStorage(), []
    await suspended(storage, calls)
    before = {key: dict(rows.texts) for key, rows in storage._tables.items() if "workers" not in str(key)}
    with pytest.raises(HistoryMismatch, match="another definition") as refused:
        await resumed(storage, flow_of(calls, names))
    assert "versions" in refused.value.hint
    assert calls == []
    assert {key: dict(rows.texts) for key, rows in storage._tables.items() if "workers" not in str(key)} == before


async def test_a_kept_version_finishes_the_runs_it_began():
    storage, calls = MemoryStorage(), []
    old = await suspended(storage, calls)
    result = await resumed(storage, flow_of(calls, ["other"], versions=[old]))
    assert (result.status, calls) == ("success", ["ask", "b"])


async def test_a_migration_renames_completes_and_forgets():
    storage, calls = MemoryStorage(), []
    old = await suspended(storage, calls)
    seen = []

    def migrate(run):
        seen.append((run.hash, run.outputs))
        run.rename("a", "first")
        run.complete("between", {"n": 10})
        run.rename("nobody", "else")
        run.forget("nobody")

    today = flow_of(calls, ["first", "between", "ask", "b"], migrate=migrate)
    result = await resumed(storage, today)
    assert (result.status, calls) == ("success", ["ask", "b"])
    assert seen == [(old.hash, {"a": {"n": 1}})]
    # It was written down: who reads the run next sees the migrated past.
    again = flow_of(calls, ["first", "between", "ask", "b"])
    again.bind(Services(storage=storage))
    assert set((await again.get_run("r1")).state.records) == {"first", "between", "ask", "b"}


def test_a_migration_touches_what_it_names_only():
    state = RunState("w", "r", None, "old", 1)
    for name in ("a", "b"):
        record = StepRecord(name, name, None, 1)
        record.status, record.output = "success", name
        state.add(record)
    state.path = ["a", "b"]
    change = Migration(state, 2)
    change.rename("a", "x")
    assert (list(state.records), state.path, change.outputs) == (["b", "x"], ["x", "b"], {"b": "b", "x": "a"})
    change.forget("b")
    assert (list(state.records), list(state.steps)) == (["x"], ["x"])
