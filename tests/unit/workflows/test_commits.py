"""A connection that breaks while it commits: what was written is found, what was not is written, nothing twice."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import CommitUnknown, Conflict, InvalidInput, StorageUnavailable
from mastra.runtime.clock import SYSTEM_CLOCK
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Delete, Expect, Operation, Put, Table
from mastra.workflows.commits import Committer
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


class Counted(Unsure):
    """Storage that notes how long each batch was, and can be held."""

    def __init__(self, *, written=True):
        super().__init__(written=written)
        self.batches = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, batch):
        await self.gate.wait()
        self.batches.append(len(batch))
        await super().write(batch)


def crowd(storage):
    committer = Committer(storage, SYSTEM_CLOCK, lambda: True)

    def write(name, *batch):
        async def is_written():
            return all([await storage.get(one.table, one.key) is not None for one in batch])

        return asyncio.ensure_future(committer.write(name, batch, is_written))

    return write


async def test_runs_side_by_side_share_a_commit_and_each_fails_alone():
    storage = Counted()
    write = crowd(storage)
    good = [write(f"r{n}", Put(NOTES, f"n{n}", {"n": n})) for n in range(20)]
    await asyncio.gather(*good)
    assert storage.batches == [20]
    storage.batches.clear()
    late = write("late", Expect(NOTES, "n1", {"n": 7}), Put(NOTES, "x", {}))
    bad = write("bad", Put(NOTES, "y", {"a": "\0"}))
    fine = write("fine", Put(NOTES, "z", {}))
    found = await asyncio.gather(late, bad, fine, return_exceptions=True)
    assert [type(one) for one in found] == [Conflict, InvalidInput, type(None)]
    assert [await storage.get(NOTES, key) for key in "xyz"] == [None, None, {}]


async def test_two_writes_of_one_run_never_share_a_commit():
    storage = Counted()
    write = crowd(storage)
    await storage.write([Put(NOTES, "row", {"rev": 1})])
    claims = [write("run", Expect(NOTES, "row", {"rev": 1}), Put(NOTES, "row", {"rev": 2, "by": n})) for n in range(8)]
    found = await asyncio.gather(*claims, return_exceptions=True)
    assert [type(one) for one in found] == [type(None)] + [Conflict] * 7
    assert await storage.get(NOTES, "row") == {"rev": 2, "by": 0}


@pytest.mark.parametrize("written", [True, False])
async def test_a_shared_commit_of_unknown_outcome_is_looked_up_by_each(written):
    storage = Counted(written=written)
    write = crowd(storage)
    storage.breaks = 1
    rows = [write(f"r{n}", Expect(NOTES, f"n{n}", None), Put(NOTES, f"n{n}", {"n": n})) for n in range(5)]
    await asyncio.gather(*rows)
    assert [await storage.get(NOTES, f"n{n}") for n in range(5)] == [{"n": n} for n in range(5)]
    assert sum(storage.batches) == (10 if written else 20)


async def test_a_write_that_was_given_up_before_its_turn_is_not_done():
    storage = Counted()
    write = crowd(storage)
    storage.gate.clear()
    first = write("a", Put(NOTES, "a", {}))
    await asyncio.sleep(0.01)
    second, third = write("b", Put(NOTES, "b", {})), write("c", Put(NOTES, "c", {}))
    await asyncio.sleep(0.01)
    second.cancel()
    storage.gate.set()
    await asyncio.gather(first, third)
    assert [await storage.get(NOTES, key) for key in "abc"] == [{}, None, {}]


async def test_a_batch_that_is_too_long_to_share_goes_alone_and_none_waits_for_ever():
    storage = Counted()
    write = crowd(storage)
    long = write("long", *[Put(NOTES, f"l{n}", {"n": n}) for n in range(1_500)])
    short = [write(f"r{n}", Put(NOTES, f"n{n}", {})) for n in range(3)]
    await asyncio.gather(long, *short)
    assert storage.batches == [1_500, 3]


class InOrder(MemoryStorage):
    """Storage that writes in order, and writes on when whoever waits for it is cancelled."""

    def __init__(self):
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.lock = asyncio.Lock()

    async def write(self, batch):
        await asyncio.shield(asyncio.ensure_future(self.in_order(batch)))

    async def in_order(self, batch):
        async with self.lock:
            if of_table(NOTES)(batch):
                self.begun.set()
                await self.gate.wait()
            await super().write(batch)


@pytest.mark.parametrize("beside", [0, 1], ids=["alone", "beside another run"])
async def test_what_is_being_written_when_its_run_is_cancelled_stands(beside):
    storage = InOrder()
    notes = []

    @step
    def note(value: dict, ctx: StepContext) -> dict:
        notes.append(1)
        ctx.write_with_result(Expect(NOTES, "n1", None), Put(NOTES, "n1", {}))
        return value

    flow = Workflow("held").then(note).sleep(60).commit()
    other = Workflow("other").sleep(60).commit()
    async with application(storage, flow):
        other.bind(flow.services)
        for _ in range(beside):
            await (await other.create_run("beside")).start_async({})
        run = await flow.create_run("r1")
        await run.start_async({})
        await storage.begun.wait()
        cancelled = asyncio.ensure_future(run.cancel())
        await asyncio.sleep(0.01)
        storage.gate.set()
        await cancelled
        again = await flow.get_run("r1")
        assert again.state.status == "canceled"
        assert again.state.records["note"].status == "success"
        assert notes == [1]


class Broken(MemoryStorage):
    """Storage that outlasts a cancellation by itself, and whose connection breaks while it does."""

    def __init__(self):
        super().__init__()
        self.begun, self.gate = asyncio.Event(), asyncio.Event()

    async def write_out(self, batch):
        self.begun.set()
        with suppress(asyncio.CancelledError):
            await self.gate.wait()
        await super().write(batch)
        raise CommitUnknown("The connection broke during a commit.")


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_write_whose_outcome_nobody_knows_is_looked_up_and_a_cancellation_is_not_forgotten(is_cancelled):
    storage = Broken()
    committer = Committer(storage, SYSTEM_CLOCK, lambda: False)
    looked = []

    async def is_written():
        looked.append(1)
        return await storage.get(NOTES, "n") is not None

    task = asyncio.ensure_future(committer.write("r", [Expect(NOTES, "n", None), Put(NOTES, "n", {})], is_written))
    await storage.begun.wait()
    if is_cancelled:
        task.cancel()
    storage.gate.set()
    await asyncio.wait({task})
    assert (task.cancelled(), looked) == (is_cancelled, [1])
    assert await storage.get(NOTES, "n") == {}


class Several(Counted):
    """Storage that writes three batches at once."""

    writes_at_once = 3

    def __init__(self):
        super().__init__()
        self.begun = 0

    async def write(self, batch):
        self.begun += 1
        await super().write(batch)


async def test_storage_that_writes_several_batches_at_once_gets_them_at_once_and_the_rest_in_shares():
    storage = Several()
    write = crowd(storage)
    storage.gate.clear()
    rows = [write(f"r{n}", Put(NOTES, f"n{n}", {})) for n in range(9)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert storage.begun == 3
    rows += [write(f"r{n}", Put(NOTES, f"n{n}", {})) for n in range(9, 15)]
    rows[0].cancel()
    await asyncio.sleep(0)
    assert not rows[0].done()
    assert storage.begun == 3
    storage.gate.set()
    found = await asyncio.gather(*rows, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError] + [type(None)] * 14
    assert storage.batches[:3] == [3, 3, 3]
    assert await storage.count(NOTES) == 15
    assert max(storage.batches) <= 6
