from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra import Tool, ToolContext, create_tool, tool
from mastra.errors import BadArguments, BadDefinition, InvalidInput
from mastra.tools.tool import as_tools, check_name, client_tool, model_output, named


@tool
async def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: The first.
    """
    return a + b


async def test_a_function_becomes_a_tool_that_is_checked_when_called():
    assert (add.id, add.description) == ("add", "Add two numbers.")
    assert add.json_schema["properties"]["a"] == {"type": "integer", "description": "The first."}
    assert add.json_schema["required"] == ["a"]
    assert await add(a=1) == 3
    assert await add({"a": 1, "b": 1}) == 2
    with pytest.raises(BadArguments, match="a"):
        await add(a="one")


@given(st.text(max_size=70))
def test_a_name_is_one_that_every_provider_takes(name):
    fits = 0 < len(name) <= 64 and all(char.isascii() and (char.isalnum() or char in "_-") for char in name)
    if fits:
        assert check_name(name) == name
    else:
        with pytest.raises(BadDefinition):
            check_name(name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tool(lambda x: x),
        lambda: create_tool("x", description="x", hooks={"befor": print}),
        lambda: create_tool("no good", description="x"),
        lambda: as_tools([add, add.but(description="other")]),
        lambda: as_tools([3]),
        lambda: add.but(colour="red"),
    ],
)
def test_what_is_no_tool_is_refused_where_it_is_declared(make):
    with pytest.raises(BadDefinition):
        make()


def test_a_copy_changes_nothing_of_the_first():
    other = add.but(name="plus", require_approval=True)
    assert (other.name, other.spec.name, other.require_approval) == ("plus", "plus", True)
    assert (add.name, add.require_approval) == ("add", False)
    assert named(add, "add") is add
    assert list(as_tools({"sum": add})) == ["sum"]


async def test_a_tool_from_a_schema_may_leave_its_context_out():
    shape = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    async def with_context(given: dict, context: ToolContext) -> Any:
        return given["n"], context.tool_name

    short = create_tool("short", description="Short.", input=shape, execute=lambda given: given["n"])
    long = create_tool("long", description="Long.", input=shape, execute=with_context)
    assert await short(n=1) == 1
    assert await long(n=1) == (1, "long")
    with pytest.raises(InvalidInput):
        Tool("none").validate([])


async def test_a_tool_of_the_caller_is_described_and_not_run():
    theirs = client_tool("pick", {"description": "Pick.", "inputSchema": {"type": "object"}})
    assert theirs.execute is None
    assert theirs.to_wire()["description"] == "Pick."
    with pytest.raises(BadDefinition, match="caller"):
        theirs.invoke({}, ToolContext())


def test_what_the_model_reads_may_differ_from_the_result():
    loud = create_tool("loud", description="x", execute=lambda given: 1, to_model_output=lambda result: f"<{result}>")
    assert model_output(loud, 1) == "<1>"
    assert model_output(add, (1, 2)) == [1, 2]
