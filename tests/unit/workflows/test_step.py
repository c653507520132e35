"""Steps as such: what a function may look like, and what is refused where it is written."""

import math
import operator
import threading

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import BadDefinition, InvalidInput, MastraError, NotSerialisable
from mastra.workflows.step import Step


def local(value: int) -> int:
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: step(id="a.b")(local),
        lambda: step(id="")(local),
        lambda: step(timeout=0)(local),
        lambda: step(timeout=float("nan"), runs_on="thread")(local),
        lambda: step(timeout="5", runs_on="thread")(local),  # type: ignore[call-overload]  # what is tried
        lambda: step(timeout=5)(local),
        lambda: step(id="x", on_error=5)(local),  # type: ignore[call-overload]  # what is tried
        lambda: step(id="x", compensate="undo")(local),  # type: ignore[call-overload]  # what is tried
        lambda: step(id="x", metadata=5)(local),  # type: ignore[call-overload]  # what is tried
        lambda: step(id="x")(5),  # type: ignore[call-overload]  # what is tried
        lambda: step(runs_on="moon")(local),  # type: ignore[call-overload]  # what is tried
        lambda: step(id="x", runs_on="process")(lambda value: value),
        lambda: step(lambda one, two, three: one),  # type: ignore[call-overload]  # what is tried
        lambda: step(lambda ctx, value: value),
    ],
)
def test_what_cannot_be_a_step_is_refused_where_it_is_written(make):
    with pytest.raises(MastraError):
        make()


def test_a_process_step_takes_its_input_alone_and_is_no_coroutine():
    async def waits(value: int) -> int:
        return value

    def looks(value: int, ctx: StepContext) -> int:
        return value

    for function in (waits, looks):
        with pytest.raises(BadDefinition, match="another process"):
            step(id="x", runs_on="process")(function)


async def test_steps_run_in_the_place_they_ask_for():
    def where(value: dict) -> str:
        return threading.current_thread().name

    flow = (
        Workflow("places")
        .then(Step(math.factorial, id="compute", runs_on="process", input=int, output=int))
        .then(Step(operator.neg, id="negate", runs_on="process", input=int, output=int))
        .map(lambda value: {"n": value})
        .parallel([step(id="thread", runs_on="thread")(where), step(id="loop")(where)])
        .commit()
    )
    result = await (await flow.create_run()).start(5)
    assert result.steps["negate"].output == -120
    assert result.result["thread"] != result.result["loop"] == threading.current_thread().name


def test_values_are_checked_on_their_way_in_and_out():
    made: Step[int, dict] = Step(lambda value: value, id="x", input=int, output=dict)
    assert made.accept("5") == 5
    with pytest.raises(InvalidInput):
        made.accept("many")
    with pytest.raises(NotSerialisable, match=r"\$\.a\.b\[1\]"):
        made.give({"a": {"b": [1, object()]}})
    with pytest.raises(NotSerialisable, match=r"\$\.a"):
        made.give({"a": float("nan")})
