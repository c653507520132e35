from types import SimpleNamespace
from typing import Any

import pytest

from mastra import Agent
from mastra.agents.recording import AFTERWARDS, record
from mastra.providers.scripted import ScriptedModel


class Kept:
    def __init__(self):
        self.calls: list[dict[str, Any]] = []

    async def record(self, **given):
        self.calls.append(given)


async def a_run(**changes) -> tuple[Any, Kept]:
    memory = Kept()
    run: Any = await Agent("a", model=ScriptedModel(["x"])).begin("hi", {"thread": "t", "resource": "u", "run_id": "r"})
    run.plan = run.plan._replace(memory=memory)
    run.parts.append({"type": "text", "text": "hello"})
    run.steps.append(SimpleNamespace())
    for name, value in changes.items():
        setattr(run, name, value)
    return run, memory


async def test_a_step_is_kept_under_its_number_and_what_comes_later_under_one_of_its_own():
    run, memory = await a_run(carried=2)
    await record(run)
    await record(run, step=AFTERWARDS + 1)
    assert [call["step"] for call in memory.calls] == [3, AFTERWARDS + 1]
    assert {(call["thread_id"], call["resource_id"], call["run_id"]) for call in memory.calls} == {("t", "u", "r")}
    assert [message.text for message in memory.calls[0]["messages"]] == ["hello"]


@pytest.mark.parametrize("changes", [{"thread_id": None}, {"parts": []}])
async def test_without_a_thread_or_an_answer_nothing_is_kept(changes):
    run, memory = await a_run(**changes)
    await record(run)
    assert memory.calls == []


async def test_a_run_that_only_reads_keeps_nothing():
    run, memory = await a_run()
    run.options = run.options._replace(read_only=True)
    await record(run)
    assert memory.calls == []
