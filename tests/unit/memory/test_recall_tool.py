"""The tool by which a model looks up what was said: in its conversation, or in all of its user."""

from typing import Any

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import BadDefinition, MastraError
from mastra.memory.memory import Memory
from mastra.memory.observations import ObservationalMemory
from mastra.runtime.services import Services
from mastra.tools.context import ToolContext

CONTEXT = ToolContext(thread_id="t", resource_id="u")


@pytest.fixture
async def tools(storage):
    """The tools of one scope each, over two conversations of one user and one of another."""
    made = {}
    for scope in ("thread", "resource"):
        observed = ObservationalMemory(model="scripted/x", retrieval=scope)
        memory = Memory(observational=observed, semantic_recall=scope == "resource")
        memory.bind(Services(storage=storage))
        [made[scope]] = memory.tools()
    for thread, owner in (("t", "u"), ("t2", "u"), ("theirs", "v")):
        said = [say(f"{thread} says tea {n}", id=f"{thread}-{n}", at=n) for n in range(6)]
        await memory.record(thread_id=thread, resource_id=owner, messages=said)
    await memory.settle()
    yield made
    await memory.close()


async def ids(tool, context=CONTEXT, **arguments):
    return [row["id"] for row in (await tool(arguments, context=context))["messages"]]


async def test_messages_are_read_from_either_end(tools):
    tool = tools["thread"]
    assert tool.name == "recall"
    assert await ids(tool, mode="messages", limit=2) == ["t-4", "t-5"]
    assert await ids(tool, mode="messages", before="t-3", limit=2) == ["t-1", "t-2"]
    assert await ids(tool, mode="messages", after="t-3") == ["t-4", "t-5"]
    [first] = (await tool({"mode": "messages", "before": "t-1"}, context=CONTEXT))["messages"]
    assert first["content"] == "t says tea 0"


async def test_a_search_stays_in_its_scope(tools):
    assert set(await ids(tools["thread"], mode="search", query="tea")) == {f"t-{n}" for n in range(6)}
    wide = await ids(tools["resource"], mode="search", query="tea", limit=50)
    assert {found.rpartition("-")[0] for found in wide} == {"t", "t2"}


async def test_other_conversations_are_read_where_the_scope_allows_it(tools):
    found = await tools["resource"]({"mode": "threads"}, context=CONTEXT)
    assert {thread["id"] for thread in found["threads"]} == {"t", "t2"}
    assert await ids(tools["resource"], mode="messages", thread="t2", limit=1) == ["t2-5"]
    for wrong in ({"mode": "threads"}, {"mode": "messages", "thread": "t2"}):
        with pytest.raises(MastraError):
            await tools["thread"](wrong, context=CONTEXT)


async def test_what_is_somebody_elses_is_refused(tools):
    for wrong in ({"thread": "theirs"}, {"before": "theirs-3"}, {"thread": "t2", "after": "t-1"}):
        with pytest.raises(MastraError):
            await tools["resource"]({"mode": "messages", **wrong}, context=CONTEXT)
    for wrong in ({"mode": "search"}, {"mode": "all"}, {"mode": "messages", "limit": 1000}):
        with pytest.raises(MastraError):
            await tools["resource"](wrong, context=CONTEXT)
    with pytest.raises(MastraError):
        await tools["thread"]({"mode": "messages"}, context=ToolContext())


def test_the_tool_is_there_when_it_is_asked_for():
    assert Memory(observational=ObservationalMemory(model="scripted/x")).tools() == []
    both = Memory(observational=ObservationalMemory(model="scripted/x", retrieval="thread"), working_memory=True)
    assert [tool.name for tool in both.tools()] == ["updateWorkingMemory", "recall"]
    wrong: Any = "everything"
    with pytest.raises(BadDefinition):
        ObservationalMemory(model="scripted/x", retrieval=wrong)
