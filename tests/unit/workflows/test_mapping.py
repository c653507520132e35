"""Mappings: fields made from steps, the input, the state, constants and functions."""

import pytest

from mastra import StepContext, Workflow, step
from mastra.errors import BadDefinition, InvalidInput
from mastra.workflows.mapping import follow, mapping_step


@step(id="a")
def first(value: dict) -> dict:
    return {"list": [{"x": 1}, {"x": 2}]}


@step(id="b")
def second(value: dict, ctx: StepContext) -> dict:
    ctx.set_state({"kept": "s"})
    return {"b": True}


async def ran(mapping, **options):
    flow = Workflow("maps").then(first).then(second).map(mapping).commit()
    return await (await flow.create_run()).start({"in": {"deep": 5}}, **options)


async def test_fields_come_from_wherever_they_are():
    async def late(value):
        return len(value)

    result = await ran(
        {
            "one": {"step": "a", "path": "list.1.x"},
            "whole": {"step": first, "path": "."},
            "either": {"step": [first, "b"], "path": "list.0.x"},
            "given": {"init_data": True, "path": "in.deep"},
            "fixed": {"value": None},
            "state": {"state": True, "path": "kept"},
            "who": {"request_context": "user"},
            "made": lambda value: value["b"],
            "late": {"fn": late},
        },
        request_context={"user": "u1"},
    )
    assert result.result == {
        "one": 2, "whole": {"list": [{"x": 1}, {"x": 2}]}, "either": 1, "given": 5, "fixed": None, "state": "s",
        "who": "u1", "made": True, "late": 1,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["list.2.x", "list.x", "none", "list.0.x.y", "list.-1"])
async def test_a_path_that_leads_nowhere_is_named(path):
    result = await ran({"one": {"step": "a", "path": path}})
    assert result.status == "failed"
    assert f"'{path}'" in (result.error or {})["message"]


@pytest.mark.parametrize("spec", [7, {}, {"stepp": "a"}, {"step": "a", "pth": "x"}, "a", None])
def test_a_mapping_that_says_nothing_is_refused(spec):
    with pytest.raises(BadDefinition, match="'x'"):
        mapping_step("m", {"x": spec})


def test_a_callable_object_is_a_mapping():
    class Doubles:
        def __call__(self, value):
            return value * 2

    assert mapping_step("m", Doubles()).execute(4) == 8


def test_follow_goes_into_models_too():
    class Model:
        def to_wire(self):
            return {"a": [1]}

    assert follow({"m": Model()}, "m.a.0", "x") == 1
    assert follow([1], "", "x") == [1]
    with pytest.raises(InvalidInput):
        follow(None, "a", "x")
