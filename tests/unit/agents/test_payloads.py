import pytest

from mastra import Agent, tool
from mastra.agents.payloads import error_chunk, model_metadata
from mastra.agents.run import Step
from mastra.errors import InvalidInput, RateLimited
from mastra.providers.scripted import Call, ScriptedModel


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def chunks_of(*lines, **options):
    agent = Agent("a", model=ScriptedModel(list(lines)), tools=[add])
    async with agent.stream("1+2?", run_id="r", **options) as run:
        return [chunk async for chunk in run]


async def test_every_step_is_framed_and_the_run_too():
    kinds = [chunk.type for chunk in await chunks_of(Call("add", {"a": 1, "b": 2}, "c"), "3")]
    assert (kinds[0], kinds[-1]) == ("start", "finish")
    assert (kinds.count("step-start"), kinds.count("step-finish")) == (2, 2)


async def test_a_step_says_whether_another_follows():
    chunks = await chunks_of(Call("add", {"a": 1, "b": 2}, "c"), "3")
    ends = [chunk.payload for chunk in chunks if chunk.type == "step-finish"]
    assert [end["stepResult"]["isContinued"] for end in ends] == [True, False]
    assert [end["stepResult"]["reason"] for end in ends] == ["tool-calls", "stop"]


async def test_the_finish_sums_the_usage_and_holds_all_messages():
    chunks = await chunks_of(Call("add", {"a": 1, "b": 2}, "c"), "3")
    ends = [chunk.payload for chunk in chunks if chunk.type == "step-finish"]
    finish = chunks[-1].payload
    assert finish["output"]["usage"]["outputTokens"] == sum(end["output"]["usage"]["outputTokens"] for end in ends)
    assert len(finish["output"]["steps"]) == 2
    assert [message["role"] for message in finish["messages"]["user"]] == ["user"]
    assert finish["messages"]["all"] == [*finish["messages"]["user"], *finish["messages"]["nonUser"]]


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (RateLimited("slow"), {"message": "slow", "name": "RateLimited", "isRetryable": True}),
        (InvalidInput("no"), {"message": "no", "code": "invalid-input", "isRetryable": False}),
        (ValueError("odd"), {"message": "odd", "name": "ValueError"}),
    ],
)
async def test_an_error_is_shown_without_its_stack(error, facts):
    run = await Agent("a", model=ScriptedModel(["x"])).begin("hi", {"run_id": "r"})
    chunk = error_chunk(run, error)
    assert facts.items() <= chunk.payload["error"].items()
    assert (chunk.type, chunk.run_id) == ("error", "r")
    assert "stack" not in chunk.payload["error"]


def test_the_model_that_was_asked_is_named():
    metadata = model_metadata(Step(0, ScriptedModel(model_id="m", provider="p")))
    assert (metadata["modelId"], metadata["modelProvider"]) == ("m", "p")
