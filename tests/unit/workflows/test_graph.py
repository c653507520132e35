"""The graph as data: what its hash names, how it is written for clients and for people."""

from datetime import UTC, datetime

from mastra import Workflow, step
from mastra.workflows.graph import definition_hash, leaves, mermaid, serialise, shapes


def plain(id):
    return step(id=id)(lambda value: value)


def small(*ids, **options):
    flow = Workflow("w", **options)
    for name in ids:
        flow = flow.then(plain(name))
    return flow.commit()


def everything():
    inner = Workflow("inner").then(plain("i")).commit()
    return (
        Workflow("all")
        .then(plain("a"))
        .parallel([plain("p"), plain("q")])
        .branch([(lambda value: True, plain("yes")), (lambda value: False, plain("no"))])
        .dountil(plain("again"), lambda value: True)
        .map(lambda value: [value])
        .foreach(plain("each"), concurrency=3)
        .sleep(1.5)
        .sleep_until(datetime(2030, 1, 1, tzinfo=UTC))
        .wait_for_event("go", timeout=2)
        .then(inner)
        .commit()
    )


def test_the_hash_names_the_structure_and_nothing_else():
    assert small("a", "b").hash == small("a", "b", description="other words").hash
    assert len({small(*ids).hash for ids in (("a", "b"), ("b", "a"), ("a",), ("a", "b", "c"))}) == 4
    until = Workflow("w").dountil(plain("a"), lambda value: True).commit()
    ever = Workflow("w").dowhile(plain("a"), lambda value: True).commit()
    each = Workflow("w").foreach(plain("a")).commit()
    assert len({until.hash, ever.hash, each.hash, small("a").hash}) == 4
    assert definition_hash(everything().nodes) == everything().hash


def test_what_is_inside_of_a_nested_workflow_is_a_part_of_the_hash():
    flows = []
    for ids in (("x",), ("y",)):
        inner = Workflow("inner")
        for name in ids:
            inner = inner.then(plain(name))
        flows.append(Workflow("outer").then(inner.commit()).commit())
    assert flows[0].hash != flows[1].hash
    assert shapes(flows[0].nodes) == [["workflow", "inner", [["StepNode", "x"]]]]


def test_every_kind_of_node_is_written_as_on_the_wire():
    entries = serialise(everything().nodes)
    assert [one["type"] for one in entries] == [
        "step", "parallel", "conditional", "loop", "mapping", "foreach", "sleep", "sleepUntil", "waitForEvent",
        "workflow",
    ]  # fmt: skip
    assert [one["step"]["id"] for one in entries[1]["steps"]] == ["p", "q"]
    assert [one["id"] for one in entries[2]["serializedConditions"]] == ["yes-condition", "no-condition"]
    assert entries[3]["loopType"] == "dountil"
    assert entries[5]["opts"] == {"concurrency": 3}
    assert (entries[6]["duration"], entries[7]["date"]) == (1500, "2030-01-01T00:00:00.000Z")
    assert (entries[8]["event"], entries[8]["timeout"]) == ("go", 2000)
    assert entries[9]["serializedStepFlow"][0]["step"]["id"] == "i"


def test_every_step_stands_in_the_picture_and_is_reached():
    flow = everything()
    text = mermaid(flow.nodes)
    for name in ("[a]", "[p]", "[q]", "[yes]", "[no]", "[again]", "[each]", "[[inner]]", "event go]"):
        assert name in text
    count = len(list(leaves(flow.nodes)))
    for number in range(1, count + 1):
        assert any(line.split(" ")[-1] == f"n{number}" for line in text.splitlines() if "-->" in line), number
    assert text.splitlines()[-1].endswith("--> finish")
