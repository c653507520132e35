"""Runs with storage: what is recorded, who owns it, and how other processes find it."""

import asyncio

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import Conflict, HistoryMismatch, LeaseLost, NotSuspended, ResumeClaimed, RunExists, RunMissing
from mastra.runtime.clock import SYSTEM_CLOCK
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.testing.clock import HandClock
from mastra.types.records import Expect, Put, Table
from mastra.workflows.parts import clone_step
from mastra.workflows.tables import EVENTS, JOURNAL, RUNS, VALUES, WORKERS
from mastra.workflows.worker import Worker

NOTES = Table("notes")


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request, tmp_path):
    made = MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path / "runs.db")
    await made.open()
    yield made
    await made.close()


class Process:
    """A worker process, as far as storage can tell."""

    def __init__(self, storage, *build, clock=SYSTEM_CLOCK, **options):
        self.services = Services(storage=storage, clock=clock)
        self.worker = self.services.workflow_worker = Worker(self.services, **options)
        self.workflows = {}
        for workflow in build:
            workflow.bind(self.services)
            self.workflows[workflow.id] = workflow
            self.services.workflows[workflow.id] = workflow

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.worker.stop(grace_s=0.1)

    async def die(self):
        """Stop at once: leave the lease, the runs and everything as they are."""
        for task in [*self.worker._tasks, *[run.task for run in self.worker.active.values() if run.task]]:
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.worker._tasks = []


async def expire(storage, process):
    """The lease of a process that died is over."""
    await storage.write([Put(WORKERS, process.worker.id, {"leaseUntil": 0, "host": "x", "pid": 0, "born": None})])


def counting(calls, name):
    def count(value: dict) -> dict:
        calls.append(name)
        return {"n": value["n"] + 1}

    return step(id=name)(count)


async def test_every_step_is_recorded_with_its_result(storage):
    calls = []
    flow = Workflow("chain").then(counting(calls, "a")).then(counting(calls, "b")).commit()
    async with Process(storage, flow):
        run = await flow.create_run("r1", resource="u1")
        result = await run.start({"n": 0})
        assert result.result == {"n": 2}
        row = await storage.get(RUNS, "chain/r1")
        assert (row["status"], row["owner"], row["resourceId"]) == ("success", None, "u1")
        kinds = [(await storage.get(JOURNAL, f"chain/r1/{seq:08d}"))["kind"] for seq in range(row["seq"])]
        assert kinds == ["start", "step", "step", "finish"]
        again = await flow.get_run("r1")
        assert (await again.wait()).to_wire() == result.to_wire()
        listed = await flow.list_runs(status="success")
        assert listed["total"] == 1
        assert listed["runs"][0]["snapshot"]["context"]["b"]["payload"] == {"n": 1}


async def test_a_run_that_was_left_is_carried_on_without_repeating_recorded_steps(storage):
    calls, gate, begun = [], asyncio.Event(), asyncio.Event()

    @step
    async def slow(value: dict) -> dict:
        calls.append("slow")
        begun.set()
        await gate.wait()
        return value

    def build():
        return Workflow("left").then(counting(calls, "a")).then(slow).then(counting(calls, "c")).commit()

    first = Process(storage, build())
    await (await first.workflows["left"].create_run("r1")).start_async({"n": 0})
    await begun.wait()
    await first.die()
    await expire(storage, first)
    async with Process(storage, build(), tick_s=0.02) as second:
        gate.set()
        await second.worker.start()
        run = await second.workflows["left"].get_run("r1")
        assert (await run.wait()).result == {"n": 2}
    assert calls == ["a", "slow", "slow", "c"]


