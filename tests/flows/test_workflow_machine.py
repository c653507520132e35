"""A random walk over start, suspend, resume, cancel, crash and restart, checked against a small oracle."""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mastra import StepContext, Workflow, step
from mastra.errors import MastraError, NotSuspended, ResumeClaimed
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put, Table
from mastra.workflows.tables import RUNS, WORKERS
from mastra.workflows.worker import Worker

BOOKED = Table("booked")
STEPS = ("first", "left", "right", "ask", "deep", "shaky", "booked")


class World:
    """Storage, and processes that come and go. The oracle is what the steps themselves saw."""

    def __init__(self):
        self.storage = MemoryStorage()
        self.effects = {}
        self.recorded = set()
        self.fail = set()
        self.process = None

    def build(self):
        world = self

        def act(name):
            async def run(value, ctx: StepContext):
                key = ctx.idempotency_key
                assert key not in world.recorded, f"{key} ran again after it was recorded"
                world.effects[key] = world.effects.get(key, 0) + 1
                await asyncio.sleep(0)
                if ctx.run_id in world.fail and name == "shaky":
                    raise ValueError("asked to fail")
                if name == "booked":
                    row = await ctx.services.storage.get(BOOKED, ctx.run_id)
                    ctx.write_with_result(Put(BOOKED, ctx.run_id, {"n": (row or {"n": 0})["n"] + 1}))
                return {"from": name}

            return step(id=name)(run)

        async def ask(value, ctx: StepContext):
            if ctx.resume_data is None:
                ctx.suspend({"why": "?"})
            return await act("ask").execute(value, ctx)

        inner = Workflow("inner").then(act("deep")).commit()
        return (
            Workflow("walk")
            .then(act("first"))
            .parallel([act("left"), act("right"), step(id="ask", resume={"ok": bool})(ask)])
            .then(inner)
            .then(act("shaky"))
            .then(act("booked"))
            .commit()
        )

    def boot(self):
        self.services = Services(storage=self.storage)
        self.services.workflow_worker = self.worker = Worker(self.services, tick_s=3600, lease_s=3600)
        self.flow = self.build()
        self.flow.bind(self.services)

    async def kill(self):
        """The process dies between two instructions; its lease runs out."""
        tasks = [*self.worker._tasks, *(run.task for run in self.worker.active.values() if run.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        dead = {"leaseUntil": 0, "host": "elsewhere", "pid": 0, "born": None}
        await self.storage.write([Put(WORKERS, self.worker.id, dead)])
        self.boot()

    async def note_records(self):
        """What the journal holds now must not run again."""
        for row in (await self.storage.scan(RUNS, limit=1000)).records:
            run = await self.flow.get_run(row.value["runId"])
            if run.journal is None or run.is_active:
                continue
            epoch = f"~{run.state.epoch}" if run.state.epoch else ""
            for key, record in run.state.records.items():
                if record.status == "success" and not record.is_container:
                    self.recorded.add(f"walk/{run.run_id}/{key}{epoch}")


class Walk(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.world.boot()
        self.expected = {}
        self.count = 0

    def do(self, work):
        return self.loop.run_until_complete(work)

    def teardown(self):
        self.do(self.world.worker.stop(grace_s=0))
        self.do(asyncio.sleep(0))
        self.loop.close()

    async def _settle(self):
        await self.world.services.background.settle()
        await self.world.note_records()

    def pick(self, data, *statuses):
        return data.draw(st.sampled_from(sorted(r for r, s in self.expected.items() if s in statuses)))

    def some(self, *statuses):
        return any(one in statuses for one in self.expected.values())

    @rule(fails=st.booleans())
    def start(self, fails):
        run_id = f"r{self.count}"
        self.count += 1
        if fails:
            self.world.fail.add(run_id)

        async def work():
            run = await self.world.flow.create_run(run_id)
            assert (await run.start({})).status == "suspended"
            await self._settle()

        self.do(work())
        self.expected[run_id] = "suspended"

    def after_resume(self, run_id):
        return "failed" if run_id in self.world.fail else "success"

    @precondition(lambda self: self.some("suspended"))
    @rule(data=st.data(), callers=st.integers(1, 4))
    def resume(self, data, callers):
        run_id = self.pick(data, "suspended")

        async def work():
            handles = [await self.world.flow.get_run(run_id) for _ in range(callers)]
            results = await asyncio.gather(*(one.resume({"ok": True}) for one in handles), return_exceptions=True)
            won = [one for one in results if not isinstance(one, Exception)]
            assert len(won) == 1, results
            assert all(isinstance(one, ResumeClaimed | NotSuspended) for one in results if isinstance(one, Exception))
            assert won[0].status == self.after_resume(run_id)
            await self._settle()

        self.do(work())
        self.expected[run_id] = self.after_resume(run_id)

    @precondition(lambda self: self.some("suspended"))
    @rule(data=st.data(), turns=st.integers(0, 40))
    def crash_while_resuming(self, data, turns):
        run_id = self.pick(data, "suspended")

        async def work():
            run = await self.world.flow.get_run(run_id)
            await run.resume_async({"ok": True})
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.world.kill()
            await self.world.note_records()
            await self.world.worker.recover()
            await self._settle()
            assert (await self.world.flow.get_run(run_id)).status == self.after_resume(run_id)

        self.do(work())
        self.expected[run_id] = self.after_resume(run_id)

    @rule(turns=st.integers(0, 25), fails=st.booleans())
    def crash_while_starting(self, turns, fails):
        run_id = f"r{self.count}"
        self.count += 1
        if fails:
            self.world.fail.add(run_id)

        async def work():
            run = await self.world.flow.create_run(run_id)
            await run.start_async({})
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.world.kill()
            await self.world.note_records()
            await self.world.worker.recover()
            await self._settle()
            assert (await self.world.flow.get_run(run_id)).status == "suspended"

        self.do(work())
        self.expected[run_id] = "suspended"

    @precondition(lambda self: self.some("failed"))
    @rule(data=st.data())
    def mend_and_restart(self, data):
        run_id = self.pick(data, "failed")
        self.world.fail.discard(run_id)

        async def work():
            assert (await (await self.world.flow.get_run(run_id)).restart()).status == "success"
            await self._settle()

        self.do(work())
        self.expected[run_id] = "success"

    @precondition(lambda self: self.some("suspended"))
    @rule(data=st.data())
    def cancel(self, data):
        run_id = self.pick(data, "suspended")

        async def work():
            await (await self.world.flow.get_run(run_id)).cancel()
            await self._settle()

        self.do(work())
        self.expected[run_id] = "canceled"

    @precondition(lambda self: self.some("success", "failed", "canceled"))
    @rule(data=st.data())
    def resume_what_does_not_wait(self, data):
        run_id = self.pick(data, "success", "failed", "canceled")

        async def work():
            try:
                await (await self.world.flow.get_run(run_id)).resume({"ok": True})
            except MastraError:
                return
            raise AssertionError("a run that does not wait was resumed")

        self.do(work())

    @invariant()
    def storage_agrees(self):
        async def work():
            for run_id, status in self.expected.items():
                row = await self.world.storage.get(RUNS, f"walk/{run_id}")
                assert row is not None
                assert row["status"] == status, (run_id, row["status"], status)
                booked = await self.world.storage.get(BOOKED, run_id)
                assert (booked or {"n": 0})["n"] == (1 if status == "success" else 0)

        self.do(work())


TestWalk = Walk.TestCase
TestWalk.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
