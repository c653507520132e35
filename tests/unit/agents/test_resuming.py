import asyncio
from datetime import timedelta

import pytest

from mastra import Agent, create_tool, tool
from mastra.agents.waiting import RUNS
from mastra.errors import ApprovalInvalid, InvalidInput
from mastra.providers.scripted import Call, ScriptedModel
from mastra.registry import open_url
from mastra.runtime.clock import SystemClock
from mastra.runtime.services import Services
from mastra.types.prompt import ToolMessage
from mastra.types.records import Put


class HandClock:
    def __init__(self):
        self.offset = timedelta()
        self.system = SystemClock()

    def now(self):
        return self.system.now() + self.offset

    def monotonic(self):
        return self.system.monotonic()

    async def sleep(self, seconds):
        raise AssertionError("nobody sleeps here")


class Desk:
    """An agent whose tools note what really ran."""

    def __init__(self, *lines, clock=None, storage="memory:", delegate=False):
        self.ran = []
        desk = self

        @tool(require_approval=True)
        async def delete(id: str) -> str:
            """Delete a record."""
            desk.ran.append(f"delete {id}")
            return f"deleted {id}"

        @tool
        async def read(id: str) -> str:
            """Read a record."""
            desk.ran.append(f"read {id}")
            return f"content of {id}"

        async def ask(arguments, context):
            if context.resume_data is None:
                context.suspend({"question": arguments["question"]})
            desk.ran.append("ask")
            return context.resume_data["answer"]

        human = create_tool(
            "ask",
            description="Ask a person.",
            input={"question": str},
            resume={"answer": str},
            execute=ask,
        )
        self.model = ScriptedModel(list(lines))
        self.services = Services(storage=open_url("mastra.storage", storage), clock=clock or HandClock())
        if delegate:
            child = Agent("child", description="Deletes records.", model=self.model, tools=[delete, read, human])
            self.agent = Agent("boss", model=self.model, agents=[child]).bind(self.services)
        else:
            self.agent = Agent("desk", model=self.model, tools=[delete, read, human]).bind(self.services)

    async def finish(self, stream):
        async with stream as run:
            kinds = [chunk.type async for chunk in run]
            return await run.result(), kinds


TWO = [Call("delete", {"id": "1"}, "c1"), Call("read", {"id": "2"}, "c2"), Call("delete", {"id": "3"}, "c3")]


async def test_nothing_runs_before_the_approval_and_everything_after_it():
    desk = Desk(Call("delete", {"id": "1"}, "c1"), "done")
    result = await desk.agent.generate("go")
    assert (result.finish_reason, desk.ran) == ("suspended", [])
    assert result.suspend_payload["args"] == {"id": "1"}
    result, _ = await desk.finish(desk.agent.approve(result.run_id))
    assert (result.text, desk.ran) == ("done", ["delete 1"])


async def test_all_waiting_calls_are_collected_and_finished_siblings_never_run_again():
    desk = Desk(TWO, "done")
    first = await desk.agent.generate("go", run_id="r")
    assert [one["toolCallId"] for one in first.pending] == ["c1", "c3"]
    assert desk.ran == ["read 2"]
    with pytest.raises(ApprovalInvalid, match="2 calls"):
        await desk.agent.approve("r").result()
    second, kinds = await desk.finish(desk.agent.approve("r", "c3"))
    assert second.finish_reason == "suspended"
    assert kinds == ["tool-result", "tool-call-approval"]
    third, kinds = await desk.finish(desk.agent.decline("r", "c1", "not that one"))
    assert kinds[0] == "tool-output-denied"
    assert third.text == "done"
    assert desk.ran == ["read 2", "delete 3"]
    heard = next(message for message in desk.model.requests[-1].messages if isinstance(message, ToolMessage))
    assert [part.output for part in heard.parts] == ["not that one", "content of 2", "deleted 3"]


async def test_an_approval_is_used_once():
    desk = Desk(Call("delete", {"id": "1"}, "c1"), "done")
    await desk.agent.generate("go", run_id="r")
    await desk.finish(desk.agent.approve("r", "c1"))
    with pytest.raises(ApprovalInvalid):
        await desk.agent.approve("r", "c1").result()
    assert desk.ran == ["delete 1"]


