"""Agents, tools and functions as steps."""

import pytest

from mastra import Agent, Workflow, tool
from mastra.errors import BadDefinition
from mastra.providers.scripted import ScriptedModel
from mastra.workflows.parts import agent_step, as_step, clone_step


@tool
async def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: sunny"


async def test_a_tool_takes_its_arguments_and_gives_its_result():
    flow = Workflow("tools").then(get_weather).commit()
    assert (await (await flow.create_run()).start({"city": "Oslo"})).result == "Oslo: sunny"
    assert flow.graph()[0]["type"] == "tool"
    assert flow.graph()[0]["toolId"] == "get_weather"


async def test_an_agent_streams_into_the_run_and_its_tokens_are_counted():
    agent = Agent(id="assistant", instructions="Help.", model=ScriptedModel(["Hello there"]))
    flow = Workflow("agentic").map(lambda d: {"prompt": f"Hello about {d['topic']}"}).then(agent).commit()
    run = await flow.create_run()
    async with run.stream({"topic": "x"}) as stream:
        chunks = [chunk.to_wire() async for chunk in stream]
    result = await stream.result()
    assert result.result == {"text": "Hello there"}
    inner = [c["payload"]["output"]["type"] for c in chunks if c["type"] == "workflow-step-output"]
    assert inner[0] == "start"
    assert "text-delta" in inner
    assert inner[-1] == "finish"
    assert {c["from"] for c in chunks if c["type"] == "workflow-step-output"} == {"USER"}
    assert chunks[-1]["payload"]["output"]["usage"]["outputTokens"] > 0
    assert flow.graph()[1]["agentId"] == "assistant"


def test_a_cloned_step_stands_in_a_workflow_twice():
    first = as_step(get_weather)
    second = clone_step(first, id="again")
    flow = Workflow("twice").parallel([first, second]).commit()
    assert [leaf.id for leaf in flow.nodes[0].children] == ["get_weather", "again"]


def test_what_is_no_step_is_refused():
    with pytest.raises(BadDefinition, match="cannot be a step"):
        as_step(42)
    assert agent_step(Agent(id="a", model=ScriptedModel(["x"])), id="other").id == "other"
