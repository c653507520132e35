"""Runs and the executor: how many at once, whose turn it is, and runs that another process carries."""

import asyncio
from contextlib import asynccontextmanager

from mastra import Mastra, StepContext, Workflow, step
from mastra.errors import BusError
from mastra.executors.inline import InlineExecutor
from mastra.ports.executor import Executor
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.workflows.tables import RUNS
from mastra.workflows.worker import Worker


class Line(Executor):
    """Jobs go to whoever of several processes takes the next one, as from a queue outside."""

    carries_elsewhere = True

    def __init__(self, queue, *, takes=True):
        self.queue, self.takes, self.task = queue, takes, None

    async def start(self, handle):
        async def work():
            while True:
                await handle(await self.queue.get())

        if self.takes:
            self.task = asyncio.ensure_future(work())

    async def submit(self, job):
        await self.queue.put(job)
        # Delivered twice, as queues may.
        await self.queue.put(job)

    async def stop(self, *, grace_s=5.0):
        if self.task is not None:
            self.task.cancel()


@asynccontextmanager
async def process(storage, executor, workflow):
    services = Services(storage=storage, executor=executor)
    services.workflow_worker = Worker(services, tick_s=0.05)
    workflow.bind(services)
    await services.workflow_worker.start()
    yield services.workflow_worker
    await services.workflow_worker.stop(grace_s=0)


async def test_no_more_runs_are_at_work_at_once_than_the_executor_allows():
    now, most = [], []

    @step
    async def work(value: dict) -> dict:
        now.append(1)
        most.append(len(now))
        await asyncio.sleep(0.002)
        now.pop()
        return value

    flow = Workflow("many").then(work).then(lambda value: value).commit()
    async with Mastra(workflows=[flow], storage="memory:", executor="inline:3"):
        results = await asyncio.gather(*[(await flow.create_run()).start({"n": n}) for n in range(20)])
        assert [one.result for one in results] == [{"n": n} for n in range(20)]
    assert max(most) == 3


async def test_a_run_is_carried_by_another_process_and_its_caller_gets_the_result():
    storage, queue, where = MemoryStorage(), asyncio.Queue(), []

    def build(name):
        @step(id="ask", resume={"ok": bool})
        def ask(value: dict, ctx: StepContext) -> dict:
            where.append(name)
            if ctx.resume_data is None:
                ctx.suspend({"why": "?"})
            return {"ok": True}

        return Workflow("moved").then(ask).commit()

    front, back = build("front"), build("back")
    async with process(storage, Line(queue, takes=False), front), process(storage, Line(queue), back):
        run = await front.create_run("r1")
        assert (await run.start({})).status == "suspended"
        assert (await run.resume({"ok": True})).result == {"ok": True}
    assert where == ["back", "back"]


async def test_a_job_that_is_lost_with_its_process_is_found_by_the_next():
    storage, queue = MemoryStorage(), asyncio.Queue()

    def build():
        return Workflow("lost").then(lambda value: {"done": True}).commit()

    front, back = build(), build()
    async with process(storage, Line(queue, takes=False), front):
        await (await front.create_run("r1")).start_async({})
        assert (await storage.get(RUNS, "lost/r1") or {})["status"] == "running"
    async with process(storage, None, back):
        run = await back.get_run("r1")
        assert (await run.wait()).result == {"done": True}


async def test_a_run_is_carried_here_when_the_executor_takes_no_job():
    class Away(Line):
        async def submit(self, job):
            raise BusError("the queue is away")

    flow = Workflow("here").then(lambda value: value).commit()
    async with process(MemoryStorage(), Away(asyncio.Queue()), flow):
        assert (await (await flow.create_run()).start({"n": 1})).result == {"n": 1}


async def test_a_run_that_waits_for_its_turn_can_be_canceled_and_is_handed_over():
    storage, gate, calls = MemoryStorage(), asyncio.Event(), []

    def build():
        @step(id="work")
        async def work(value: dict) -> dict:
            calls.append(value["n"])
            await gate.wait()
            return value

        return Workflow("turns").then(work).commit()

    flow, again = build(), build()
    async with process(storage, InlineExecutor(concurrency=1), flow):
        runs = [await flow.create_run(f"r{n}") for n in range(3)]
        for n, run in enumerate(runs):
            await run.start_async({"n": n})
        await asyncio.sleep(0.01)
        await runs[1].cancel()
        gate.set()
        assert (await runs[1].wait()).status == "canceled"
        assert (await runs[2].wait()).status == "success"
        assert calls == [0, 2]
        gate.clear()
        held = [await flow.create_run(f"h{n}") for n in range(2)]
        for run in held:
            await run.start_async({"n": 9})
        await asyncio.sleep(0.01)
    gate.set()
    async with process(storage, None, again):
        for n in range(2):
            assert (await (await again.get_run(f"h{n}")).wait()).status == "success"


async def test_as_many_runs_as_anybody_starts_are_carried():
    flow = Workflow("crowd").sleep(0.2).then(lambda value: value).commit()
    services = Services(storage=MemoryStorage())
    services.background._max_tasks = 10
    flow.bind(services)
    runs = [await flow.create_run() for _ in range(50)]
    results = await asyncio.gather(*(run.start({"n": 1}) for run in runs))
    assert {one.status for one in results} == {"success"}
    await Worker.of(services).stop()
