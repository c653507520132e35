import asyncio
from typing import Any

import pytest

from mastra import Agent, Mastra, Memory, ToolContext, tool
from mastra.agents.tasks import TASKS, Tasks
from mastra.agents.waiting import storage_of
from mastra.errors import BadDefinition, InvalidInput, NotFound, NotSuspended
from mastra.providers.scripted import Call, ScriptedModel
from mastra.runtime.services import Services
from mastra.testing.clock import HandClock
from mastra.types.records import Put

RUNS = []


@tool(background=True)
async def report(topic: str, context: ToolContext) -> dict:
    """Writes a long report."""
    await context.write({"status": "reading"})
    await asyncio.sleep(0.01)
    return {"about": topic}


def kinds(chunks):
    return [chunk.type for chunk in chunks if "delta" not in chunk.type and "streaming" not in chunk.type]


async def test_the_answer_does_not_wait_and_the_result_joins_the_thread():
    model = ScriptedModel([Call("report", {"topic": "cats"}, "c1"), "I have begun.", "Cats!"])
    agent = Agent("a", model=model, tools=[report], memory=Memory())
    async with Mastra(agents=[agent], storage="memory:") as app:
        result = await agent.generate("cats?", thread="t", resource="u", run_id="r")
        assert result.text == "I have begun."
        assert "runs in the background as task" in result.tool_results[0]["result"]
        tasks = Tasks.of(app.services)
        await tasks.settle()
        await app.services.background.settle()
        listed = await tasks.list(runId="r")
        (task,) = listed["tasks"]
        assert (listed["total"], task["status"], task["result"]) == (1, "completed", {"about": "cats"})
        assert task.keys() >= {"createdAt", "startedAt", "completedAt", "toolCallId", "threadId", "retryCount"}
        await agent.generate("and?", thread="t", resource="u")
    # The next time the model reads the result and no placeholder.
    seen = str(model.requests[-1].messages)
    assert "'about': 'cats'" in seen
    assert "runs in the background" not in seen


async def test_a_run_that_waits_tells_the_model_what_came():
    model = ScriptedModel([Call("report", {"topic": "cats"}, "c1"), "I have begun.", "It is about cats."])
    agent = Agent("a", model=model, tools=[report])
    async with agent.stream("cats?", until_idle=True) as run:
        chunks = [chunk async for chunk in run]
        result = await run.result()
    assert result.text == "It is about cats."
    assert kinds(chunks) == [
        "start", "step-start", "tool-call", "background-task-started", "background-task-running",
        "background-task-output", "tool-result", "step-finish", "step-start", "text-start", "text-end", "step-finish",
        "finish", "background-task-completed", "start", "step-start", "text-start", "text-end", "step-finish", "finish",
    ]  # fmt: skip
    by_type: Any = {chunk.type: chunk.payload for chunk in chunks}
    started = by_type["background-task-started"]
    assert started.keys() == {"taskId", "toolName", "toolCallId"}
    running = by_type["background-task-running"]
    assert running.keys() == {"taskId", "toolName", "toolCallId", "agentId", "runId", "startedAt", "args"}
    completed = by_type["background-task-completed"]
    assert completed.keys() == {"taskId", "toolName", "toolCallId", "agentId", "runId", "completedAt", "result"}
    told = by_type["tool-result"]["providerMetadata"]["mastra"]["backgroundTask"]
    assert told == {"taskId": started["taskId"]}
    assert "is over: its result is" in str(model.requests[-1].messages[-1])
    assert [part["toolInvocation"]["result"] for part in result.messages[-1].parts if "toolInvocation" in part] == [
        {"about": "cats"}
    ]


async def test_who_waits_no_longer_than_this_gets_the_answer_there_is():
    @tool(background=True)
    async def slow() -> str:
        """Takes long."""
        await asyncio.sleep(30)
        return ""

    agent = Agent("a", model=ScriptedModel([Call("slow", {}), "later"]), tools=[slow])
    result = await agent.generate("go", until_idle=0.02)
    assert result.text == "later"
    (task,) = (await Tasks.of(agent.services).list())["tasks"]
    assert task["status"] == "running"
    ended = await Tasks.of(agent.services).cancel(task["id"])
    assert ended["status"] == "cancelled"
    assert (await Tasks.of(agent.services).cancel(task["id"]))["status"] == "cancelled"


async def test_wrong_arguments_begin_nothing_and_a_run_may_do_without():
    agent = Agent("a", model=ScriptedModel([Call("report", {}), Call("report", {"topic": "x"}), "ok"]), tools=[report])
    result = await agent.generate("go", background=False)
    assert result.tool_results[1]["result"] == {"about": "x"}
    assert (await Tasks.of(agent.services).list())["total"] == 0
    agent = Agent("a", model=ScriptedModel([Call("report", {}), "ok"]), tools=[report])
    assert (await agent.generate("go")).tool_results[0]["isError"]
    assert (await Tasks.of(agent.services).list())["total"] == 0


