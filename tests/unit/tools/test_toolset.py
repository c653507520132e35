import types

import pytest

from mastra import Agent, tool
from mastra.errors import BadDefinition, NotFound
from mastra.providers.scripted import Call, ScriptedModel
from mastra.tools.toolset import ToolRegistry, Toolset


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool
async def neg(a: int) -> int:
    """Negate."""
    return -a


def test_sets_are_filtered_prefixed_renamed_and_joined():
    both = Toolset([add, neg])
    assert list(both.only("neg").prefix("math_").tools) == ["math_neg"]
    assert list(both.without("neg").rename({"add": "plus"}).tools) == ["plus"]
    assert [tool.name for tool in both.filter(lambda tool: "Add" in tool.description)] == ["add"]
    assert list((both.only("add") + both.only("neg")).tools) == ["add", "neg"]
    assert all(tool.require_approval for tool in both.approve())
    with pytest.raises(BadDefinition):
        both + both
    with pytest.raises(NotFound):
        both.only("ad")


async def test_an_agent_takes_a_set_as_its_tools_or_for_one_run():
    model = ScriptedModel([Call("m_add", {"a": 1, "b": 2}), "3", Call("neg", {"a": 1}), "-1"])
    agent = Agent("a", model=model, tools=Toolset([add]).prefix("m_"))
    assert (await agent.generate("1+2")).tool_results[0]["result"] == 3
    assert (await agent.generate("-1", toolsets={"more": [neg]})).tool_results[0]["result"] == -1


def test_a_registry_gives_the_newest_version():
    registry = ToolRegistry([add.but(version="1.2")])
    registry.add(add.but(version="1.10", description="newer"))
    assert registry.get("add").description == "newer"
    assert registry.get("add", "1.2").description == "Add."
    assert registry.versions("add") == ["1.2", "1.10"]
    with pytest.raises(BadDefinition):
        registry.add(add.but(version="1.2"))
    with pytest.raises(NotFound, match="add"):
        registry.get("addd")


def test_a_registry_finds_the_tools_of_a_module():
    module = types.ModuleType("m")
    module.add, module.other = add, 3
    assert [tool.id for tool in ToolRegistry().discover(module)] == ["add"]