async def test_an_owner_who_lost_the_run_writes_nothing_more(storage):
    release = asyncio.Event()

    @step
    async def slow(value: dict) -> dict:
        await release.wait()
        return {"by": "first"}

    def build():
        return Workflow("fenced").then(slow).then(lambda v: v).commit()

    first = Process(storage, build(), lease_s=60)
    run = await first.workflows["fenced"].create_run("r1")
    await run.start_async({})
    await asyncio.sleep(0.01)
    await expire(storage, first)
    second = Process(storage, build(), tick_s=0.02)
    await second.worker.recover()
    taken = second.worker.active["fenced/r1"]
    before = (await storage.get(RUNS, "fenced/r1"))["token"]
    journal = run.journal
    with pytest.raises(LeaseLost):
        await journal._append([{"kind": "step"}], [])
    assert (await storage.get(RUNS, "fenced/r1"))["token"] == before
    release.set()
    assert (await taken.wait()).status == "success"
    await first.worker.stop()
    await second.worker.stop()


@step(resume={"ok": bool})
async def ask(value: dict, ctx: StepContext):
    if ctx.resume_data is None:
        ctx.suspend({"why": "?"})
    return ctx.resume_data


async def test_a_suspended_run_is_resumed_by_another_process(storage):
    def build():
        return Workflow("ask").then(ask).then(lambda d: {"got": d["ok"]}).commit()

    async with Process(storage, build()) as first:
        run = await first.workflows["ask"].create_run("r1")
        assert (await run.start({})).status == "suspended"
    async with Process(storage, build()) as second:
        run = await second.workflows["ask"].get_run("r1")
        assert (await run.resume({"ok": True})).result == {"got": True}
        with pytest.raises(NotSuspended):
            await run.resume({"ok": True})


async def test_eight_resumes_from_two_processes_have_one_winner(storage):
    effects = []

    @step(id="ask", resume={"ok": bool})
    async def asked(value: dict, ctx: StepContext):
        if ctx.resume_data is None:
            ctx.suspend({"why": "?"})
        effects.append(ctx.run_id)
        return ctx.resume_data

    def build():
        return Workflow("ask").then(asked).commit()

    async with Process(storage, build()) as first, Process(storage, build()) as second:
        for number in range(20):
            await (await first.workflows["ask"].create_run(f"r{number}")).start({})
            handles = [await one.workflows["ask"].get_run(f"r{number}") for one in (first, second) for _ in range(4)]
            outcomes = await asyncio.gather(*(one.resume({"ok": True}) for one in handles), return_exceptions=True)
            assert sum(not isinstance(one, Exception) for one in outcomes) == 1
            assert all(isinstance(one, ResumeClaimed | NotSuspended) for one in outcomes if isinstance(one, Exception))
    assert sorted(effects) == sorted(f"r{number}" for number in range(20))


async def test_concurrent_starts_with_one_id_run_once(storage):
    calls = []
    flow = Workflow("once").then(counting(calls, "a")).commit()
    async with Process(storage, flow):
        handles = [await flow.create_run("same") for _ in range(20)]
        results = await asyncio.gather(*(one.start({"n": 1}) for one in handles))
        assert {one.result["n"] for one in results} == {2}
        assert calls == ["a"]
        with pytest.raises(RunExists):
            await (await flow.create_run("same")).start({"n": 5})


async def test_effects_are_committed_with_the_record_or_not_at_all(storage):
    @step
    def note(value: dict, ctx: StepContext) -> dict:
        ctx.write_with_result(Expect(NOTES, "n1", None), Put(NOTES, "n1", {"by": ctx.idempotency_key}))
        return value

    flow = Workflow("notes").then(note).commit()
    async with Process(storage, flow):
        assert (await (await flow.create_run("r1")).start({})).status == "success"
        assert await storage.get(NOTES, "n1") == {"by": "notes/r1/note"}
        failed = await (await flow.create_run("r2")).start({})
        assert failed.error["code"] == Conflict.code
        assert (await storage.get(NOTES, "n1"))["by"] == "notes/r1/note"


