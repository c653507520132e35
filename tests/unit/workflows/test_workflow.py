"""Workflows without storage: definition, control flow, chunks, suspension, travel."""

import asyncio
from dataclasses import dataclass

import pytest

from mastra import Retry, StepContext, Workflow, step
from mastra.errors import BadDefinition, InvalidInput, NotSerialisable, NotSuspended, RunExists, StepFailed


def adding(name, amount):
    @step(id=name)
    async def add(value: dict, ctx: StepContext):
        await ctx.writer.write({"at": name})
        return {"n": value["n"] + amount}

    return add


def control_flow():
    nested = Workflow("nested").then(adding("inner", 100)).commit()
    return (
        Workflow("control-flow")
        .then(adding("first", 1))
        .branch([(lambda d: d["n"] > 0, adding("positive", 10)), (lambda d: d["n"] <= 0, adding("negative", 0))])
        .map(lambda d: d.get("positive") or d.get("negative"))
        .parallel([adding("p1", 1), adding("p2", 2)])
        .map(lambda d: {"n": d["p1"]["n"] + d["p2"]["n"]})
        .dowhile(adding("loop", 5), lambda d: d["n"] < 40)
        .sleep(0.001)
        .then(nested)
        .map(lambda d: [d, {"n": 2}, {"n": 3}])
        .foreach(adding("each", 1), concurrency=2)
        .commit()
    )


async def chunks_of(stream):
    async with stream as run:
        return [chunk.to_wire() async for chunk in run], await run.result()


async def test_every_kind_of_node_gives_what_the_original_gives():
    run = await control_flow().create_run("cf-1")
    chunks, result = await chunks_of(run.stream({"n": 1}))
    assert result.result == [{"n": 143}, {"n": 3}, {"n": 4}]
    assert [chunk["type"] for chunk in chunks].count("workflow-step-progress") == 3
    loop = [c for c in chunks if c["payload"].get("id") == "loop" and c["type"] == "workflow-step-result"]
    assert [c["payload"]["metadata"]["iterationCount"] for c in loop] == [1, 2, 3]
    assert {c["payload"]["id"] for c in chunks if "id" in c["payload"]} >= {"nested", "nested.inner"}
    wire = result.to_wire()
    path = wire["stepExecutionPath"]
    assert [one for one in path if not one.startswith("sleep_")] == [
        "first", "mapping_control-flow_0", "mapping_control-flow_1", "nested", "mapping_control-flow_2",
    ]  # fmt: skip
    assert "payload" not in wire["steps"]["first"]
    assert "payload" in wire["steps"]["mapping_control-flow_0"]
    assert "payload" not in wire["steps"]["nested"]
    assert "nested.inner" not in wire["steps"]
    assert chunks[-1]["payload"]["finalWorkflowResult"] == result.result


async def test_parallel_steps_announce_themselves_before_any_of_them_ends():
    flow = Workflow("fan").parallel([adding(f"b{i}", i) for i in range(5)]).commit()
    chunks, result = await chunks_of((await flow.create_run()).stream({"n": 0}))
    kinds = [c["type"] for c in chunks if c["type"] != "workflow-step-output"]
    assert kinds == ["workflow-start", *["workflow-step-start"] * 5, *["workflow-step-result"] * 5, "workflow-finish"]
    assert result.to_wire()["stepExecutionPath"] == []
    assert result.result == {f"b{i}": {"n": i} for i in range(5)}


@step(resume={"approved": bool}, suspend={"reason": str})
async def ask(value: dict, ctx: StepContext):
    if ctx.resume_data is None:
        ctx.suspend({"reason": f"approve {value['amount']}?"}, label="boss")
    return {**value, **ctx.resume_data}


@step
def finalize(value: dict) -> dict:
    return {"status": "paid" if value["approved"] else "rejected"}


def approval():
    return Workflow("approval-flow").then(ask).then(finalize).commit()


