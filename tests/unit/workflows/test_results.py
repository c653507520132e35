"""What a run came to: as an object for Python, as JSON for clients."""

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import StepFailed


@step(id="ask", resume={"ok": bool})
def ask(value: dict, ctx: StepContext) -> dict:
    if ctx.resume_data is None:
        ctx.suspend({"why": value["n"]}, label=f"about-{value['n']}")
    return {"n": value["n"], **ctx.resume_data}


async def test_what_waits_is_named_by_path_payload_and_label():
    inner = Workflow("inner").then(ask).commit()
    flow = Workflow("outer").then(inner).commit()
    result = await (await flow.create_run("r1")).start({"n": 7})
    assert (result.status, result.suspended) == ("suspended", [["inner", "ask"]])
    assert result.suspend_payload == {"inner": {"why": 7}}
    assert result.resume_labels == {"about-7": {"stepId": "inner.ask"}}
    assert result.raise_for_status() is result
    wire = result.to_wire()
    assert (wire["status"], wire["suspended"], wire["runId"]) == ("suspended", [["inner", "ask"]], "r1")
    assert "result" not in wire


async def test_items_of_a_list_have_labels_with_their_place():
    flow = Workflow("each").foreach(ask, concurrency=2).commit()
    result = await (await flow.create_run()).start([{"n": 1}, {"n": 2}])
    assert result.resume_labels == {
        "about-1": {"stepId": "ask", "foreachIndex": 0}, "about-2": {"stepId": "ask", "foreachIndex": 1},
    }  # fmt: skip


async def test_a_step_in_a_row_does_not_repeat_the_output_before_it():
    flow = Workflow("row").then(step(id="a")(lambda v: {"n": 2})).then(step(id="b")(lambda v: {"n": 3})).commit()
    wire = (await (await flow.create_run()).start({"n": 1})).to_wire()
    assert wire["steps"]["input"] == {"n": 1}
    assert ["payload" in wire["steps"][name] for name in "ab"] == [False, False]
    assert (wire["result"], wire["stepExecutionPath"]) == ({"n": 3}, ["a", "b"])


async def test_a_failed_run_raises_what_went_wrong():
    @step(id="fails")
    def fails(value: dict) -> dict:
        raise ValueError("no")

    result = await (await Workflow("bad").then(fails).commit().create_run()).start({})
    assert result.to_wire()["error"]["message"] == "no"
    with pytest.raises(StepFailed, match="no") as caught:
        result.raise_for_status()
    assert isinstance(caught.value.__cause__, ValueError)