async def test_events_are_stored_before_they_are_acknowledged_and_taken_once_in_order(storage):
    def build():
        one = Workflow("events").wait_for_event("go").map(lambda d: d).wait_for_event("go")
        return one.map(lambda d, ctx: [ctx.get_step_result("event_go"), d]).commit()

    async with Process(storage, build(), tick_s=0.02, park_after_s=0.0) as process:
        flow = process.workflows["events"]
        run = await flow.create_run("r1")
        await run.start_async({})
        for number in range(3):
            await flow.send_event("r1", "go", number)
        assert (await run.wait()).result == [0, 1]
        left = await storage.scan(EVENTS, {"inbox": "events/r1/go"}, limit=10)
        assert [one.value["data"] for one in left.records] == [2]
        with pytest.raises(RunMissing):
            await flow.send_event("nobody", "go", 1)


async def test_a_long_sleep_costs_no_memory_and_ends_on_time(storage):
    clock = HandClock()
    flow = Workflow("sleeper").then(lambda v: v).sleep(3600).then(lambda v: {"woke": True}).commit()
    async with Process(storage, flow, clock=clock, lease_s=10_000, tick_s=60) as process:
        run = await flow.create_run("r1")
        await run.start_async({})
        while process.worker.active:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)
        row = await storage.get(RUNS, "sleeper/r1")
        assert (row["status"], row["owner"]) == ("waiting", None)
        await clock.advance(3599)
        await asyncio.sleep(0.02)
        assert (await storage.get(RUNS, "sleeper/r1"))["status"] == "waiting"
        ending = asyncio.ensure_future(run.wait())
        while not ending.done():
            await clock.advance(0.5)
            await asyncio.sleep(0.002)
        result = ending.result()
        assert result.result == {"woke": True}
        sleep = next(one for name, one in result.steps.items() if name.startswith("sleep"))
        assert sleep.ended_at - sleep.started_at >= 3_600_000


async def test_a_run_is_canceled_from_another_process(storage):
    def build():
        return Workflow("stuck").then(lambda v: asyncio.Event().wait()).commit()

    async with (
        Process(storage, build(), tick_s=0.02) as first,
        Process(storage, build(), tick_s=0.02) as second,
    ):
        run = await first.workflows["stuck"].create_run("r1")
        await run.start_async({})
        await asyncio.sleep(0.02)
        await (await second.workflows["stuck"].get_run("r1")).cancel()
        assert (await run.wait()).status == "canceled"
        assert (await storage.get(RUNS, "stuck/r1"))["status"] == "canceled"
        assert await second.workflows["stuck"].count_runs("canceled") == 1


async def test_large_values_are_stored_once_and_go_with_their_run(storage):
    flow = Workflow("large").then(lambda v: {"text": "x" * 100_000}).then(lambda v: v).commit()
    async with Process(storage, flow):
        run = await flow.create_run("r1")
        await run.start({})
        assert await storage.count(VALUES) == 1
        assert (await (await flow.get_run("r1")).wait()).result == {"text": "x" * 100_000}
        await flow.delete_run("r1")
        assert await storage.count(VALUES) == 0
        assert await storage.count(RUNS) == 0
        with pytest.raises(RunMissing):
            await flow.get_run("r1")


async def test_every_event_of_a_run_goes_with_it(storage):
    flow = Workflow("told").wait_for_event("go").commit()
    async with Process(storage, flow):
        run = await flow.create_run("r1")
        await run.start_async({})
        await flow.send_event("r1", "later", 0)
        (first,) = (await storage.scan(EVENTS)).records
        # As if it had been sent as often; one by one they would take their time.
        await storage.write(
            [Put(EVENTS, f"{first.key}{number}", {**first.value, "n": number}) for number in range(1, 1100)]
        )
        assert await storage.count(EVENTS) == 1100
        await flow.delete_run("r1")
        assert await storage.count(EVENTS) == 0


