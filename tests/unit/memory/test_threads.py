"""Threads in storage: ownership, order, retries, copies."""

import asyncio

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import AccessDenied, Conflict, InvalidId, InvalidInput, NotFound
from mastra.memory.tables import MESSAGES, THREADS
from mastra.memory.threads import ThreadRepo


async def texts(threads, thread_id, **options):
    return [message.text for message in (await threads.list_messages(thread_id, **options)).messages]


async def test_a_thread_is_made_found_changed_and_removed(threads):
    made = await threads.create(resource_id="u1", thread_id="t1", title="One", metadata={"k": "v"})
    assert made.to_wire()["metadata"] == {"k": "v"}
    assert await threads.get("t1") == made
    changed = await threads.update("t1", title="Two")
    assert (changed.title, changed.metadata) == ("Two", {"k": "v"})
    assert changed.created_at == made.created_at
    await threads.delete("t1")
    assert await threads.get("t1") is None
    with pytest.raises(NotFound, match="Thread not found"):
        await threads.delete("t1")


async def test_somebody_elses_thread_is_refused_everywhere(threads):
    await threads.append("t1", "u1", [say("mine")])
    for attempt in (
        threads.get("t1", resource_id="u2"),
        threads.update("t1", resource_id="u2", title="stolen"),
        threads.delete("t1", resource_id="u2"),
        threads.clone("t1", resource_id="u2"),
        threads.transfer("t1", "u2", resource_id="u2"),
        threads.list_messages("t1", resource_id="u2"),
        threads.append("t1", "u2", [say("intruder")]),
        threads.create(resource_id="u2", thread_id="t1"),
        threads.update_messages([{"id": "m-mine", "role": "assistant"}], resource_id="u2"),
        threads.delete_messages(["m-mine"], resource_id="u2"),
    ):
        with pytest.raises(AccessDenied):
            await attempt
    assert await texts(threads, "t1", resource_id="u1") == ["mine"]


async def test_a_message_id_of_another_thread_cannot_be_taken_over(threads):
    await threads.append("t1", "u1", [say("mine", id="m1")])
    with pytest.raises(InvalidInput, match="another thread"):
        await ThreadRepo(threads.storage).append("t2", "u2", [say("stolen", id="m1")])
    assert (await threads.storage.get(MESSAGES, "m1"))["threadId"] == "t1"
    assert await threads.get("t2") is None


async def test_a_step_recorded_twice_is_there_once(threads):
    question, answer = say("question"), say("answer", role="assistant")
    for _ in range(3):
        await threads.append("t1", "u1", [question], run_id="r", step=0)
        await threads.append("t1", "u1", [answer], run_id="r", step=1)
    # A process that knows nothing of the first one does the same.
    await ThreadRepo(threads.storage).append("t1", "u1", [question], run_id="r", step=0)
    assert await texts(threads, "t1") == ["question", "answer"]
    assert (await threads.storage.get(THREADS, "t1"))["seq"] == 2


async def test_a_later_step_wins_over_a_retry_of_an_earlier_one(threads):
    await threads.append("t1", "u1", [say("one", id="a", role="assistant")], run_id="r", step=1)
    await threads.append("t1", "u1", [say("one and two", id="a", role="assistant")], run_id="r", step=2)
    await threads.append("t1", "u1", [say("one", id="a", role="assistant")], run_id="r", step=1)
    await ThreadRepo(threads.storage).append("t1", "u1", [say("one", id="a", role="assistant")], run_id="r", step=1)
    assert await texts(threads, "t1") == ["one and two"]


async def test_messages_keep_the_order_in_which_they_were_said_when_the_clock_goes_back(threads):
    await threads.append("t1", "u1", [say("first", at=10)])
    await threads.append("t1", "u1", [say("second", at=3)])
    await threads.append("t1", "u1", [say("third", at=10), say("fourth", at=10)])
    assert await texts(threads, "t1") == ["first", "second", "third", "fourth"]


async def test_imported_messages_are_sorted_by_their_own_time(threads):
    await threads.append("t1", "u1", [say("now", at=100)])
    await threads.append("t1", "u1", [say("long ago", at=1)], keep_time=True)
    assert await texts(threads, "t1") == ["long ago", "now"]


async def test_many_writers_of_one_thread_lose_nothing_and_number_without_gaps(threads):
    repos = [ThreadRepo(threads.storage) for _ in range(8)]
    await asyncio.gather(
        *(repo.append("t1", "u1", [say(f"{who} {turn}")]) for who, repo in enumerate(repos) for turn in range(5))
    )
    rows = await threads.messages.rows("t1")
    assert sorted(int(row["order"].partition("/")[2]) for row in rows) == list(range(1, 41))
    assert (await threads.storage.get(THREADS, "t1"))["seq"] == 40


async def test_a_run_cannot_bring_a_deleted_thread_back(threads):
    other = ThreadRepo(threads.storage)
    await threads.append("t1", "u1", [say("hello")], run_id="r", step=0)
    await other.delete("t1")
    with pytest.raises(NotFound):
        await threads.append("t1", "u1", [say("late")], run_id="r", step=1)
    await threads.append("t2", "u1", [say("hello 2")], run_id="r", step=0)
    await threads.delete("t2")
    with pytest.raises(NotFound):
        await threads.append("t2", "u1", [say("late 2")], run_id="r", step=1)
    assert await threads.storage.count(MESSAGES) == 0
    # A new conversation may take the id again.
    assert await threads.row("t2") is None
    await threads.append("t2", "u1", [say("new")], run_id="r2", step=0)
    assert await texts(threads, "t2") == ["new"]


