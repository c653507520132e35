"""A random walk over start, suspend, resume, sleep, event, cancel, crash and restart, checked by a small oracle."""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mastra import StepContext, Workflow, step
from mastra.errors import MastraError, NotSuspended, ResumeClaimed
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.testing.clock import HandClock
from mastra.types.records import Put, Table
from mastra.workflows.tables import RUNS, WORKERS
from mastra.workflows.worker import Worker

BOOKED = Table("booked")
# How a run stands, by what the oracle expects of it.
STATUS = {"sleeping": "waiting", "listening": "waiting"}


class World:
    """Storage, and processes that come and go. The oracle is what the steps themselves saw."""

    def __init__(self):
        self.storage = MemoryStorage()
        self.effects = {}
        self.clock = HandClock()
        self.recorded = set()
        self.fail = set()
        self.took = {}
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
                if name == "took":
                    world.took.setdefault(ctx.run_id, set()).add(value["n"])
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
            .sleep(60)
            .wait_for_event("go")
            .then(act("took"))
            .then(inner)
            .then(act("shaky"))
            .then(act("booked"))
            .commit()
        )

    def boot(self):
        self.services = Services(storage=self.storage, clock=self.clock)
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
        self.sent = {}
        self.count = 0

    def do(self, work):
        return self.loop.run_until_complete(work)

    def teardown(self):
        self.do(self.world.worker.stop(grace_s=0))
        self.do(asyncio.sleep(0))
        self.loop.close()

    async def _settle(self):
        await self.world.worker.ensure()
        # A timer that fires may start what another timer waits for.
        for _ in range(3):
            await self.world.worker.fire_timers()
            # The worker looks after its runs by itself too, and what it has begun takes a few turns of the loop.
            for _ in range(20):
                await asyncio.sleep(0)
            await self.world.services.background.settle()
        await self.world.note_records()

    async def _die_and_recover(self, turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        await self.world.kill()
        await self.world.note_records()
        await self.world.worker.recover()
        await self._settle()

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

    def after_event(self, run_id):
        return "failed" if run_id in self.world.fail else "success"

    def after_sleep(self, run_id):
        return self.after_event(run_id) if self.sent.get(run_id) else "listening"

    @precondition(lambda self: self.some("suspended"))
    @rule(data=st.data(), callers=st.integers(1, 4))
    def resume(self, data, callers):
        run_id = self.pick(data, "suspended")

        async def work():
            handles = [await self.world.flow.get_run(run_id) for _ in range(callers)]
            results = await asyncio.gather(*(one.resume_async({"ok": True}) for one in handles), return_exceptions=True)
            won = [one for one in results if not isinstance(one, Exception)]
            assert len(won) == 1, results
            assert all(isinstance(one, ResumeClaimed | NotSuspended) for one in results if isinstance(one, Exception))
            await self._settle()

        self.do(work())
        self.expected[run_id] = "sleeping"

    @precondition(lambda self: self.some("suspended"))
    @rule(data=st.data(), turns=st.integers(0, 40))
    def crash_while_resuming(self, data, turns):
        run_id = self.pick(data, "suspended")

        async def work():
            await (await self.world.flow.get_run(run_id)).resume_async({"ok": True})
            await self._die_and_recover(turns)

        self.do(work())
        self.expected[run_id] = "sleeping"

    @precondition(lambda self: self.some("sleeping"))
    @rule(turns=st.none() | st.integers(0, 60))
    def time_passes(self, turns):
        """The sleeps end, and the process may die while it wakes them."""

        async def work():
            await self.world.clock.advance(61)
            if turns is None:
                await self._settle()
            else:
                await self._die_and_recover(turns)

        self.do(work())
        for run_id in [one for one, phase in self.expected.items() if phase == "sleeping"]:
            self.expected[run_id] = self.after_sleep(run_id)

    @precondition(lambda self: self.some("suspended", "sleeping", "listening"))
    @rule(data=st.data(), turns=st.none() | st.integers(0, 60))
    def send(self, data, turns):
        """An event is kept once it is accepted, whether or not the run waits for it, and whatever dies then."""
        run_id = self.pick(data, "suspended", "sleeping", "listening")
        number = len(self.sent.setdefault(run_id, []))

        async def work():
            await self.world.flow.send_event(run_id, "go", {"n": number})
            if turns is None:
                await self._settle()
            else:
                await self._die_and_recover(turns)

        self.do(work())
        self.sent[run_id].append(number)
        if self.expected[run_id] == "listening":
            self.expected[run_id] = self.after_event(run_id)

    @rule(turns=st.integers(0, 25), fails=st.booleans())
    def crash_while_starting(self, turns, fails):
        run_id = f"r{self.count}"
        self.count += 1
        if fails:
            self.world.fail.add(run_id)

        async def work():
            run = await self.world.flow.create_run(run_id)
            await run.start_async({})
            await self._die_and_recover(turns)

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

    @precondition(lambda self: self.some("suspended", "sleeping", "listening"))
    @rule(data=st.data())
    def cancel(self, data):
        run_id = self.pick(data, "suspended", "sleeping", "listening")

        async def work():
            await (await self.world.flow.get_run(run_id)).cancel()
            await self._settle()

        self.do(work())
        self.expected[run_id] = "canceled"

    @precondition(lambda self: self.some("sleeping", "listening", "success", "failed", "canceled"))
    @rule(data=st.data())
    def resume_what_does_not_wait_for_that(self, data):
        run_id = self.pick(data, "sleeping", "listening", "success", "failed", "canceled")

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
                assert row["status"] == STATUS.get(status, status), (run_id, row["status"], status)
                if status in ("success", "failed"):
                    assert self.world.took[run_id] == {0}, "the event that was sent first, and no other"
                booked = await self.world.storage.get(BOOKED, run_id)
                assert (booked or {"n": 0})["n"] == (1 if status == "success" else 0)

        self.do(work())


TestWalk = Walk.TestCase
TestWalk.settings = settings(
    max_examples=25, stateful_step_count=16, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