async def test_of_many_callers_one_wins():
    desk = Desk(Call("delete", {"id": "1"}, "c1"), "done")
    await desk.agent.generate("go", run_id="r")
    answers = await asyncio.gather(*(desk.agent.approve("r").result() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(answer, ApprovalInvalid) for answer in answers) == 9
    assert desk.ran == ["delete 1"]


async def test_another_process_resumes_after_a_restart(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    before = Desk(Call("delete", {"id": "1"}, "c1"), storage=url)
    await before.agent.generate("go", run_id="r", thread="t", resource="u")
    await before.services.storage.close()
    after = Desk("done", storage=url)
    listed = await after.agent.list_suspended(thread="t")
    assert listed["total"] == 1
    assert listed["runs"][0]["toolCalls"] == [
        {"toolCallId": "c1", "toolName": "delete", "args": {"id": "1"}, "requiresApproval": True}
    ]
    result, _ = await after.finish(after.agent.approve("r", "c1"))
    assert (result.text, after.ran, before.ran) == ("done", ["delete 1"], [])
    assert result.usage.output_tokens > 1
    assert (await after.agent.list_suspended())["total"] == 0
    await after.services.storage.close()


async def test_a_request_expires():
    clock = HandClock()
    desk = Desk(Call("delete", {"id": "1"}, "c1"), clock=clock)
    await desk.agent.generate("go", run_id="r", approval_ttl_s=60)
    clock.offset = timedelta(seconds=61)
    with pytest.raises(ApprovalInvalid, match="expired"):
        await desk.agent.approve("r").result()
    assert desk.ran == []


async def test_an_approval_is_bound_to_the_arguments():
    desk = Desk(Call("delete", {"id": "1"}, "c1"))
    await desk.agent.generate("go", run_id="r")
    row = await desk.services.storage.get(RUNS, "r")
    row["step"]["calls"][0]["arguments"] = {"id": "everything"}
    await desk.services.storage.write([Put(RUNS, "r", row)])
    with pytest.raises(ApprovalInvalid, match="arguments"):
        await desk.agent.approve("r").result()
    assert desk.ran == []


async def test_a_suspended_tool_goes_on_with_data_that_fits_its_schema():
    desk = Desk(Call("ask", {"question": "sure?"}, "c1"), "ok")
    first = await desk.agent.generate("go", run_id="r")
    assert first.suspend_payload["suspendPayload"] == {"question": "sure?"}
    with pytest.raises(InvalidInput):
        await desk.agent.resume({"answer": 3}, run_id="r").result()
    result, _ = await desk.finish(desk.agent.resume({"answer": "yes"}, run_id="r"))
    assert result.text == "ok"
    assert result.tool_results[0]["result"] == "yes"


async def test_only_the_owner_may_answer():
    desk = Desk(Call("delete", {"id": "1"}, "c1"))
    await desk.agent.generate("go", run_id="r", thread="t", resource="alice")
    with pytest.raises(ApprovalInvalid):
        await desk.agent.approve("r", resource="mallory").result()
    assert (await desk.agent.list_suspended(resource="mallory"))["total"] == 0
    assert desk.ran == []


async def test_unknown_runs_and_calls_are_refused():
    desk = Desk(Call("delete", {"id": "1"}, "c1"))
    await desk.agent.generate("go", run_id="r")
    with pytest.raises(ApprovalInvalid):
        await desk.agent.approve("nobody").result()
    with pytest.raises(ApprovalInvalid, match="c1"):
        await desk.agent.approve("r", "c2").result()


async def test_a_sub_agent_cannot_lose_the_gate():
    desk = Desk(Call("agent-child", {"prompt": "delete 1"}, "p1"), Call("delete", {"id": "1"}, "c1"), "gone", "done",
                delegate=True)  # fmt: skip
    first = await desk.agent.generate("go", run_id="r")
    assert (first.finish_reason, desk.ran) == ("suspended", [])
    result, _ = await desk.finish(desk.agent.approve("r", "c1"))
    assert (result.text, desk.ran) == ("done", ["delete 1"])


async def test_declining_a_call_of_a_sub_agent_reaches_its_model():
    desk = Desk(Call("agent-child", {"prompt": "delete 1"}, "p1"), Call("delete", {"id": "1"}, "c1"), "not", "done",
                delegate=True)  # fmt: skip
    await desk.agent.generate("go", run_id="r")
    result, _ = await desk.finish(desk.agent.decline("r", "p1", "never"))
    assert (result.text, desk.ran) == ("done", [])
    assert desk.model.requests[2].messages[-1].parts[0].output == "never"


@pytest.mark.parametrize("rule", [True, lambda args, context: args["id"] == "2"])
async def test_the_run_may_ask_for_approval_of_any_tool(rule):
    desk = Desk(Call("read", {"id": "2"}, "c1"), "done")
    result = await desk.agent.generate("go", require_tool_approval=rule)
    assert (result.finish_reason, desk.ran) == ("suspended", [])


async def test_nobody_is_asked_about_a_call_that_could_not_run():
    desk = Desk(Call("delete", {"id": 3}, "c1"), "sorry")
    assert (await desk.agent.generate("go")).text == "sorry"


async def test_a_storage_that_fails_announces_nothing():
    desk = Desk(Call("delete", {"id": "1"}, "c1"))

    async def broken(batch):
        raise RuntimeError("disk full")

    desk.services.storage.write = broken
    async with desk.agent.stream("go") as run:
        kinds = [chunk.type async for chunk in run]
    assert "tool-call-approval" not in kinds
    assert "error" in kinds
