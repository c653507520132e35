import pytest

from mastra import Agent, Limits, tool
from mastra.agents.delegation import agent_tool
from mastra.errors import BadDefinition, LimitReached
from mastra.providers.scripted import Call, ScriptedModel


@tool
async def look(city: str) -> str:
    """Look."""
    return f"sunny in {city}"


def team(*lines, **options):
    model = ScriptedModel(list(lines))
    child = Agent("weather", description="Knows the weather.", model=model, tools=[look])
    return Agent("boss", model=model, agents={"weather": child}, **options), model


LINES = (
    Call("agent-weather", {"prompt": "Oslo?"}, "p1"),
    Call("look", {"city": "Oslo"}, "c1"),
    "It is sunny.",
    "Done.",
)


async def test_a_child_answers_in_the_stream_of_its_parent():
    boss, model = team(*LINES)
    async with boss.stream("go", thread="t", resource="u") as run:
        chunks = [chunk async for chunk in run]
        result = await run.result()
    nested = [chunk for chunk in chunks if chunk.type == "tool-output"]
    assert nested[0].payload["output"]["type"] == "start"
    assert nested[-1].payload["output"]["type"] == "finish"
    assert all(len(one.path) == 1 for one in nested)
    assert result.text == "Done."
    answer = result.tool_results[0]["result"]
    assert answer["text"] == "It is sunny."
    assert (answer["subAgentThreadId"], answer["subAgentResourceId"]) == ("t-weather", "u-weather")
    assert answer["subAgentToolResults"][0]["result"] == "sunny in Oslo"
    assert model.requests[-1].messages[-1].parts[0].output == "It is sunny."


async def test_children_use_the_budget_and_add_to_the_usage_of_their_parent():
    boss, _ = team(*LINES)
    result = await boss.generate("go")
    assert result.usage.output_tokens > sum(step.usage.output_tokens for step in result.steps)
    boss, _ = team(*LINES)
    with pytest.raises(LimitReached):
        await boss.generate("go", limits=Limits(model_calls=3))


async def test_hooks_may_change_or_refuse_a_delegation():
    boss, model = team(Call("agent-weather", {"prompt": "Oslo?"}, "p1"), "fine", "Done.")
    rules = {"on_delegation_start": lambda asked, context: {"prompt": asked["prompt"] + " In Norwegian."}}
    await boss.generate("go", delegation=rules)
    assert model.requests[1].messages[-1].parts[0].text == "Oslo? In Norwegian."
    boss, model = team(Call("agent-weather", {"prompt": "Oslo?"}, "p1"), "Done.")
    result = await boss.generate("go", delegation={"on_delegation_start": lambda *_: {"reject": "not today"}})
    assert result.tool_results[0]["result"] == {"text": "not today"}


def test_an_agent_without_a_description_cannot_be_asked():
    with pytest.raises(BadDefinition):
        agent_tool(Agent("x", model="scripted/hi"))