async def test_pages_of_messages_go_both_ways(threads):
    await threads.append("t1", "u1", [say(f"m{number:02d}", at=number) for number in range(25)])
    page = await threads.list_messages("t1", page=1, per_page=10)
    assert [message.text for message in page.messages] == [f"m{number}" for number in range(10, 20)]
    assert (page.total, page.has_more) == (25, True)
    last = await threads.list_messages("t1", page=0, per_page=10, direction="DESC")
    assert last.messages[0].text == "m24"
    assert (await threads.list_messages("t1", page=9, per_page=10)).messages == []
    assert len((await threads.list_messages("t1", per_page=None)).messages) == 25
    some = await threads.list_messages("t1", start="2026-01-01T00:00:05Z", end="2026-01-01T00:00:07Z")
    assert [message.text for message in some.messages] == ["m05", "m06", "m07"]
    for wrong in ({"page": -1}, {"per_page": -5}, {"page": "1"}):
        with pytest.raises(InvalidInput):
            await threads.list_messages("t1", **wrong)


async def test_included_messages_bring_their_neighbours_but_never_a_strangers(threads):
    await threads.append("t1", "u1", [say(f"m{number}", at=number) for number in range(10)])
    await threads.append("t9", "u9", [say("secret")])
    page = await threads.list_messages(
        "t1",
        per_page=1,
        include=[
            {"id": "m-m5", "withPreviousMessages": 1, "withNextMessages": 2},
            {"id": "m-secret", "threadId": "t9"},
            {"id": "absent"},
        ],
    )
    assert [message.text for message in page.messages] == ["m0", "m4", "m5", "m6", "m7"]


async def test_threads_are_listed_by_owner_and_metadata(threads):
    for number in range(5):
        await threads.create(resource_id=f"u{number % 2}", thread_id=f"t{number}", metadata={"a.b $x": number})
    page = await threads.find(resource_id="u0", per_page=2)
    assert [thread.id for thread in page.threads] == ["t4", "t2"]
    assert (page.total, page.has_more) == (3, True)
    assert [thread.id for thread in (await threads.find(metadata={"a.b $x": 3})).threads] == ["t3"]
    assert (await threads.find(resource_id="u0", metadata={"a.b $x": 3})).threads == []
    assert (await threads.find(direction="ASC", per_page=None)).threads[0].id == "t0"


async def test_a_clone_is_a_copy_with_a_mark(threads):
    await threads.append("t1", "u1", [say(f"m{number}", at=number) for number in range(4)])
    clone = await threads.clone("t1", new_thread_id="t2", title="Copy", message_limit=2)
    assert [message.text for message in clone.messages] == ["m2", "m3"]
    assert clone.thread.metadata["clone"]["lastMessageId"] == "m-m3"
    assert clone.to_wire()["messageIdMap"] == clone.message_ids
    await threads.append("t2", "u1", [say("more", at=9)])
    assert await texts(threads, "t2") == ["m2", "m3", "more"]
    assert await texts(threads, "t1") == ["m0", "m1", "m2", "m3"]
    with pytest.raises(Conflict):
        await threads.clone("t1", new_thread_id="t2")


async def test_a_large_thread_is_cloned_and_removed_in_parts(threads):
    for start in range(0, 1200, 400):
        await threads.append("t1", "u1", [say(f"m{number}", at=number) for number in range(start, start + 400)])
    clone = await threads.clone("t1", new_thread_id="t2")
    assert len(clone.messages) == 1200
    await threads.delete("t1")
    assert await threads.storage.count(MESSAGES) == 1200


async def test_a_moved_thread_takes_its_messages_with_it(threads):
    await threads.append("t1", "u1", [say("one"), say("two")])
    await threads.transfer("t1", "u2", resource_id="u1")
    assert await threads.storage.count(MESSAGES, {"resourceId": "u2"}) == 2
    assert (await threads.get("t1", resource_id="u2")).resource_id == "u2"


async def test_messages_are_changed_and_removed_by_id(threads):
    await threads.append("t1", "u1", [say("one"), say("two")])
    parts = [{"type": "text", "text": "changed"}]
    [row] = await threads.update_messages([{"id": "m-one", "content": {"parts": parts}}])
    assert row["content"]["content"] == "one"
    assert await texts(threads, "t1") == ["changed", "two"]
    with pytest.raises(NotFound):
        await threads.update_messages([{"id": "absent"}])
    assert await threads.delete_messages(["m-two", "absent"]) == ["m-two"]
    assert await texts(threads, "t1") == ["changed"]


async def test_what_cannot_be_stored_is_replaced_and_not_lost(threads):
    await threads.append("t1", "u1", [say("a\0b \ud800 c", id="m1")])
    assert await texts(threads, "t1") == ["a\ufffdb \ufffd c"]


async def test_wrong_ids_are_refused(threads):
    for wrong in ("", "a b", "../x", "x" * 129, "a/b"):
        with pytest.raises(InvalidId):
            await threads.append(wrong, "u1", [say("x")])
        with pytest.raises(InvalidId):
            await threads.append("t1", wrong, [say("x")]) if wrong else await threads.get(wrong)
        with pytest.raises(InvalidId):
            await threads.append("t1", "u1", [say("x", id=wrong or "a b")])