async def test_state_loops_and_lists_survive_a_suspension(storage):
    @step
    def count(value: dict, ctx: StepContext) -> dict:
        ctx.set_state({"seen": ctx.state.get("seen", 0) + 1})
        return {"n": value["n"] + 1}

    def build():
        return (
            Workflow("much")
            .dountil(count, lambda d: d["n"] >= 3)
            .map(lambda d: [d, d])
            .foreach(step(id="each")(lambda d: d["n"]))
            .map(lambda d: {"each": d})
            .then(ask)
            .map(lambda d, ctx: {"seen": ctx.state["seen"], "each": ctx.get_step_result("each")})
            .commit()
        )

    async with Process(storage, build()) as first:
        await (await first.workflows["much"].create_run("r1")).start({"n": 0}, state={"seen": 0})
    async with Process(storage, build()) as second:
        run = await second.workflows["much"].get_run("r1")
        result = await run.resume({"ok": True})
        assert result.result == {"seen": 3, "each": [3, 3]}
        travelled = await run.time_travel("ask", resume_data={"ok": False})
        assert travelled.status == "success"
    async with Process(storage, build()) as third:
        run = await third.workflows["much"].get_run("r1")
        assert run.state.epoch == 1
        assert run.state.steps["ask"].output == {"ok": False}


async def test_a_changed_definition_is_refused_followed_or_migrated(storage):
    def old():
        return (
            Workflow("w").then(step(id="a")(lambda v: {"n": 1})).then(ask).then(step(id="z")(lambda v: "old")).commit()
        )

    def other():
        return Workflow("w").then(step(id="b")(lambda v: {"n": 1})).then(ask).then(step(id="z")(lambda v: "new"))

    async with Process(storage, old()) as first:
        for number in range(4):
            await (await first.workflows["w"].create_run(f"r{number}")).start({})
    async with Process(storage, other().commit()) as second:
        run = await second.workflows["w"].get_run("r0")
        with pytest.raises(HistoryMismatch):
            await run.resume({"ok": True})
        assert (await storage.get(RUNS, "w/r0"))["status"] == "suspended"
    kept = Workflow("w", versions=[old()]).then(step(id="b")(lambda v: v)).then(ask).commit()
    async with Process(storage, kept) as third:
        assert (await (await third.workflows["w"].get_run("r1")).resume({"ok": True})).result == "old"
    moved = Workflow("w", migrate=lambda m: m.rename("a", "b"))
    moved = moved.then(step(id="b")(lambda v: {"n": 1})).then(ask).then(step(id="z")(lambda v: "new")).commit()
    async with Process(storage, moved) as fourth:
        assert (await (await fourth.workflows["w"].get_run("r2")).resume({"ok": True})).result == "new"
    longer = (
        Workflow("w").then(step(id="a")(lambda v: {"n": 1})).then(ask).then(step(id="y")(lambda v: "more")).commit()
    )
    async with Process(storage, longer) as fifth:
        assert (await (await fifth.workflows["w"].get_run("r3")).resume({"ok": True})).result == "more"


async def test_a_failed_run_is_restarted_by_another_process(storage):
    calls = []

    def build(fails):
        def shaky(value: dict) -> dict:
            calls.append("shaky")
            if fails:
                raise OSError("down")
            return {"ok": True}

        return Workflow("again").then(counting(calls, "a")).then(shaky).commit()

    async with Process(storage, build(fails=True)) as first:
        assert (await (await first.workflows["again"].create_run("r1")).start({"n": 0})).status == "failed"
    async with Process(storage, build(fails=False)) as second:
        run = await second.workflows["again"].get_run("r1")
        assert (await run.restart()).result == {"ok": True}
        assert (await (await second.workflows["again"].get_run("r1")).wait()).status == "success"
    assert calls == ["a", "shaky", "shaky"]


async def test_a_registered_run_is_known_before_it_starts(storage):
    flow = Workflow("known").then(lambda v: v).commit()
    async with Process(storage, flow) as process:
        await flow.create_run("r1", persist=True)
        assert (await flow.get_run("r1")).status == "pending"
        assert (await (await flow.get_run("r1")).start({"n": 1})).result == {"n": 1}
        assert process.worker.active == {}


