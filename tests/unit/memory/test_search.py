"""Searching messages by their words and by their meaning, with a neighbour on each side."""

import pytest
from tests.unit.memory.conftest import say

from mastra.caches.lru import LruCache
from mastra.errors import AccessDenied, InvalidInput, Unsupported
from mastra.memory import search
from mastra.memory.memory import Memory
from mastra.memory.options import SemanticRecall
from mastra.memory.read_through import ReadThrough
from mastra.memory.search import search_messages
from mastra.memory.threads import ThreadRepo


@pytest.fixture
async def filled(threads):
    await threads.create(resource_id="u", thread_id="t1", title="Trip")
    await threads.append("t1", "u", [say("Where is Oslo?", id="m-oslo"), say("In NORWAY", at=1), say("Thanks", at=2)])
    await threads.append("t2", "u", [say("Norway again", at=5)])
    await threads.append("t3", "v", [say("norway of others", at=6)])
    return threads


def by_words(threads, query, thread_id=None, limit=20, resource_id="u"):
    return search_messages(threads, None, None, query, resource_id=resource_id, thread_id=thread_id, limit=limit)


async def test_all_words_must_be_there_in_any_case_newest_first(filled):
    page = await by_words(filled, "norway")
    assert [one["content"] for one in page.results] == ["Norway again", "In NORWAY"]
    assert [one["content"] for one in (await by_words(filled, "norway IN")).results] == ["Norway again", "In NORWAY"]
    assert [one["content"] for one in (await by_words(filled, "oslo where")).results] == ["Where is Oslo?"]
    assert (await by_words(filled, "  ")).results == []


async def test_a_result_has_its_thread_and_its_neighbours(filled):
    [found] = (await by_words(filled, "norway", "t1")).results
    assert (found["threadTitle"], found["threadId"]) == ("Trip", "t1")
    context = found["context"]
    assert [one["content"] for one in context["before"]] == ["Where is Oslo?"]
    assert [one["content"] for one in context["after"]] == ["Thanks"]


async def test_the_page_says_how_was_searched(filled):
    page = (await by_words(filled, "norway", limit=1)).to_wire()
    assert (page["count"], page["searchScope"], page["searchType"], page["query"]) == (1, "resource", "text", "norway")
    assert (await by_words(filled, "norway", "t1")).scope == "thread"


async def test_somebody_elses_thread_is_refused(filled):
    with pytest.raises(AccessDenied):
        await by_words(filled, "norway", "t3")


@pytest.mark.parametrize("limit", [0, 101, "5", True])
async def test_limits_that_cannot_be_are_refused(filled, limit):
    with pytest.raises(InvalidInput):
        await by_words(filled, "norway", limit=limit)


async def test_searching_words_ends_after_so_many_messages(filled, monkeypatch):
    monkeypatch.setattr(search, "MAX_SCANNED", 0)
    assert (await by_words(filled, "norway")).results == []


async def test_by_meaning_finds_only_the_resources_own_messages(storage):
    recall = SemanticRecall(top_k=1, scope="resource")
    memory = Memory(storage=storage, vectors="memory:", embedder="lexical/384", semantic_recall=recall)
    try:
        for thread, owner in (("t1", "u"), ("t2", "u"), ("t3", "v")):
            message = say(f"cats and dogs {thread}", id=f"m{thread}", thread_id=thread, resource_id=owner)
            await memory.save_messages([message])
        await memory.settle()
        page = await memory.search("cats dogs", resource_id="u", limit=5)
        assert page.type == "semantic"
        assert {one["threadId"] for one in page.results} == {"t1", "t2"}
        assert len((await memory.search("cats dogs", resource_id="u", limit=1)).results) == 1
    finally:
        await memory.close()


@pytest.mark.parametrize("place", ["memory:", "sqlite:///{path}/a.db"])
async def test_whole_words_are_found_by_the_storages_index(tmp_path, place):
    memory = Memory(storage=place.format(path=tmp_path), text_search=True)
    try:
        for thread, owner, text in (("t1", "u", "Norway"), ("t2", "u", "Oslo in norway"), ("t3", "v", "norway")):
            await memory.record(thread_id=thread, resource_id=owner, messages=[say(text)])
        page = await memory.search("NORWAY", resource_id="u")
        assert page.type == "text"
        assert [one["content"] for one in page.results] == ["Norway", "Oslo in norway"], "the better one first"
        assert (await memory.search("norw", resource_id="u")).results == []
        assert [one["threadId"] for one in (await memory.search("norway", resource_id="v")).results] == ["t3"]
        await memory.record(thread_id="t1", resource_id="u", messages=[say("Bergen", at=9)])
        [found] = (await memory.search("bergen", resource_id="u", thread_id="t1")).results
        assert [one["content"] for one in found["context"]["before"]] == ["Norway"]
        await memory.delete_thread("t1", resource_id="u")
        assert (await memory.search("bergen", resource_id="u")).results == []
    finally:
        await memory.close()


async def test_an_index_that_the_storage_does_not_have_is_refused(tmp_path):
    memory = Memory(storage=f"blobs:///{tmp_path}/blobs?storage=memory:", text_search=True)
    with pytest.raises(Unsupported):
        await memory.search("norway", resource_id="u")
    await memory.close()


async def test_an_index_is_found_behind_a_cache(storage):
    threads = ThreadRepo(ReadThrough(storage, LruCache()))
    await threads.append("t", "u", [say("Norway")])
    page = await search_messages(threads, None, None, "norway", resource_id="u", thread_id="t", limit=5, indexed=True)
    assert [one["content"] for one in page.results] == ["Norway"]