async def test_a_suspended_run_waits_and_goes_on_with_the_answer():
    run = await approval().create_run("a1")
    chunks, result = await chunks_of(run.stream({"amount": 10}))
    assert [c["type"] for c in chunks][-2:] == ["workflow-step-suspended", "workflow-finish"]
    wire = result.to_wire()
    assert wire["suspended"] == [["ask"]]
    assert wire["suspendPayload"] == {"ask": {"reason": "approve 10?"}}
    assert result.resume_labels == {"boss": {"stepId": "ask"}}
    with pytest.raises(InvalidInput, match="Invalid resume data: \n- approved"):
        await run.resume({"approved": "maybe"})
    chunks, result = await chunks_of(run.resume_stream({"approved": True}, step="ask"))
    assert [c["type"] for c in chunks] == [
        "workflow-start", "workflow-step-start", "workflow-step-result", "workflow-step-start",
        "workflow-step-result", "workflow-finish",
    ]  # fmt: skip
    assert chunks[1]["payload"]["resumePayload"] == {"approved": True}
    assert result.to_wire()["steps"]["ask"]["resumePayload"] == {"approved": True}
    with pytest.raises(NotSuspended, match="was not suspended"):
        await run.resume({"approved": True})
    assert len([chunk async for chunk in run.observe()]) == 10


@pytest.mark.parametrize("how", [{"step": ask}, {"path": ["ask"]}, {"label": "boss"}, {}])
async def test_a_waiting_step_is_found_by_step_path_label_or_alone(how):
    run = await approval().create_run()
    await run.start({"amount": 1})
    assert (await run.resume({"approved": False}, **how)).result == {"status": "rejected"}


