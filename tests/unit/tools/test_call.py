import asyncio

import pytest

from mastra import ToolContext, ToolRetry, create_tool, tool
from mastra.errors import BadArguments, BadDefinition, ToolFailed, ToolTimeout
from mastra.tools.call import checked_output


async def test_a_tool_that_takes_too_long_is_stopped():
    @tool(timeout_s=0.01)
    async def slow() -> None:
        """Never ends."""
        await asyncio.Event().wait()

    with pytest.raises(ToolTimeout):
        await slow()


async def test_a_blocking_tool_is_told_to_stop():
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()

    @tool(timeout_s=0.02)
    def slow(context: ToolContext) -> None:
        """Waits."""
        if context.abort.wait(5):
            loop.call_soon_threadsafe(heard.set)

    with pytest.raises(ToolTimeout):
        await slow()
    await asyncio.wait_for(heard.wait(), 1)


async def test_a_flaky_tool_is_tried_again_and_a_wrong_call_is_not():
    tries = []

    @tool(retries=1)
    async def flaky(n: int) -> int:
        """Fails once."""
        tries.append(n)
        if len(tries) == 1:
            raise ConnectionError("try again")
        return n

    assert await flaky(n=1) == 1
    assert tries == [1, 1]
    with pytest.raises(BadArguments):
        await flaky(n="x")
    assert tries == [1, 1]


async def test_an_error_keeps_its_cause_and_advice_passes_through():
    @tool
    async def fails() -> None:
        """Fails."""
        raise KeyError("k")

    @tool
    async def advises() -> None:
        """Advises."""
        raise ToolRetry("use a city")

    with pytest.raises(ToolFailed) as caught:
        await fails()
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(ToolRetry, match="use a city"):
        await advises()


async def test_hooks_may_answer_instead_and_change_the_result():
    async def run(arguments):
        return arguments["n"]

    hooks = {
        "before": lambda arguments, context: 0 if arguments["n"] < 0 else None,
        "after": lambda result, context: result + 1,
    }
    counted = create_tool("counted", description="", input={"n": int}, execute=run, hooks=hooks)
    assert await counted(n=-5) == 0
    assert await counted(n=5) == 6
    with pytest.raises(BadDefinition):
        create_tool("x", description="", execute=run, hooks={"during": run})


async def test_a_result_that_does_not_fit_is_returned_and_marked():
    async def run(arguments):
        return {"n": "x"}

    made = create_tool("t", description="", execute=run, output={"n": int})
    assert checked_output(made, {"n": "x"}) == ({"n": "x"}, [{"field": "n", "message": "must be an integer"}])


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "æ", 3])
def test_a_name_that_a_provider_would_refuse_is_refused(name):
    with pytest.raises(BadDefinition):
        create_tool(name, description="")
