"""Workflows from JSON: every kind of node, and nothing that is not on the list."""

import json

import pytest

from mastra import Workflow, step
from mastra.errors import BadDefinition, MastraError
from mastra.workflows.dynamic import workflow_from_json


def add(name, amount):
    return step(id=name)(lambda value: {"n": value["n"] + amount})


STEPS = {name: add(name, amount) for name, amount in (("one", 1), ("two", 2), ("ten", 10))}


def node(name):
    return {"type": "step", "step": {"id": name}}


async def test_every_kind_of_node_can_be_written_as_json():
    inner = Workflow("inner").then(add("deep", 100)).commit()
    flow = workflow_from_json(
        json.dumps(
            {
                "id": "all",
                "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
                "graph": [
                    {
                        "type": "conditional",
                        "steps": [node("one"), node("two")],
                        "serializedConditions": [{"where": {"n": {"$gt": 0}}}, {"where": {"n": {"$lte": 0}}}],
                    },
                    {"type": "mapping", "mapConfig": {"n": {"step": ["one", "two"], "path": "n"}}},
                    {"type": "loop", "step": node("ten"), "loopType": "dountil",
                     "serializedCondition": {"where": {"n": {"$gte": 30}}}},
                    {"type": "sleep", "duration": 1},
                    {"type": "workflow", "workflowId": "inner"},
                ],
            }
        ),
        steps=STEPS,
        workflows={"inner": inner},
    )  # fmt: skip
    assert (await (await flow.create_run()).start({"n": 1})).result == {"n": 132}


@pytest.mark.parametrize(
    "graph",
    [
        [],
        [node("nobody")],
        [{"type": "magic"}],
        ["text"],
        [{"type": "workflow", "workflowId": "os.system"}],
        [{"type": "conditional", "steps": [node("one")], "serializedConditions": [{"fn": "() => true"}]}],
        [{"type": "mapping", "mapConfig": {"n": {"fn": "x"}}}],
        [{"type": "sleep"}],
        [node("one")] * 501,
    ],
)
def test_definitions_that_are_not_understood_are_refused(graph):
    with pytest.raises(MastraError):
        workflow_from_json({"id": "bad", "graph": graph}, steps=STEPS)


def test_a_definition_without_a_graph_is_refused():
    with pytest.raises(BadDefinition):
        workflow_from_json({"id": "x"})


@pytest.mark.parametrize(
    "definition",
    [
        "{",
        {"id": "w", "metadata": 5, "graph": [{"type": "sleep", "duration": 5}]},
        {"id": "w", "graph": [{"type": "sleep", "duration": "x"}]},
        {"id": "w", "graph": [{"type": "sleep", "duration": -5}]},
        {"id": "w", "graph": [{"type": "waitForEvent", "event": "e", "timeout": "x"}]},
        {"id": "w", "graph": [{"type": "waitForEvent", "event": "e", "timeout": 0}]},
        {"id": "w", "graph": [{"type": "mapping", "mapConfig": "{"}]},
        {"id": "w", "graph": [{"type": "loop", "loopType": "ever", "serializedCondition": {"where": {}}, "step": {}}]},
    ],
)
def test_data_that_is_no_definition_is_refused_by_a_typed_error(definition):
    with pytest.raises(MastraError):
        workflow_from_json(definition)
