"""Background tasks of a process that has died: taken up where that is safe, ended with a word where it is not."""

from __future__ import annotations

import pytest

from mastra import Agent, Memory, tool
from mastra.agents.takeover import HOLDERS, MOST_TAKEOVERS, Holder, is_abandoned
from mastra.agents.tasks import TASKS, Tasks
from mastra.errors import InvalidInput, NotFound, NotSuspended
from mastra.providers.scripted import Call, ScriptedModel
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.testing.clock import HandClock
from mastra.tools.context import ToolContext
from mastra.types.records import Put


class Machine:
    """Processes over one storage: each has its own services and agent."""

    def __init__(self):
        self.storage = MemoryStorage()
        self.clock = HandClock()
        self.ran: list[str] = []

    def process(self, *, idempotent=False, script=()):
        ran = self.ran

        @tool(background=True, idempotent=idempotent)
        async def report(topic: str, context: ToolContext) -> str:
            """Writes a report."""
            ran.append(f"{topic} for {context.resource_id} by {context.request_context.get('plan')}")
            return f"about {topic}"

        @tool(background=True, resume={"colour": str})
        async def paint(context: ToolContext) -> str:
            """Paints when it knows the colour."""
            if context.resume_data is None:
                context.suspend({"ask": "colour"})
            return f"painted {context.resume_data['colour']}"

        services = Services(storage=self.storage, clock=self.clock)
        model = ScriptedModel(list(script))
        agent = Agent("a", model=model, memory=Memory(), tools=[report, paint]).bind(services)
        services.agents["a"] = agent
        return agent, Tasks.of(services)

    async def begun(self, call, **options):
        """A task that a process has begun, as it was when that process died."""
        agent, tasks = self.process(script=[call, "I have begun."], **options)
        context = {"plan": "gold", "object": object()}
        await agent.generate("go", thread="t", resource="u", run_id="r", request_context=context)
        await tasks.settle()
        await tasks.close()
        (task,) = (await tasks.list())["tasks"]
        self.ran.clear()
        return task

    async def dies(self, task, status):
        row = await self.storage.get(TASKS, task["id"])
        left = {key: value for key, value in row.items() if key not in ("result", "completedAt")}
        await self.storage.write([Put(TASKS, task["id"], {**left, "status": status})])
        memory = self.process()[0].memory
        (message,) = [one for one in (await memory.list_messages("t")).messages if one.role == "assistant"]
        parts = [dict(part) for part in message.parts]
        for part in parts:
            if "toolInvocation" in part:
                part["toolInvocation"] = {**part["toolInvocation"], "result": "runs in the background"}
        await memory.update_messages([{"id": message.id, "content": {"parts": parts}}])

    async def in_thread(self):
        memory = self.process()[0].memory
        return [
            (part["toolInvocation"]["result"], part["toolInvocation"].get("isError", False))
            for one in (await memory.list_messages("t")).messages
            for part in one.parts
            if "toolInvocation" in part
        ]


REPORT = Call("report", {"topic": "cats"}, "c1")


@pytest.mark.parametrize(("status", "idempotent"), [("pending", False), ("running", True), ("pending", True)])
async def test_what_has_not_begun_or_may_run_twice_is_taken_up_and_its_result_joins_the_thread(status, idempotent):
    machine = Machine()
    task = await machine.begun(REPORT, idempotent=idempotent)
    await machine.dies(task, status)
    _, other = machine.process(idempotent=idempotent)
    await other.take_up()
    assert machine.ran == []  # its process may be alive
    await machine.clock.advance(31)
    await other.take_up()
    await other.settle()
    assert machine.ran == ["cats for u by gold"]
    taken = await other.get(task["id"])
    assert (taken["status"], taken["result"]) == ("completed", "about cats")
    assert await machine.in_thread() == [("about cats", False)]
    await other.close()


async def test_a_call_that_may_have_had_its_effect_is_not_run_again_and_the_model_can_read_it():
    machine = Machine()
    task = await machine.begun(REPORT)
    await machine.dies(task, "running")
    await machine.clock.advance(31)
    _, other = machine.process()
    (seen,) = (await other.list())["tasks"]
    assert seen["status"] == "timed_out"
    assert "was not run again" in seen["error"]["message"]
    assert machine.ran == []
    ((said, failed),) = await machine.in_thread()
    assert failed
    assert "was not run again" in said
    assert not {"holder", "until", "requestContext"} & seen.keys()


async def test_of_two_that_take_it_up_one_runs_it():
    machine = Machine()
    task = await machine.begun(REPORT)
    await machine.dies(task, "pending")
    await machine.clock.advance(31)
    others = [machine.process()[1] for _ in range(3)]
    for one in others:
        await one.take_up()
    for one in others:
        await one.settle()
        await one.close()
    assert machine.ran == ["cats for u by gold"]


async def test_a_task_that_brings_its_processes_down_is_left_alone():
    machine = Machine()
    task = await machine.begun(REPORT, idempotent=True)
    await machine.dies(task, "running")
    row = await machine.storage.get(TASKS, task["id"])
    await machine.storage.write([Put(TASKS, task["id"], {**row, "takeovers": MOST_TAKEOVERS})])
    await machine.clock.advance(31)
    _, other = machine.process(idempotent=True)
    assert (await other.get(task["id"]))["status"] == "timed_out"
    assert machine.ran == []


async def test_a_task_that_waits_is_answered_in_another_process_once():
    machine = Machine()
    task = await machine.begun(Call("paint", {}, "c1"))
    assert task["status"] == "suspended"
    _, other = machine.process()
    _, third = machine.process()
    with pytest.raises(InvalidInput):
        await other.resume(task["id"], {"colour": 3})
    await other.resume(task["id"], {"colour": "blue"})
    with pytest.raises(NotSuspended):
        await third.resume(task["id"], {"colour": "red"})
    await other.settle()
    assert (await third.get(task["id"]))["result"] == "painted blue"
    assert await machine.in_thread() == [("painted blue", False)]
    await other.close()


async def test_who_does_not_know_the_tool_leaves_the_task_until_its_time_is_over():
    machine = Machine()
    task = await machine.begun(REPORT)
    await machine.dies(task, "pending")
    await machine.clock.advance(31)
    stranger = Tasks(Services(storage=machine.storage, clock=machine.clock))
    assert (await stranger.get(task["id"]))["status"] == "pending"
    with pytest.raises(NotFound):
        await stranger.get("unknown")
    await machine.clock.advance(400)
    assert (await stranger.get(task["id"]))["status"] == "timed_out"


async def test_a_living_holder_shows_that_it_lives(monkeypatch):
    monkeypatch.setattr("mastra.agents.takeover.RENEW_S", 0.001)
    services = Services(storage=MemoryStorage(), clock=HandClock())
    holder, looks = Holder(services), []

    async def look_after():
        looks.append(await services.storage.get(HOLDERS, holder.id))

    holder.keep_up(lambda: len(looks) < 2, look_after)
    beat = holder._beat
    holder.keep_up(lambda: False, look_after)
    assert holder._beat is beat
    await beat
    assert len(looks) == 2
    row = {"holder": holder.id}
    assert not await is_abandoned(services, row)
    await services.clock.advance(31)
    assert await is_abandoned(services, row)
    assert await is_abandoned(services, {"holder": "never-seen"})
    await holder.stop()