async def test_eight_resumes_at_once_have_one_winner():
    run = await approval().create_run()
    await run.start({"amount": 1})
    outcomes = await asyncio.gather(*(run.resume({"approved": True}) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in outcomes) == 1


async def test_items_of_a_foreach_are_resumed_by_index():
    @step(resume={"ok": bool})
    async def approve(value: dict, ctx: StepContext):
        if ctx.resume_data is None:
            ctx.suspend({"ask": value["n"]}, label=f"item-{value['n']}")
        return {"n": value["n"]}

    flow = Workflow("each-suspend").foreach(approve).commit()
    run = await flow.create_run("es-1")
    await run.start([{"n": 1}, {"n": 2}])
    result = await run.resume({"ok": True}, step="approve", for_each_index=1)
    assert result.status == "suspended"
    meta = result.to_wire()["steps"]["approve"]["suspendPayload"]["__workflow_meta"]
    assert meta["foreachIndex"] == 0
    assert [one["status"] for one in meta["foreachOutput"]] == ["suspended", "success"]
    assert meta["resumeLabels"] == {"item-1": {"stepId": "approve", "foreachIndex": 0}}
    assert result.to_wire()["suspendPayload"] == {"approve": {"ask": 1}}
    assert (await run.resume({"ok": True}, label="item-1")).result == [{"n": 1}, {"n": 2}]


async def test_a_step_inside_a_nested_workflow_is_resumed_by_its_path():
    outer = Workflow("outer").then(Workflow("deep").then(ask).commit()).then(lambda d: d["approved"]).commit()
    run = await outer.create_run()
    result = await run.start({"amount": 5})
    assert result.suspended == [["deep", "ask"]]
    assert (await run.resume({"approved": True}, step=["deep", "ask"])).result is True


async def test_resuming_one_branch_leaves_the_finished_ones_alone():
    calls = []

    @step
    def quick(value: dict) -> dict:
        calls.append("quick")
        return {"done": True}

    other = Workflow("w").parallel([quick, ask]).commit()
    run = await other.create_run()
    assert (await run.start({"amount": 1})).status == "suspended"
    result = await run.resume({"approved": True})
    assert result.result == {"quick": {"done": True}, "ask": {"amount": 1, "approved": True}}
    assert calls == ["quick"]


async def test_a_failing_step_fails_the_run_with_its_error():
    def boom(value):
        raise ValueError("step exploded")

    run = await Workflow("failing").then(boom).commit().create_run()
    chunks, result = await chunks_of(run.stream({}))
    assert result.error == {"message": "step exploded", "name": "ValueError"}
    assert chunks[-2]["payload"]["status"] == "failed"
    assert chunks[-1]["payload"]["workflowStatus"] == "failed"
    with pytest.raises(StepFailed):
        result.raise_for_status()


async def test_a_failed_run_is_restarted_at_the_step_that_failed():
    tries = []

    def first(value: dict) -> dict:
        tries.append("first")
        return value

    def shaky(value: dict) -> dict:
        tries.append("shaky")
        if tries.count("shaky") == 1:
            raise OSError("down")
        return {"ok": True}

    run = await Workflow("again").then(first).then(shaky).commit().create_run()
    assert (await run.start({})).status == "failed"
    assert (await run.restart()).result == {"ok": True}
    assert tries == ["first", "shaky", "shaky"]


async def test_retries_follow_the_rule_of_the_error_and_then_fall_back():
    seen = []

    @step(retries=[Retry(2, on=OSError), Retry(0, on=KeyError)], on_error=lambda error, ctx: {"fallback": True})
    def shaky(value: dict, ctx: StepContext) -> dict:
        seen.append(ctx.attempt)
        raise OSError("down")

    run = await Workflow("retry").then(shaky).commit().create_run()
    assert (await run.start({})).result == {"fallback": True}
    assert seen == [0, 1, 2]


async def test_a_step_that_takes_too_long_is_stopped():
    @step(timeout=0.01)
    async def slow(value: dict) -> dict:
        await asyncio.Event().wait()
        return value

    result = await (await Workflow("slow").then(slow).commit().create_run()).start({})
    assert result.error["name"] == "StepTimeout"


async def test_cancel_interrupts_a_step_and_a_sleep():
    for flow in (
        Workflow("sleeper").then(adding("s1", 1)).sleep(3600).commit(),
        Workflow("stuck").then(lambda value: asyncio.Event().wait()).commit(),
    ):
        run = await flow.create_run()
        await run.start_async({"n": 1})
        await asyncio.sleep(0.01)
        assert run.status in ("waiting", "running")
        await run.cancel()
        assert (await run.wait()).status == "canceled"


async def test_bail_ends_the_run_as_a_success():
    @step(id="bail-step")
    def bail(value: dict, ctx: StepContext):
        ctx.bail({"n": -1})

    run = await Workflow("bailer").then(bail).then(adding("never", 1)).commit().create_run()
    result = await run.start({"n": 1})
    assert result.status == "success"
    assert result.result == {"n": -1}
    assert result.to_wire()["stepExecutionPath"] == ["bail-step"]


async def test_per_step_pauses_after_one_step_and_goes_on():
    run = await Workflow("two").then(adding("a", 1)).then(adding("b", 1)).commit().create_run()
    result = await run.start({"n": 0}, per_step=True)
    assert result.status == "paused"
    assert list(result.to_wire()["steps"]) == ["input", "a"]
    assert (await run.resume()).result == {"n": 2}


async def test_time_travel_runs_again_from_a_step_with_other_input():
    flow = Workflow("chain").then(adding("a", 1)).then(adding("b", 10)).then(adding("c", 100)).commit()
    run = await flow.create_run()
    await run.start({"n": 0})
    result = await run.time_travel("c", input={"n": 5})
    assert result.result == {"n": 105}
    wire = result.to_wire()
    assert wire["steps"]["b"]["output"] == {"n": 5}
    assert wire["stepExecutionPath"] == ["a", "b", "c", "c"]
    with pytest.raises(InvalidInput, match="no step 'nope'"):
        await run.time_travel("nope")


async def test_an_event_reaches_the_run_before_or_after_it_waits():
    for early in (True, False):
        flow = Workflow("waiter").wait_for_event("go", timeout=5).then(lambda d: {"got": d}).commit()
        run = await flow.create_run()
        if early:
            await run.send_event("go", 1)
        await run.start_async({})
        await asyncio.sleep(0)
        if not early:
            await run.send_event("go", 1)
        assert (await run.wait()).result == {"got": 1}


async def test_an_event_that_does_not_come_fails_the_wait():
    run = await Workflow("late").wait_for_event("go", timeout=0.01).commit().create_run()
    assert (await run.start({})).error["name"] == "TimeoutError"


async def test_a_failure_side_by_side_waits_stops_or_is_collected():
    async def bad(value):
        raise ValueError("no")

    async def good(value):
        await asyncio.sleep(0.005)
        return 1

    def build(mode):
        return Workflow("p").parallel([bad, good], on_failure=mode).commit()

    waited = await (await build("wait").create_run()).start({})
    assert waited.status == "failed"
    assert waited.steps["good"].status == "success"
    fast = await (await build("fail_fast").create_run()).start({})
    assert fast.steps["good"].status == "running"
    collected = await (await build("collect").create_run()).start({})
    assert collected.result == {"bad": {"error": {"message": "no", "name": "ValueError"}}, "good": 1}


async def test_compensations_run_backwards_when_the_run_fails():
    undone = []

    def undoing(name):
        return step(id=name, compensate=lambda output, ctx: undone.append(name))(lambda value: name)

    def boom(value):
        raise ValueError("no")

    flow = Workflow("saga").then(undoing("hotel")).then(undoing("flight")).then(boom).commit()
    await (await flow.create_run()).start({})
    assert undone == ["flight", "hotel"]


@dataclass
class Draft:
    text: str


async def test_values_arrive_as_the_types_that_steps_declare():
    @step
    def write(topic: str) -> Draft:
        return Draft(topic * 2)

    @step
    def check(draft: Draft) -> bool:
        assert isinstance(draft, Draft)
        return draft.text == "abab"

    flow = Workflow("typed", input=str, output=bool).then(write).then(check).commit()
    result = await (await flow.create_run()).start("ab")
    assert result.result is True
    assert result.to_wire()["steps"]["write"]["output"] == {"text": "abab"}
    with pytest.raises(InvalidInput, match="Invalid input data"):
        await (await flow.create_run()).start([1])


async def test_a_value_that_cannot_be_stored_is_refused_where_it_is_returned():
    result = await (await Workflow("x").then(lambda v: {"a": [object()]}).commit().create_run()).start({})
    assert result.error["code"] == "not-serialisable"
    assert "$.a[0]" in result.error["message"]
    with pytest.raises(StepFailed) as caught:
        result.raise_for_status()
    assert isinstance(caught.value.__cause__, NotSerialisable)


async def test_a_second_start_with_the_same_input_finds_the_first_and_another_is_refused():
    flow = Workflow("once").then(adding("a", 1)).commit()
    run = await flow.create_run("r1")
    first = await run.start({"n": 1})
    assert (await (await flow.create_run("r1")).start({"n": 1})).result == first.result
    with pytest.raises(RunExists):
        await (await flow.create_run("r1")).start({"n": 2})


def test_definitions_that_cannot_work_are_refused_at_commit():
    def one(value: int) -> str:
        return ""

    def two(value: int) -> int:
        return value

    with pytest.raises(BadDefinition, match="does not fit 'two'"):
        Workflow("w").then(one).then(two).commit()
    with pytest.raises(BadDefinition, match="two steps with the id 'two'"):
        Workflow("w").then(two).then(two).commit()
    with pytest.raises(BadDefinition, match="has no steps"):
        Workflow("w").commit()
    with pytest.raises(BadDefinition, match="before its commit"):
        Workflow("w").then(Workflow("v").then(two))
    with pytest.raises(BadDefinition, match="needs a list"):
        Workflow("w").then(two).foreach(lambda item: item).commit()
    with pytest.raises(BadDefinition, match="is committed"):
        Workflow("w").then(two).commit().then(one)


def test_the_hash_names_the_structure_and_not_the_code():
    def build(amount, name="a"):
        return Workflow("w").then(adding(name, amount)).sleep(1).commit()

    assert build(1).hash == build(2).hash
    assert build(1).hash != build(1, "b").hash
    assert build(1).graph() == build(1).graph()
    assert "n1[a]" in build(1).mermaid()
