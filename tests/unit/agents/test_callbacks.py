import logging
from types import SimpleNamespace
from typing import Any

from mastra import Agent
from mastra.agents.callbacks import listen, tell
from mastra.providers.scripted import ScriptedModel

RUN: Any = SimpleNamespace(run_id="r")


async def test_a_callback_may_be_a_function_or_a_coroutine_and_take_any_number_of_values():
    heard = []

    async def later(*values):
        heard.append(values)

    await tell(RUN, "on_finish", heard.append, 1)
    await tell(RUN, "on_input_delta", later, "text", "context")
    assert heard == [1, ("text", "context")]


async def test_what_it_raises_is_logged_with_its_name_and_run(caplog):
    def broken(value):
        raise RuntimeError(f"no {value}")

    with caplog.at_level(logging.ERROR):
        await tell(RUN, "on_finish", broken, "luck")
    assert "on_finish of run r failed" in caplog.text
    assert "no luck" in caplog.text


async def test_work_after_the_answer_survives_the_end_of_the_run_and_its_own_errors():
    done = []

    async def slow(result):
        done.append(result.text)
        raise RuntimeError("too late to matter")

    agent = Agent("a", model=ScriptedModel(["hello"]))
    assert (await agent.generate("hi", on_finish=slow)).text == "hello"
    await agent.services.background.settle()
    assert done == ["hello"]


async def test_who_listens_to_chunks_may_fail_or_be_a_coroutine_and_the_run_goes_on(caplog):
    heard = []

    async def later(chunk):
        heard.append(chunk.type)
        raise RuntimeError("late")

    def broken(chunk):
        raise RuntimeError("at once")

    for callback in (later, broken):
        agent = Agent("a", model=ScriptedModel(["Hello"]))
        with caplog.at_level(logging.ERROR):
            assert (await agent.generate("go", on_chunk=callback)).text == "Hello"
            await agent.services.background.drain()
    assert heard[0] == "start"
    assert heard[-1] == "finish"
    assert "late" in caplog.text
    assert "at once" in caplog.text


def test_a_listener_stands_beside_the_reader():
    read, heard = [], []
    run: Any = SimpleNamespace(run_id="r", push=lambda chunk: read.append(chunk) or True)
    listen(run, heard.append)
    assert run.push("chunk") is True
    assert read == heard == ["chunk"]
