"""The tool by which a model rewrites its working memory."""

import pytest

from mastra.errors import MastraError
from mastra.memory.memory import Memory
from mastra.memory.options import WorkingMemory
from mastra.runtime.services import Services
from mastra.tools.context import ToolContext

CONTEXT = ToolContext(thread_id="t", resource_id="u")


def tool_of(storage, working):
    memory = Memory(working_memory=working)
    memory.bind(Services(storage=storage))
    [tool] = memory.tools()
    return memory, tool


async def test_the_model_replaces_its_page(storage):
    memory, tool = tool_of(storage, working=True)
    assert tool.name == "updateWorkingMemory"
    assert await tool({"memory": "- name: Ada"}, context=CONTEXT) == {"success": True}
    assert await memory.get_working_memory(thread_id="t", resource_id="u") == "- name: Ada"


async def test_the_model_merges_fields_when_there_is_a_schema(storage):
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    memory, tool = tool_of(storage, working=WorkingMemory(schema=schema))
    await tool({"memory": {"name": "Ada"}}, context=CONTEXT)
    await tool({"memory": {"age": 36}}, context=CONTEXT)
    assert await memory.get_working_memory(thread_id="t", resource_id="u") == '{"name":"Ada","age":36}'
    with pytest.raises(MastraError):
        await tool({"memory": {"age": "old"}}, context=CONTEXT)


def test_a_read_only_page_has_no_tool():
    assert Memory(working_memory=WorkingMemory(read_only=True)).tools() == []
    assert Memory(working_memory=True, read_only=True).tools() == []
    assert Memory().tools() == []