class Slow(MemoryStorage):
    """Storage whose writes take a few turns of the loop."""

    async def write(self, batch):
        for _ in range(3):
            await asyncio.sleep(0)
        await super().write(batch)


async def test_a_step_that_is_stopped_while_it_is_recorded_takes_no_other_along():
    """Inside, one step fails and stops its neighbour; the steps beside them are recorded all the same."""

    def fail(value, ctx):
        raise ValueError("no")

    for turns in range(14):

        async def late(value: dict, turns=turns) -> dict:
            for _ in range(turns):
                await asyncio.sleep(0)
            return value

        steps = [step(id=f"s{number}")(late) for number in range(3)]
        pair = [step(id="stopped")(lambda value: value), step(id="fails")(fail)]
        inner = Workflow("inner").parallel(pair, on_failure="fail_fast").commit()
        flow = Workflow("outer").parallel([inner, *steps], on_failure="collect").commit()
        async with Process(Slow(), flow):
            async with asyncio.timeout(10):
                result = await (await flow.create_run()).start({"n": 1})
            assert result.status == "success"
            assert [result.result[f"s{number}"] for number in range(3)] == [{"n": 1}] * 3
            stored = (await flow.get_run(result.run_id)).state
            assert [stored.records[f"s{number}"].status for number in range(3)] == ["success"] * 3


async def test_of_two_steps_side_by_side_whose_effects_exclude_each_other_one_fails(storage):
    @step(id="first")
    async def first(value: dict, ctx: StepContext) -> dict:
        ctx.write_with_result(Expect(NOTES, "seat", None), Put(NOTES, "seat", {"by": ctx.step_id}))
        return value

    second, third = clone_step(first, id="second"), clone_step(first, id="third")
    flow = Workflow("seats").parallel([first, second, third], on_failure="collect").commit()
    async with Process(storage, flow):
        async with asyncio.timeout(10):
            result = await (await flow.create_run("r1")).start({"n": 1})
        assert result.status == "success"
        assert sorted("error" in one for one in result.result.values()) == [False, True, True]
        taken = (await storage.get(NOTES, "seat"))["by"]
        assert result.result[taken] == {"n": 1}


@pytest.mark.parametrize("value", ["a\0b", {"a": ["\0"]}, "\ud800"], ids=["nul", "nul inside", "surrogate"])
@pytest.mark.parametrize("last", [True, False], ids=["the last step", "a step"])
async def test_what_storage_does_not_take_fails_the_step_that_gave_it_once(storage, last, value):
    calls = []

    @step(id="gives")
    def gives(given: dict):
        calls.append(1)
        return value

    flow = Workflow("odd").then(gives)
    if not last:
        flow = flow.then(step(id="after")(lambda given: {}))
    flow = flow.commit()
    async with Process(storage, flow):
        async with asyncio.timeout(10):
            result = await (await flow.create_run("r1")).start({})
        assert result.status == "failed"
        assert "cannot be stored" in (result.error or {})["message"]
        again = await flow.get_run("r1")
        assert (again.status, again.state.records["gives"].status) == ("failed", "failed")
        assert calls == [1]


async def test_an_error_whose_words_storage_does_not_take_is_recorded_all_the_same(storage):
    @step(id="fails", retries=1)
    def fails(given: dict):
        raise ValueError("a\0b \ud800")

    flow = Workflow("odd").then(fails).commit()
    async with Process(storage, flow):
        async with asyncio.timeout(10):
            result = await (await flow.create_run("r1")).start({})
        assert (result.status, (result.error or {})["message"]) == ("failed", "a\ufffdb \ufffd")
        assert ((await flow.get_run("r1")).state.error or {})["message"] == "a\ufffdb \ufffd"
