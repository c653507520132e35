"""Time that jumps and processes that are away: timers are never early and once, leases are lost without harm."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from mastra import Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.testing.clock import HandClock
from mastra.types.records import Table
from mastra.workflows.tables import RUNS
from mastra.workflows.worker import Worker

EFFECTS = Table("effects")


def process(storage, clock, flow, **options):
    services = Services(storage=storage, clock=clock)
    worker = services.workflow_worker = Worker(services, **options)
    flow.bind(services)
    return worker


async def moved(clock, seconds, turns=40):
    await clock.advance(seconds)
    for _ in range(turns):
        await asyncio.sleep(0)


def sleeper(woken):
    @step(id="wake")
    def wake(value: dict) -> dict:
        woken.append(1)
        return value

    return Workflow("sleeper").sleep(10).then(wake).commit()


@pytest.mark.parametrize("parked", [True, False])
async def test_a_clock_that_is_set_back_delays_a_timer_and_never_doubles_it(parked):
    clock, storage, woken = HandClock(), MemoryStorage(), []
    flow = sleeper(woken)
    worker = process(storage, clock, flow, park_after_s=0.0 if parked else 3600.0, tick_s=20, lease_s=3600)
    await (await flow.create_run("r1")).start_async({})
    await moved(clock, 0)
    await moved(clock, 9)
    clock.set_off(-3600)
    await moved(clock, 60)
    assert woken == []
    assert (await storage.get(RUNS, "sleeper/r1") or {})["status"] == "waiting"
    await moved(clock, 3542)
    await moved(clock, 1)
    assert woken == [1]
    clock.set_off(-3600)
    await moved(clock, 7200)
    assert woken == [1]
    assert (await storage.get(RUNS, "sleeper/r1") or {})["status"] == "success"
    stopping = asyncio.ensure_future(worker.stop(grace_s=0))
    await moved(clock, 10)
    await stopping


async def test_a_timer_wakes_when_its_moment_has_come_and_no_earlier():
    clock, storage, woken = HandClock(), MemoryStorage(), []
    flow = sleeper(woken)
    worker = process(storage, clock, flow, park_after_s=0.0)
    await (await flow.create_run("r1")).start_async({})
    await moved(clock, 0)
    await moved(clock, 9.99)
    assert woken == []
    # The machine slept: its clock is where the world is.
    clock.set_off(3600)
    await moved(clock, 1)
    assert woken == [1]
    await worker.stop(grace_s=0)


async def test_a_clock_that_jumps_past_every_lease_costs_repeats_of_unrecorded_steps_only():
    clock, storage, calls, gate = HandClock(), MemoryStorage(), [], asyncio.Event()

    def build():
        @step(id="slow")
        async def slow(value: dict) -> dict:
            calls.append("slow")
            await gate.wait()
            return value

        @step(id="after")
        def after(value: dict) -> dict:
            calls.append("after")
            return value

        return Workflow("jump").then(slow).then(after).commit()

    mine, theirs = build(), build()
    first, second = process(storage, clock, mine), process(storage, clock, theirs)
    run = await mine.create_run("r1")
    await run.start_async({"n": 1})
    await asyncio.sleep(0)
    # Both processes are on this machine: to the second one the first seems dead, though it is at work.
    clock.set_off(86_400)
    await second.recover()
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    for _ in range(20):
        await moved(clock, 0.5)
    assert (await storage.get(RUNS, "jump/r1") or {})["status"] == "success"
    assert calls == ["slow", "slow", "after"]
    for worker in (first, second):
        await worker.stop(grace_s=0)


# Runs one workflow whose second step takes long, and tells each effect on a line of its own.
AWAY = """
import asyncio, sys
from mastra import Workflow, step
from mastra.runtime.services import Services
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Expect, Put, Table
from mastra.workflows.worker import Worker

async def main(path, number):
    services = Services(storage=SqliteStorage(path))
    services.workflow_worker = Worker(services, lease_s=0.4, tick_s=0.05)

    def act(name, pause):
        async def run(value, ctx):
            ctx.write_with_result(Put(Table("effects"), f"{ctx.run_id}-{name}", {"by": "first"}))
            print("effect", name, flush=True)
            await asyncio.sleep(pause)
            return value
        return step(id=name)(run)

    flow = Workflow("away").then(act("a", 0)).then(act("b", 0.15)).then(act("c", 0)).commit()
    flow.bind(services)
    run = await flow.create_run(f"r{number}")
    result = await run.start({"n": 1})
    print("end", result.status, flush=True)
    await services.workflow_worker.stop()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def start_away(path, number):
    arguments = [sys.executable, "-c", AWAY, str(path), str(number)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, bufsize=1)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
async def test_a_process_that_is_stopped_past_its_lease_writes_nothing_when_it_wakes(tmp_path, number):
    path = tmp_path / "runs.db"
    child = start_away(path, number)
    assert child.stdout is not None
    told = [child.stdout.readline().strip(), child.stdout.readline().strip()]
    assert told == ["effect a", "effect b"]
    os.kill(child.pid, signal.SIGSTOP)
    await asyncio.sleep(0.6)
    effects = []

    def act(name):
        @step(id=name)
        def run(value: dict) -> dict:
            effects.append(name)
            return value

        return run

    storage = SqliteStorage(path)
    flow = Workflow("away").then(act("a")).then(act("b")).then(act("c")).commit()
    services = Services(storage=storage)
    worker = services.workflow_worker = Worker(services, tick_s=0.05)
    flow.bind(services)
    await worker.start()
    run = await flow.get_run(f"r{number}")
    assert (await asyncio.wait_for(run.wait(), 20)).status == "success"
    before = await storage.get(RUNS, f"away/r{number}")
    os.kill(child.pid, signal.SIGCONT)
    out, _ = await asyncio.to_thread(child.communicate, timeout=30)
    # It repeats nothing, learns that the run went on without it, and says how it ended.
    assert out.split() == ["end", "success"]
    assert effects == ["b", "c"]
    assert await storage.get(RUNS, f"away/r{number}") == before
    assert await storage.get(EFFECTS, f"r{number}-a") == {"by": "first"}
    assert await storage.get(EFFECTS, f"r{number}-b") is None
    await worker.stop()
    await storage.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_thousand_suspensions_with_eight_callers_each_have_one_winner_each(tmp_path):
    effects = []

    def build():
        async def asks(value, ctx):
            if ctx.resume_data is None:
                ctx.suspend({"why": "?"})
            effects.append(ctx.run_id)
            return ctx.resume_data

        return Workflow("ask").then(step(id="ask", resume={"ok": bool})(asks)).commit()

    storage = SqliteStorage(tmp_path / "runs.db", durability="process")
    flows = [build(), build()]
    workers = [process_here(storage, flow) for flow in flows]
    for number in range(1000):
        await (await flows[0].create_run(f"r{number}")).start({})
        handles = [await flow.get_run(f"r{number}") for flow in flows for _ in range(4)]
        outcomes = await asyncio.gather(*(one.resume({"ok": True}) for one in handles), return_exceptions=True)
        assert sum(not isinstance(one, Exception) for one in outcomes) == 1
    assert sorted(effects) == sorted(f"r{number}" for number in range(1000))
    for worker in workers:
        await worker.stop()
    await storage.close()


def process_here(storage, flow):
    services = Services(storage=storage)
    worker = services.workflow_worker = Worker(services)
    flow.bind(services)
    return worker
