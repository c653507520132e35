import pytest

from mastra import Agent, tool
from mastra.agents.handoff import handoff
from mastra.errors import BadDefinition
from mastra.providers.scripted import Call, ScriptedModel


@tool
async def refund(order: str) -> str:
    """Refund an order."""
    return f"refunded {order}"


async def test_the_other_agent_goes_on_with_its_own_instructions_and_tools():
    billing_model = ScriptedModel([Call("refund", {"order": "7"}), "Done."])
    billing = Agent("billing", description="Refunds.", instructions="You refund.", model=billing_model, tools=[refund])
    desk_model = ScriptedModel([Call("handoff-billing", {"reason": "money"})])
    desk = Agent("desk", instructions="You greet.", model=desk_model, tools=[handoff(billing)])
    async with desk.stream("Refund order 7") as run:
        chunks = [chunk async for chunk in run]
        result = await run.result()
    assert result.text == "Done."
    assert [one["toolName"] for one in result.tool_calls] == ["handoff-billing", "refund"]
    assert [chunk.payload["data"]["to"] for chunk in chunks if chunk.type == "data-handoff"] == ["billing"]
    assert [message.role for message in billing_model.requests[0].messages] == ["system", "user", "assistant", "tool"]
    assert billing_model.requests[0].messages[0].text == "You refund."


async def test_a_call_to_a_tool_that_the_handoff_took_away_is_told_to_the_model():
    other = Agent("other", description="Else.", model=ScriptedModel(["ok"]))
    model = ScriptedModel([[Call("handoff-other", {"reason": "r"}), Call("refund", {"order": "1"})]])
    result = await Agent("desk", model=model, tools=[handoff(other), refund]).generate("go")
    assert result.tool_results[1]["isError"]


def test_an_agent_without_a_description_cannot_take_over():
    with pytest.raises(BadDefinition):
        handoff(Agent("x", model="scripted/hi"))
