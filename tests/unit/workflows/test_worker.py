"""Workers: many parked runs, lost leases, runs that kill, stopping."""

import asyncio
import os

from mastra import StepContext, Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put
from mastra.workflows.tables import RUNS, WORKERS
from mastra.workflows.worker import MAX_RECOVERIES, Worker, host_name, process_birth


def process(storage, *workflows, **options):
    services = Services(storage=storage)
    services.workflow_worker = Worker(services, **{"tick_s": 0.02, **options})
    for workflow in workflows:
        workflow.bind(services)
    return services.workflow_worker


async def test_a_run_that_keeps_killing_its_workers_is_failed():
    storage = MemoryStorage()
    flow = Workflow("killer").then(lambda v: v).commit()
    worker = process(storage, flow)
    run = await flow.create_run("r1", persist=True)
    await run.start({})
    row = await storage.get(RUNS, "killer/r1")
    bad = {**row, "status": "running", "owner": "gone", "recoveries": MAX_RECOVERIES}
    await storage.write(
        [Put(RUNS, "killer/r1", bad), Put(WORKERS, "gone", {"leaseUntil": 0, "host": "x", "pid": 1, "born": None})]
    )
    await worker.recover()
    await worker.services.background.settle()
    found = await flow.get_run("r1")
    assert (found.status, found.state.error["name"]) == ("failed", "RecoveryLimit")
    assert await storage.get(WORKERS, "gone") is None
    await worker.stop()


async def test_a_process_that_was_away_past_its_lease_runs_no_further_step():
    storage, release, effects = MemoryStorage(), asyncio.Event(), []

    @step
    async def slow(value: dict) -> dict:
        await release.wait()
        return value

    @step
    def after(value: dict, ctx: StepContext) -> dict:
        effects.append(ctx.idempotency_key)
        return value

    def build():
        return Workflow("away").then(slow).then(after).commit()

    mine, theirs = build(), build()
    first, second = process(storage, mine, lease_s=3600), process(storage, theirs)
    run = await mine.create_run("r1")
    await run.start_async({})
    await asyncio.sleep(0)
    await storage.write([Put(WORKERS, first.id, {"leaseUntil": 0, "host": "x", "pid": 0, "born": None})])
    first._lease_until = 0.0
    await second.recover()
    release.set()
    taken = await theirs.get_run("r1")
    assert (await taken.wait()).status == "success"
    assert (await run.wait()).status == "success"
    assert effects == ["away/r1/after"]
    await first.stop()
    await second.stop()


async def test_stopping_hands_the_runs_over_at_once():
    storage, gate = MemoryStorage(), asyncio.Event()

    def build():
        return Workflow("moved").then(step(id="wait")(lambda v: gate.wait())).then(lambda v: "done").commit()

    first = process(storage, build(), lease_s=3600)
    await (await first.workflows["moved"].create_run("r1")).start_async({})
    await asyncio.sleep(0.005)
    await first.stop(grace_s=0.0)
    second = process(storage, build())
    gate.set()
    await second.start()
    run = await second.workflows["moved"].get_run("r1")
    assert (await run.wait()).result == "done"
    await second.stop()


async def test_parked_runs_hold_no_memory_and_all_wake():
    storage = MemoryStorage()
    flow = Workflow("sleepers").sleep(0.3).then(lambda v: v).commit()
    worker = process(storage, flow, park_after_s=0.01)
    for number in range(200):
        await (await flow.create_run(f"r{number}")).start_async({"n": number})
    while worker.active:  # noqa: ASYNC110 - the worker has no event for this, and needs none
        await asyncio.sleep(0.005)
    assert len(worker.services.background) == 0
    while await flow.count_runs("success") < 200:  # noqa: ASYNC110 - the same
        await asyncio.sleep(0.02)
    await worker.stop()


def test_a_process_is_known_by_its_birth_and_not_by_its_number_alone():

    assert host_name() == host_name()
    assert process_birth(os.getpid()) == process_birth(os.getpid())
    assert process_birth(2**22 + 1) is None
