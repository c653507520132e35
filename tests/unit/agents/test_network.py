import json

import pytest

from mastra import Agent, ToolContext, tool
from mastra.errors import LimitReached, OutputInvalid, ToolFailed
from mastra.providers.scripted import ScriptedModel


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def route(kind, name, prompt, reason="fits"):
    return json.dumps({"primitiveId": name, "primitiveType": kind, "prompt": prompt, "selectionReason": reason})


def verdict(done, final=""):
    return json.dumps({"isComplete": done, "completionReason": "checked", "finalResult": final})


def network(*lines, child=("Hello there",)):
    helper = Agent("helper", description="Greets.", model=ScriptedModel(list(child)))
    return Agent("boss", model=ScriptedModel(list(lines)), agents=[helper], tools=[add])


async def test_the_events_of_a_network_come_in_their_order():
    boss = network(route("agent", "helper", "Hello"), verdict(True, "Hi!"))
    async with boss.network("Say hello", thread="t", resource="u") as run:
        chunks = [chunk async for chunk in run]
        result = await run.result()
    kinds = [chunk.type for chunk in chunks]
    assert kinds[:3] == ["routing-agent-start", "routing-agent-end", "agent-execution-start"]
    assert kinds[3] == "agent-execution-event-start"
    assert kinds[-6:] == [
        "agent-execution-end",
        "network-validation-start",
        "routing-agent-text-start",
        "routing-agent-text-delta",
        "network-validation-end",
        "network-execution-event-finish",
    ]
    assert all(chunk.origin == "NETWORK" for chunk in chunks)
    assert (result.text, result.complete, result.iterations) == ("Hi!", True, 1)


async def test_a_tool_is_run_and_the_router_sees_what_came_of_it():
    boss = network(route("tool", "add", '{"a": 1, "b": 2}'), verdict(False), route("none", "", "3"))
    result = await boss.network("1 + 2?").result()
    assert (result.text, result.iterations) == ("3", 2)
    assert "answered: 3" in boss.model.requests[2].messages[-1].parts[0].text


async def test_a_network_that_never_completes_is_stopped():
    boss = network(route("agent", "helper", "x"), verdict(False), route("agent", "helper", "x"), verdict(False),
                   child=("a", "b"))  # fmt: skip
    with pytest.raises(LimitReached):
        await boss.network("go", max_steps=2).result()


@pytest.mark.parametrize("line", ["no json", route("agent", "nobody", "x"), route("wizard", "helper", "x")])
async def test_a_router_that_answers_nonsense_is_an_error(line):
    with pytest.raises(OutputInvalid):
        await network(line).network("go").result()


async def test_a_network_says_that_it_cannot_wait():
    @tool
    async def ask(context: ToolContext) -> str:
        """Ask a person."""
        context.suspend({"question": "?"})

    boss = Agent("boss", model=ScriptedModel([route("tool", "ask", "{}")]), tools=[ask])
    with pytest.raises(ToolFailed, match="waits for somebody"):
        await boss.network("go").result()