async def test_failures_retries_and_time_limits_are_told():
    tries = []

    @tool(background={"retries": 2})
    async def flaky() -> str:
        """Works the third time."""
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("busy")
        return "at last"

    @tool(background={"timeout_s": 0.01})
    async def slow() -> str:
        """Takes long."""
        await asyncio.sleep(30)
        return ""

    @tool(background=True)
    async def broken() -> str:
        """Fails."""
        raise ValueError("no luck")

    calls = [Call("flaky", {}), Call("slow", {}), Call("broken", {})]
    agent = Agent("a", model=ScriptedModel([calls, "begun", "1", "2", "3"]), tools=[flaky, slow, broken])
    async with agent.stream("go", until_idle=True) as run:
        chunks = [chunk async for chunk in run]
    ends = {
        c.payload["toolName"]: c.type
        for c in chunks
        if c.type.startswith("background-task-") and "completedAt" in c.payload
    }
    assert ends == {
        "flaky": "background-task-completed",
        "slow": "background-task-failed",
        "broken": "background-task-failed",
    }
    rows = {one["toolName"]: one for one in (await Tasks.of(agent.services).list())["tasks"]}
    assert (rows["flaky"]["retryCount"], rows["flaky"]["result"]) == (2, "at last")
    assert (rows["slow"]["status"], rows["broken"]["status"]) == ("timed_out", "failed")
    assert rows["broken"]["error"] == {"message": "no luck"}


async def test_a_task_may_wait_for_somebody():
    @tool(background=True, resume={"yes": bool})
    async def ask(context: ToolContext) -> str:
        """Asks."""
        return context.suspend({"question": "really?"}) if context.resume_data is None else str(context.resume_data)

    agent = Agent("a", model=ScriptedModel([Call("ask", {}), "asked"]), tools=[ask])
    await agent.generate("go", resource="ann")
    tasks = Tasks.of(agent.services)
    await tasks.settle()
    (task,) = (await tasks.list())["tasks"]
    assert (task["status"], task["suspendPayload"]) == ("suspended", {"question": "really?"})
    with pytest.raises(NotFound):
        await tasks.resume(task["id"], {"yes": True}, resource="bob")
    with pytest.raises(InvalidInput):
        await tasks.resume(task["id"], {"no": 1})
    await tasks.resume(task["id"], {"yes": True})
    await tasks.settle()
    assert (await tasks.get(task["id"]))["result"] == "{'yes': True}"
    with pytest.raises(NotSuspended):
        await tasks.resume(task["id"], {"yes": True})


async def test_no_more_than_allowed_run_at_once_and_the_others_wait():
    running, most = 0, 0

    @tool(background=True)
    async def work() -> None:
        """Works."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    services = Services()
    services.tasks = Tasks(services, concurrency=3, per_agent=2)
    lines = [[Call("work", {}) for _ in range(6)], "ok"]
    agents = [Agent(name, model=ScriptedModel(list(lines)), tools=[work]).bind(services) for name in "ab"]
    await asyncio.gather(*(agent.generate("go") for agent in agents))
    waiting = (await services.tasks.list(status="pending"))["total"]
    assert waiting == 9
    await services.tasks.settle()
    assert most == 3
    assert (await services.tasks.list(status="completed"))["total"] == 12


async def test_a_task_whose_process_died_counts_as_lost_in_time():
    clock = HandClock()
    services = Services(clock=clock)
    agent = Agent("a", model=ScriptedModel([Call("report", {"topic": "x"}), "ok"]), tools=[report]).bind(services)
    await agent.generate("go")
    await Tasks.of(services).settle()
    (task,) = (await Tasks.of(services).list())["tasks"]
    storage = await storage_of(services)
    row: Any = await storage.get(TASKS, task["id"])
    await storage.write([Put(TASKS, task["id"], {**row, "status": "running"})])
    other = Tasks(services)
    assert (await other.get(task["id"]))["status"] == "running"
    await clock.advance(400)
    assert (await other.list())["tasks"][0]["status"] == "timed_out"


async def test_events_are_heard_by_whoever_listens_narrowed_to_what_is_wanted():
    agent = Agent("a", model=ScriptedModel([Call("report", {"topic": "x"}), "ok"]), tools=[report])
    tasks, heard, deaf = Tasks.of(agent.services), [], []

    async def listen(into, **filters):
        async for chunk in tasks.events(**filters):
            into.append(chunk.type)

    listeners = [asyncio.create_task(listen(heard, agentId="a")), asyncio.create_task(listen(deaf, agentId="b"))]
    await asyncio.sleep(0)
    await agent.generate("go")
    await tasks.settle()
    await asyncio.sleep(0.01)
    for one in listeners:
        one.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    assert heard == [f"background-task-{name}" for name in ("started", "running", "output", "completed")]
    assert deaf == []


@pytest.mark.parametrize("wrong", [{"timeout_s": 0}, {"retries": -1}, {"when": "later"}])
def test_a_background_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadDefinition):
        tool(background=wrong)(lambda: None)
    with pytest.raises(InvalidInput):
        Tasks(Services(), concurrency=0)


async def test_unknown_filters_and_tasks_are_refused():
    tasks = Tasks(Services())
    with pytest.raises(InvalidInput, match="no 'agent'"):
        await tasks.list(agent="a")
    with pytest.raises(NotFound):
        await tasks.get("nope")
