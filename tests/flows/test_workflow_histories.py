"""Runs that earlier releases wrote: every later one goes on with them, and repeats nothing that is recorded.

`python tests/flows/test_workflow_histories.py 0.1` writes the histories of the release at hand into a folder. Folders
of released versions never change.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mastra import StepContext, Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put, Table
from mastra.workflows.functions import durable
from mastra.workflows.tables import EVENTS, INBOXES, JOURNAL, RUNS, VALUES, WORKERS
from mastra.workflows.worker import Worker

FOLDER = Path(__file__).parent / "histories"
TABLES = (RUNS, JOURNAL, VALUES, EVENTS, INBOXES)
OWNER = "the-process-that-died"


class World:
    """What the steps do to the world, and the gate that the recording process dies at."""

    def __init__(self):
        self.calls = []
        self.open = True
        self.reached = asyncio.Event()


def act(world, name):
    async def run(value, ctx: StepContext):
        world.calls.append(ctx.key)
        if name == "gate" and not world.open:
            world.reached.set()
            await asyncio.Event().wait()
        ctx.set_state({**(ctx.state or {}), name: True})
        number = value.get("n", 0) if isinstance(value, dict) else value
        return {"n": number + 1}

    return step(id=name)(run)


def ask(world):
    async def asks(value, ctx: StepContext):
        if ctx.resume_data is None:
            ctx.suspend({"why": "?"}, label="boss")
        world.calls.append(ctx.key)
        return {"n": value["n"] + 100}

    return step(id="ask", resume={"ok": bool})(asks)


def total(items: Any) -> dict[str, int]:
    return {"n": sum(one["n"] for one in items)}


def chain(world):
    return Workflow("chain").then(act(world, "a")).then(act(world, "gate")).then(act(world, "b")).commit()


def shapes(world):
    inner = Workflow("inner").then(act(world, "deep")).then(act(world, "deeper")).commit()
    return (
        Workflow("shapes")
        .branch([(lambda d: d["n"] >= 0, act(world, "yes")), (lambda d: d["n"] < 0, act(world, "no"))])
        .map(lambda d: d["yes"])
        .parallel([act(world, "left"), act(world, "right")])
        .map({"n": {"step": "left", "path": "n"}})
        .then(inner)
        .dountil(act(world, "loop"), lambda d: d["n"] >= 7)
        .map(lambda d: [d, d])
        .foreach(act(world, "each"), concurrency=2)
        .map(total)
        .then(act(world, "gate"))
        .commit()
    )


def half(world):
    """Dies inside of a fan-out, a nested workflow and a loop at once."""
    inner = Workflow("inner").then(act(world, "deep")).then(act(world, "gate")).commit()
    return (
        Workflow("half")
        .parallel([act(world, "left"), inner, ask(world)])
        .map(lambda d: {"n": d["left"]["n"] + d["inner"]["n"] + d["ask"]["n"]})
        .commit()
    )


def waits(world):
    flow = Workflow("waits").then(act(world, "a")).sleep(0.001).wait_for_event("go")
    return flow.map(lambda d: {"n": d}).then(act(world, "gate")).then(ask(world)).commit()


def large(world):
    return (
        Workflow("large")
        .then(step(id="big")(lambda d: {"text": "x" * 70_000, "n": d["n"]}))
        .then(act(world, "gate"))
        .commit()
    )


def function(world):
    async def body(value, ctx):
        first = await ctx.run(act(world, "a"), value)
        second = await ctx.run(act(world, "gate"), first)
        return await ctx.run(act(world, "b"), second)

    body.__name__ = "function"
    return durable(body)


# Name: the definition, what it gives, and the places that may still run when it is taken up.
CASES = {
    "chain": (chain, {"n": 3}, ["gate", "b"]),
    "shapes": (shapes, {"n": 17}, ["gate"]),
    "half": (half, {"n": 103}, ["ask", "inner.gate"]),
    "waits": (waits, {"n": 108}, ["ask", "gate"]),
    "large": (large, {"n": 1}, ["gate"]),
    "function": (function, {"n": 3}, ["function.1.gate", "function.2.b"]),
}


def application(storage, flow):
    services = Services(storage=storage)
    worker = services.workflow_worker = Worker(services, tick_s=0.02, lease_s=3600)
    flow.bind(services)
    return worker


async def record(name, folder):
    world, storage = World(), MemoryStorage()
    world.open = False
    flow = CASES[name][0](world)
    worker = application(storage, flow)
    run = await flow.create_run("r1", resource="u1")
    await run.start_async({"n": 0}, state={}, request_context={"tier": "gold"})
    if name == "waits":
        await run.send_event("go", 7)
    await asyncio.wait_for(world.reached.wait(), 10)
    await asyncio.sleep(0.05)
    tasks = [*worker._tasks, *(one.task for one in worker.active.values() if one.task)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    rows = {}
    for table in TABLES:
        page = await storage.scan(table, limit=1000)
        rows[table.name] = {row.key: row.value for row in page.records}
    for row in rows[RUNS.name].values():
        row["owner"] = OWNER
    text = json.dumps({"rows": rows, "shape": [table.indexes for table in TABLES]}, indent=1, sort_keys=True)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


HISTORIES = sorted(FOLDER.glob("*/*.json"))


def test_every_kind_of_run_has_a_history():
    assert {path.stem for path in HISTORIES} >= set(CASES)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_run_is_finished_without_repeating_what_is_recorded(path):
    kept = json.loads(path.read_text(encoding="utf-8"))
    build, wanted, left = CASES[path.stem]
    world, storage = World(), MemoryStorage()
    for name, rows in kept["rows"].items():
        table = next(one for one in TABLES if one.name == name)
        await storage.write([Put(table, key, value) for key, value in rows.items()])
    gone = {"leaseUntil": 0, "host": "elsewhere", "pid": 0, "born": None}
    await storage.write([Put(Table(WORKERS.name, WORKERS.indexes), OWNER, gone)])
    flow = build(world)
    worker = application(storage, flow)
    await worker.start()
    run = await flow.get_run("r1")
    result = await asyncio.wait_for(run.wait(), 10)
    if result.status == "suspended":
        result = await (await flow.get_run("r1")).resume({"ok": True}, label="boss")
    assert (result.status, result.result if path.stem != "large" else {"n": 1}) == ("success", wanted)
    assert sorted(world.calls) == sorted(left)
    assert run.state.resource_id == "u1"
    assert run.state.request_values == {"tier": "gold"}
    await worker.stop()


if __name__ == "__main__":
    made = FOLDER / sys.argv[1]
    made.mkdir(parents=True)
    for one in CASES:
        asyncio.run(record(one, made))
