import asyncio

import pytest

from mastra import Agent, Limits, tool
from mastra.agents.loop import build_prompt, make_request
from mastra.agents.plan import Candidate
from mastra.agents.processors.processor import Processor
from mastra.errors import RunError
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.model import ModelProfile
from mastra.types.prompt import SystemMessage, UserMessage
from mastra.types.usage import Usage


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def test_the_prompt_is_instructions_memory_context_and_what_was_said():
    run = await Agent("a", instructions="Be kind.", model=ScriptedModel()).begin("hi", {"context": "by the way"})
    run.remembered_system = ("You met before.",)
    assert build_prompt(run)[:2] == [SystemMessage("Be kind."), SystemMessage("You met before.")]
    assert [message.parts[0].text for message in build_prompt(run)[2:]] == ["by the way", "hi"]


async def test_a_request_without_tools_asks_for_none():
    run = await Agent("a", model=ScriptedModel()).begin("hi", {"tool_choice": "required"})
    request = make_request(run, Candidate(ScriptedModel(), 7))
    assert (request.tools, request.tool_choice, request.settings.max_retries) == ((), "auto", 7)


async def test_cached_tokens_have_a_price_of_their_own():
    profile = ModelProfile(input_price=10.0, cached_input_price=1.0, output_price=20.0)
    usage = Usage(1_000_000, 500_000, cached_input_tokens=400_000)
    model = ScriptedModel([Answer(text="x", usage=usage)], profile=profile)
    assert (await Agent("a", model=model).generate("go")).cost == pytest.approx(6.0 + 0.4 + 10.0)


async def test_an_error_of_user_code_ends_the_run_as_a_run_error_with_its_cause():
    def broken(run, number):
        raise KeyError("mine")

    with pytest.raises(RunError, match="mine") as failed:
        await Agent("a", model=ScriptedModel(["x"])).generate("go", prepare_step=broken, run_id="r")
    assert isinstance(failed.value.__cause__, KeyError)
    assert failed.value.run_id == "r"


async def test_a_failed_run_still_ends_its_stream_in_order():
    agent = Agent("a", model=ScriptedModel([RuntimeError("gone")]))
    async with agent.stream("go") as run:
        kinds = [chunk.type async for chunk in run]
        with pytest.raises(RunError):
            await run.result()
    assert kinds == ["start", "step-start", "error", "step-finish", "finish"]


class Picky(Processor):
    """Refuses an answer that is not polite."""

    async def process_output_step(self, step, context):
        if "please" not in step.text:
            context.abort("be polite", retry=True)


async def test_a_refused_answer_is_neither_kept_nor_shown_to_the_model():
    model = ScriptedModel(["now", "please"])
    agent = Agent("a", model=model, output_processors=[Picky()])
    result = await agent.generate("go", max_processor_retries=1)
    assert [message.text for message in result.messages] == ["go", "please"]
    told = model.requests[1].messages
    assert all(isinstance(message, UserMessage) for message in told)
    assert "be polite" in told[-1].parts[0].text


async def test_without_retries_a_refused_answer_trips_the_run():
    agent = Agent("a", model=ScriptedModel(["now"]), output_processors=[Picky()])
    result = await agent.generate("go")
    assert (result.finish_reason, result.tripwire["reason"]) == ("tripwire", "be polite")


async def test_cancelling_a_run_tells_its_owner():
    told = asyncio.Event()
    started = asyncio.Event()

    @tool
    async def wait() -> str:
        """Wait."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    agent = Agent("a", model=ScriptedModel([Call("wait", {}, "c")]), tools=[wait])
    task = asyncio.create_task(agent.generate("go", on_abort=lambda _: told.set()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(told.wait(), 5)


@pytest.mark.parametrize("stop", ["add", lambda steps: len(steps) == 1, [lambda steps: False, "add"]])
async def test_a_run_stops_when_it_is_told_to(stop):
    model = ScriptedModel([Call("add", {"a": 1, "b": 2}, "c"), "3"])
    result = await Agent("a", model=model, tools=[add]).generate("go", stop_when=stop)
    assert (result.finish_reason, len(model.requests)) == ("tool-calls", 1)


async def test_time_that_is_up_names_its_limit():
    agent = Agent("a", model=ScriptedModel([Answer(text="x", delay_s=30)]))
    with pytest.raises(RunError) as late:
        await agent.generate("go", limits=Limits(seconds=0.02))
    assert late.value.details["limit"] == "seconds"
