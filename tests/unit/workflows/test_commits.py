"""A connection that breaks while it commits: what was written is found, what was not is written, nothing twice."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import CommitUnknown, StorageUnavailable
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Delete, Expect, Operation, Put, Table
from mastra.workflows.tables import EVENTS, RUNS
from mastra.workflows.worker import Worker

NOTES = Table("notes")


@asynccontextmanager
async def application(storage, workflow):
    services = Services(storage=storage)
    worker = services.workflow_worker = Worker(services, tick_s=0.02)
    workflow.bind(services)
    yield worker
    await worker.stop(grace_s=0.1)


def counting(calls, name):
    def count(value: dict) -> dict:
        calls.append(name)
        return {"n": value["n"] + 1}

    return step(id=name)(count)


@step(resume={"ok": bool})
async def ask(value: dict, ctx: StepContext):
    if ctx.resume_data is None:
        ctx.suspend({"why": "?"})
    return ctx.resume_data


class Unsure(MemoryStorage):
    """Storage whose connection breaks while it commits: the write happened or not, and nobody is told which."""

    def __init__(self, *, written):
        super().__init__()
        self.written = written
        self.breaks = 0
        self.when: Callable[[Sequence[Operation]], bool] = lambda _: True
        self.is_away = False

    async def get(self, table, key):
        if self.is_away:
            raise StorageUnavailable("The server is away.")
        return await super().get(table, key)

    async def write(self, batch):
        if self.breaks and self.when(batch):
            self.breaks -= 1
            if self.written:
                await super().write(batch)
            raise CommitUnknown("The connection broke during a commit.")
        await super().write(batch)


def of_table(table):
    return lambda batch: any(operation.table == table for operation in batch)


@pytest.mark.parametrize("written", [True, False])
async def test_a_commit_of_unknown_outcome_is_looked_up_before_it_is_done_again(written):
    storage = Unsure(written=written)
    notes = []

    @step
    def note(value: dict, ctx: StepContext) -> dict:
        notes.append(1)
        # Done again, this batch would meet its own row.
        ctx.write_with_result(Expect(NOTES, "n1", None), Put(NOTES, "n1", {"by": ctx.run_id}))
        return value

    flow = Workflow("unsure").then(note).wait_for_event("go").map(lambda d: {"event": d}).commit()
    async with application(storage, flow):
        run = await flow.create_run("r1")
        storage.breaks, storage.when = 1, of_table(NOTES)
        await run.start_async({})
        await flow.send_event("r1", "go", 7)
        # The event is consumed in the write of its wait, which breaks too.
        storage.breaks, storage.when = 1, lambda batch: any(isinstance(one, Delete) for one in batch)
        result = await run.wait()
        assert (result.status, result.result, storage.breaks) == ("success", {"event": 7}, 0)
        assert notes == [1]
        assert await storage.get(NOTES, "n1") == {"by": "r1"}
        assert await storage.count(EVENTS) == 0


@pytest.mark.parametrize("written", [True, False])
async def test_a_start_and_a_resume_of_unknown_outcome_are_carried_on_once(written):
    storage = Unsure(written=written)
    calls = []
    flow = Workflow("unsure").then(counting(calls, "a")).then(ask).commit()
    async with application(storage, flow) as worker:
        run = await flow.create_run("r1")
        await worker.ensure()
        storage.breaks, storage.when = 1, of_table(RUNS)
        assert (await run.start({"n": 0})).status == "suspended"
        storage.breaks = 1
        assert (await (await flow.get_run("r1")).resume({"ok": True})).result == {"ok": True}
        storage.breaks = 1
        assert (await (await flow.create_run("r2", persist=True)).start({"n": 0})).status == "suspended"
        assert calls == ["a", "a"]


async def test_a_run_whose_start_may_have_been_written_is_not_left_lying():
    storage = Unsure(written=True)
    flow = Workflow("unsure").then(lambda v: v).commit()
    async with application(storage, flow) as worker:
        run = await flow.create_run("r1")
        await worker.ensure()
        storage.breaks, storage.when, storage.is_away = 100, of_table(RUNS), True
        with pytest.raises(StorageUnavailable):
            await run.start({"n": 0})
        storage.breaks, storage.is_away = 0, False
        async with asyncio.timeout(5):
            assert (await (await flow.get_run("r1")).wait()).result == {"n": 0}
