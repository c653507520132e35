"""Which waiting step a resume means: by itself, its id, its path, a label, an index, or because it is the only one."""

import pytest

from mastra import Workflow, step
from mastra.errors import InvalidInput, NotSuspended
from mastra.workflows.records import RunState, StepRecord
from mastra.workflows.targets import find_step, find_targets


@step(id="ask", resume={"ok": bool})
def ask(value: dict) -> dict:
    return value


@step(id="free")
def free(value: dict) -> dict:
    return value


FLOW = Workflow("w").then(ask).then(Workflow("inner").then(free).commit()).commit()


def waiting(*keys, labels=()):
    state = RunState("w", "r", None, "", 1)
    state.status = "suspended"
    for key in keys:
        record = StepRecord(key.partition("[")[0].partition("#")[0], key, None, 1)
        record.status = "suspended"
        record.label = dict(labels).get(key)
        state.add(record)
    return state


def test_the_only_one_that_waits_is_meant():
    assert find_targets(FLOW, waiting("ask"), {"ok": True}) == {"ask": {"ok": True}}


@pytest.mark.parametrize(
    "options",
    [{"step": ask}, {"step": "ask"}, {"path": ["ask"]}, {"label": "sign"}, {"step": ("ask",)}],
    ids=["itself", "id", "path", "label", "tuple"],
)
def test_one_of_several_is_named(options):
    run = waiting("ask", "inner.free", labels={"ask": "sign"}.items())
    assert find_targets(FLOW, run, {"ok": False}, **options) == {"ask": {"ok": False}}


def test_a_nested_workflow_stands_for_what_waits_inside():
    run = waiting("ask", "inner.free")
    assert find_targets(FLOW, run, 7, step="inner") == {"inner.free": 7}
    assert find_targets(FLOW, run, 7, path=["inner", "free"]) == {"inner.free": 7}


def test_items_are_answered_one_or_all():
    run = waiting("free[0]", "free[1]", "free[12]")
    assert find_targets(FLOW, run, 1, for_each_index=1) == {"free[1]": 1}
    assert find_targets(FLOW, run, 1) == {"free[0]": 1, "free[1]": 1, "free[12]": 1}
    with pytest.raises(NotSuspended, match="item 2"):
        find_targets(FLOW, run, 1, for_each_index=2)


def test_what_does_not_wait_is_refused_with_what_does():
    with pytest.raises(NotSuspended) as refused:
        find_targets(FLOW, waiting("ask"), 1, step="other")
    assert "ask" in refused.value.hint
    with pytest.raises(NotSuspended):
        find_targets(FLOW, waiting("ask"), 1, label="none")
    with pytest.raises(NotSuspended):
        find_targets(FLOW, waiting(), 1)


def test_two_that_wait_are_not_chosen_between():
    with pytest.raises(InvalidInput, match="Several steps wait"):
        find_targets(FLOW, waiting("ask", "inner.free"), 1)


def test_an_answer_that_does_not_fit_names_the_field():
    with pytest.raises(InvalidInput, match="Invalid resume data") as refused:
        find_targets(FLOW, waiting("ask"), {"ok": "perhaps"})
    assert [issue["field"] for issue in refused.value.issues] == ["ok"]


def test_steps_are_found_by_their_names_on_the_wire():
    assert find_step(FLOW, "ask") is ask
    assert find_step(FLOW, "inner.free") is free
    assert [find_step(FLOW, name) for name in ("inner", "inner.none", "ask.free", "")] == [None, None, ask, None]
