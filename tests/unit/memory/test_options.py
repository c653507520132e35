"""What memory can be told, and what it refuses to be told."""

import pytest
from pydantic import BaseModel

from mastra.errors import BadDefinition, InvalidFilter
from mastra.memory.options import DEFAULT_TEMPLATE, MemoryOptions, SemanticRecall, WorkingMemory


class Profile(BaseModel):
    name: str


@pytest.mark.parametrize(("given", "neighbours", "wire"), [
    (0, (0, 0), 0), (2, (2, 2), 2), ((1, 3), (1, 3), {"before": 1, "after": 3}), ((2, 2), (2, 2), 2),
])  # fmt: skip
def test_neighbours_are_one_number_or_two(given, neighbours, wire):
    recall = SemanticRecall(message_range=given)
    assert recall.neighbours == neighbours
    assert recall.to_wire() == {"topK": 4, "messageRange": wire, "scope": "resource"}


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"message_range": -1}, {"message_range": (0, -1)}, {"scope": "world"}])
def test_recall_that_cannot_work_is_refused(wrong):
    with pytest.raises(BadDefinition):
        SemanticRecall(**wrong)


def test_the_filter_of_recall_is_checked_at_once():
    SemanticRecall(filter={"role": "user"})
    with pytest.raises(InvalidFilter):
        SemanticRecall(filter={"role": {"$nearly": "user"}})


def test_working_memory_shows_its_template_or_its_schema():
    assert WorkingMemory().to_wire() == {"enabled": True, "scope": "resource", "template": DEFAULT_TEMPLATE}
    shown = WorkingMemory(schema=Profile, scope="thread", read_only=True).to_wire()
    assert shown["schema"]["properties"]["name"]["type"] == "string"
    assert (shown["scope"], shown["readOnly"], "template" in shown) == ("thread", True, False)
    with pytest.raises(BadDefinition):
        WorkingMemory(scope="world")


@pytest.mark.parametrize("wrong", [{"last_messages": -1}, {"last_messages": 5_001}, {"max_tokens": 0}])
def test_bounds_are_checked(wrong):
    with pytest.raises(BadDefinition):
        MemoryOptions(**wrong)


def test_the_protocol_shows_what_is_off_as_false():
    assert MemoryOptions(last_messages=0).to_wire() == {
        "lastMessages": False, "semanticRecall": False, "generateTitle": False, "workingMemory": {"enabled": False},
    }  # fmt: skip
    full = MemoryOptions(last_messages=3, max_tokens=9, semantic_recall=SemanticRecall(), extra={"more": 1}).to_wire()
    assert (full["lastMessages"], full["messageHistory"], full["more"]) == (3, {"maxTokens": 9}, 1)
    assert full["semanticRecall"]["topK"] == 4
