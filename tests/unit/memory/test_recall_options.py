"""What one run asks of its memory: names of Python and of the wire, and nothing that cannot be."""

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import InvalidInput
from mastra.memory.memory import Memory
from mastra.memory.options import SemanticRecall
from mastra.memory.recall_options import chosen_recall, read_recall_options


def test_names_of_python_and_of_the_wire_mean_the_same():
    wire = {
        "lastMessages": 5,
        "semanticRecall": {"topK": 2, "messageRange": {"before": 1, "after": 3}, "scope": "thread"},
    }
    python = {"last_messages": 5, "semantic_recall": {"top_k": 2, "message_range": [1, 3], "scope": "thread"}}
    assert read_recall_options(wire) == read_recall_options(python)
    recall = chosen_recall(SemanticRecall(threshold=0.5), read_recall_options(wire)["semantic_recall"])
    assert recall == SemanticRecall(top_k=2, message_range=(1, 3), scope="thread", threshold=0.5)
    assert read_recall_options(None) == read_recall_options({"lastMessages": None}) == {}


def test_recall_is_the_memorys_own_unless_the_run_says_otherwise():
    own = SemanticRecall(top_k=7)
    assert chosen_recall(own, None) is chosen_recall(own, True) is own
    assert chosen_recall(own, False) is chosen_recall(None, None) is chosen_recall(None, False) is None
    asked = read_recall_options({"semantic_recall": SemanticRecall(top_k=1)})["semantic_recall"]
    assert chosen_recall(own, asked) == SemanticRecall(top_k=1)
    with pytest.raises(InvalidInput, match="no semantic recall"):
        chosen_recall(None, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonsense": 1}, {"thread_id": "other"}, {"turn": 1}, {5: 5}, {"last_messages": -1}, {"last_messages": "5"},
        {"last_messages": True}, {"last_messages": 5_001}, {"semantic_recall": 5}, {"semantic_recall": {"top_k": 0}},
        {"semantic_recall": {"top_k": 1e9}}, {"semantic_recall": {"topK": 101}}, {"semantic_recall": {"k": 1}},
        {"semantic_recall": {"message_range": -1}}, {"semantic_recall": {"message_range": [1, 2, 3]}},
        {"semantic_recall": {"message_range": [1]}}, {"semantic_recall": {"scope": "world"}},
        {"semantic_recall": {"threshold": "high"}}, {"semantic_recall": {"filter": 5}},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(wrong):
    with pytest.raises(InvalidInput):
        read_recall_options(wrong)


async def test_a_turn_recalls_as_it_asks(storage):
    memory = Memory(storage=storage, last_messages=1, semantic_recall=SemanticRecall(top_k=1, message_range=0))
    for number, text in enumerate(["the wifi password is swordfish", "one", "two", "three"]):
        message = say(text, id=f"m{number}", at=number)
        await memory.record(thread_id="t", resource_id="u", run_id="r", step=number, messages=[message])
    await memory.settle()

    async def recalled(**options):
        recall = await memory.recall(thread_id="t", resource_id="u", query="wifi password", **options)
        return [message.text for message in recall.messages]

    assert await recalled() == ["the wifi password is swordfish", "three"]
    assert await recalled(semantic_recall=False) == ["three"]
    assert await recalled(semantic_recall={"messageRange": {"before": 0, "after": 1}}, last_messages=False) == [
        "the wifi password is swordfish", "one",
    ]  # fmt: skip
    assert await recalled(last_messages=2, semantic_recall=False) == ["two", "three"]
    await memory.close()
