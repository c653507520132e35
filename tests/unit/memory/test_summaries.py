"""Summaries of threads: from what was said since the last one, kept with the thread."""

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import AccessDenied, NotFound, ResponseMalformed
from mastra.memory.memory import Memory
from mastra.memory.summaries import PIECE, Summary, summarize
from mastra.providers.scripted import ScriptedModel


def asked(model, number):
    [part] = model.requests[number].messages[1].parts
    return part.text


async def test_a_summary_is_kept_and_continued_from_where_it_ended(threads):
    await threads.append("t", "u", [say("I live in Oslo."), say("Noted.", role="assistant", at=1)])
    model = ScriptedModel(["Lives in Oslo.", "Lives in Oslo, moves to Bergen."])
    assert await summarize(threads, "t", "u", model) == Summary("Lives in Oslo.", 2)
    assert await summarize(threads, "t", "u", model) == Summary("Lives in Oslo.", 0)
    assert len(model.requests) == 1, "nothing new was said"
    await threads.append("t", "u", [say("I move to Bergen.", at=2)])
    assert (await summarize(threads, "t", "u", model)).text == "Lives in Oslo, moves to Bergen."
    assert "Lives in Oslo." in asked(model, 1)
    assert "I live in Oslo." not in asked(model, 1)
    thread = await threads.get("t")
    assert thread.metadata["summary"]["text"] == "Lives in Oslo, moves to Bergen."


async def test_the_other_metadata_stay(threads):
    await threads.create(resource_id="u", thread_id="t", metadata={"topic": "travel"})
    await threads.append("t", "u", [say("Hello.")])
    await summarize(threads, "t", "u", ScriptedModel(["A greeting."]))
    assert (await threads.get("t")).metadata["topic"] == "travel"


async def test_a_long_thread_is_read_in_pieces(threads):
    for number in range(6):
        texts = [say("x" * 3_900 + f" {number}-{n}", id=f"m{number}-{n}", at=number * 50 + n) for n in range(20)]
        await threads.append("t", "u", texts)
    model = ScriptedModel([f"Part {n}." for n in range(10)])
    summary = await summarize(threads, "t", "u", model)
    assert summary == Summary("Part 7.", 120)
    assert len(model.requests) == 8
    assert "Part 0." in asked(model, 1)
    assert all(len(asked(model, number)) < PIECE + 9_000 for number in range(8))


async def test_an_empty_answer_changes_nothing_and_others_may_not_ask(threads):
    await threads.append("t", "u", [say("Hello.")])
    with pytest.raises(ResponseMalformed):
        await summarize(threads, "t", "u", ScriptedModel([""]))
    assert "summary" not in ((await threads.get("t")).metadata or {})
    with pytest.raises(AccessDenied):
        await summarize(threads, "t", "somebody else", ScriptedModel(["x"]))
    with pytest.raises(NotFound):
        await summarize(threads, "nothing", "u", ScriptedModel(["x"]))


async def test_a_memory_summarizes_and_lists_clones():
    memory = Memory()
    await memory.save_messages([{"id": "m", "role": "user", "content": "Hello.", "threadId": "t", "resourceId": "u"}])
    assert await memory.summarize_thread("t", model=ScriptedModel(["A greeting."]), resource_id="u") == "A greeting."
    clone = await memory.clone_thread("t", resource_id="u")
    other = await memory.clone_thread(clone.thread.id, resource_id="u")
    assert [thread.id for thread in (await memory.list_clones("t", resource_id="u")).threads] == [clone.thread.id]
    assert [thread.id for thread in (await memory.list_clones(clone.thread.id)).threads] == [other.thread.id]
    with pytest.raises(AccessDenied):
        await memory.list_clones("t", resource_id="somebody else")
    await memory.close()
