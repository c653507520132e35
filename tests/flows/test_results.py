"""For the same answers of a model, our results of `generate` are those that clients of the protocol know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.flows.chunk_shape import shape
from tests.flows.test_chunks import SCHEMA, WEATHER, Forbidden, agent, call, differences, get_weather, text

from mastra import Memory
from mastra.agents.result import RunResult

RECORDED = Path(__file__).parent / "results"
COLOR = {
    "change_color": {
        "id": "change_color",
        "description": "Change color",
        "inputSchema": {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]},
    }
}
# Where we say it otherwise, on purpose: (a part of the path, why).
OTHERWISE = (
    ("ubAgentThreadId", "a child's thread has the same name for every call, so that it remembers"),
    ("sage.", "a run's usage is what it cost, its children's calls included"),
    (".toolInvocations", "a stored message keeps its calls in its parts only"),
    (".callProviderMetadata", "parts keep their times"),
    (".steps[0].response.messages", "a step's messages are those up to its end"),
    (".steps[0].response.uiMessages", "the same"),
)


def same(result: RunResult, name: str) -> None:
    found: Any = shape(json.loads(json.dumps(result.to_wire())))
    expected = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    seen = [
        said for said in differences(found, expected) if not any(part in said.split(" is ")[0] for part, _ in OTHERWISE)
    ]
    assert seen == []


async def test_a_tool_that_the_caller_runs():
    one = agent("assistant", call("call_40", "change_color", '{"color":"red"}'), tools=[get_weather])
    same(await one.generate("Change the color please", client_tools=COLOR), "client-tool")


async def test_a_structured_answer():
    one = agent("assistant", text('{"city":"Paris","tempC":21}'))
    same(await one.generate("Give JSON", output=SCHEMA), "structured")


async def test_a_blocked_input():
    same(await agent("assistant", input_processors=[Forbidden()]).generate("this is forbidden"), "tripwire")


async def test_a_sub_agent():
    weather = call("call_64", "get_weather", '{"city":"Paris"}')
    child = agent("assistant", weather, text(*WEATHER), tools=[get_weather], description="Knows the weather.")
    asks = call("call_63", "agent-assistant", '{"prompt":"What is the weather in Paris?"}')
    boss = agent("supervisor", asks, text(*WEATHER), agents=[child], memory=Memory())
    same(await boss.generate("Please delegate this", thread="t-sup2", resource="user-1"), "supervisor")
