"""The ready-made tools as a whole: how many there are, what they say of themselves, and junk that none takes."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastra.errors import BadArguments, MastraError
from mastra.tools.builtin import calculator, codes, data, dates, mail, texts
from mastra.tools.builtin.files import file_tools
from mastra.tools.builtin.sql import sql_tools
from mastra.tools.call import run_tool
from mastra.tools.context import ToolContext
from mastra.tools.tool import Tool

COMPUTING: list[Tool] = [tool for module in (calculator, codes, data, dates, mail, texts) for tool in module.TOOLS]
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.text(max_size=3))


@pytest.fixture
def tools(tmp_path) -> list[Tool]:
    with contextlib.closing(sqlite3.connect(tmp_path / "app.db")) as database:
        database.execute("create table people (name text)")
    return [*COMPUTING, *file_tools(tmp_path, write=True), *sql_tools(tmp_path / "app.db")]


def test_there_are_more_than_fifty_and_no_two_of_one_name(tools):
    names = [tool.name for tool in tools]
    assert len(names) >= 50
    assert len(set(names)) == len(names)


def test_each_says_what_it_does_and_what_it_takes(tools):
    for tool in tools:
        assert len(tool.description) > 15, tool.name
        for name, told in tool.json_schema.get("properties", {}).items():
            assert told.keys() & {"type", "anyOf", "enum", "$ref", "description"}, f"{tool.name}.{name}"


async def test_arguments_that_do_not_fit_are_refused_by_name(tools):
    for tool in tools:
        for name, told in tool.json_schema.get("properties", {}).items():
            if told.get("type") in ("string", "number", "integer"):
                with pytest.raises(BadArguments, match=name):
                    await run_tool(tool, {name: {"no": "value"}}, ToolContext())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
async def test_whatever_a_computing_tool_is_given_it_answers_or_refuses(draw):
    tool = draw.draw(st.sampled_from(COMPUTING))
    properties: dict[str, Any] = tool.json_schema.get("properties", {})
    arguments = {name: draw.draw(values) for name in properties}
    with contextlib.suppress(MastraError):
        await run_tool(tool, arguments, ToolContext())
