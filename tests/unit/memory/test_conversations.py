"""Threads and messages as the outside asks for them, each call with its owner."""

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import AccessDenied, InvalidInput
from mastra.memory.conversations import parse_message
from mastra.memory.memory import Memory
from mastra.memory.tables import DUE


@pytest.fixture
async def memory(storage):
    made = Memory(storage=storage)
    yield made
    await made.close()


async def test_a_conversation_from_its_start_to_its_end(memory):
    await memory.create_thread(resource_id="u", thread_id="t", title="One")
    await memory.save_messages([say("hello", thread_id="t"), say("bye", at=1, thread_id="t")], resource_id="u")
    assert (await memory.update_thread("t", resource_id="u", title="Two")).title == "Two"
    assert [one.id for one in (await memory.list_threads(resource_id="u")).threads] == ["t"]
    [changed] = await memory.update_messages([{"id": "m-hello", "content": {"metadata": {"k": 1}}}], resource_id="u")
    assert changed.text == "hello"
    assert await memory.delete_messages(["m-bye", "m-none"], resource_id="u") == 1
    page = await memory.list_messages("t", resource_id="u")
    assert [message.text for message in page.messages] == ["hello"]
    await memory.delete_thread("t", resource_id="u")
    assert await memory.get_thread("t") is None


async def test_a_copy_and_a_new_owner(memory):
    await memory.save_messages([say("hello", thread_id="t")], resource_id="u")
    clone = await memory.clone_thread("t", resource_id="u", new_thread_id="copy")
    assert [message.text for message in clone.messages] == ["hello"]
    await memory.transfer_thread("t", "v", resource_id="u")
    assert (await memory.get_thread("t", resource_id="v")).resource_id == "v"
    assert (await memory.get_thread("copy", resource_id="u")).resource_id == "u"


async def test_what_belongs_to_another_resource_is_refused(memory):
    await memory.save_messages([say("mine", thread_id="t")], resource_id="u")
    for attempt in (
        memory.get_thread("t", resource_id="v"),
        memory.update_thread("t", resource_id="v", title="x"),
        memory.delete_thread("t", resource_id="v"),
        memory.clone_thread("t", resource_id="v"),
        memory.transfer_thread("t", "v", resource_id="v"),
        memory.list_messages("t", resource_id="v"),
        memory.save_messages([say("intruder", thread_id="t")], resource_id="v"),
        memory.update_messages([{"id": "m-mine", "content": {"metadata": {}}}], resource_id="v"),
        memory.delete_messages(["m-mine"], resource_id="v"),
    ):
        with pytest.raises(AccessDenied):
            await attempt
    assert [message.text for message in (await memory.list_messages("t", resource_id="u")).messages] == ["mine"]


async def test_messages_of_several_threads_are_saved_each_in_its_own(memory):
    given = [say("a", thread_id="t1", resource_id="u"), {**say("b", thread_id="t2", resource_id="u").to_wire()}]
    assert [message.id for message in await memory.save_messages(given)] == ["m-a", "m-b"]
    assert [m.text for m in (await memory.list_messages("t2")).messages] == ["b"]
    with pytest.raises(InvalidInput, match="names no thread"):
        await memory.save_messages([say("lost")])


async def test_a_copy_is_embedded_too(storage):
    memory = Memory(storage=storage, vectors="memory:", embedder="lexical/384", semantic_recall=True)
    await memory.save_messages([say("cats", thread_id="t", resource_id="u")])
    await memory.clone_thread("t", new_thread_id="copy")
    await memory.settle()
    assert await storage.count(DUE) == 0
    found = await memory.search("cats", resource_id="u")
    assert {one["threadId"] for one in found.results} == {"t", "copy"}
    await memory.close()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"role": "user", "content": "x"}, "id"), ({"id": "m", "role": "boss", "content": "x"}, "role"),
     ({"id": "m", "role": "user"}, "content"), ({"id": "m", "role": "user", "content": {"parts": 3}}, "content"),
     ({"id": "m", "role": "user", "content": {"parts": [{"text": "x"}]}}, "content.parts"),
     ({"id": "m", "role": "user", "content": "x", "threadId": 3}, "threadId")],
)  # fmt: skip
def test_a_message_that_is_none_is_refused_by_field(wrong, field):
    with pytest.raises(InvalidInput) as caught:
        parse_message(wrong)
    assert [issue["field"] for issue in caught.value.details["issues"]] == [field]


def test_a_text_is_content_and_gets_a_time():
    message = parse_message({"id": "m", "role": "user", "content": "a\0b"})
    assert message.text == "a\ufffdb"
    assert message.created_at.tzinfo is not None
    with pytest.raises(InvalidInput):
        parse_message("hello")
