"""Two requests at once on one thread, by the policy of the agent's memory."""

import asyncio

import pytest

from mastra import Agent, Memory, tool
from mastra.errors import Aborted, Conflict
from mastra.memory.options import SemanticRecall
from mastra.memory.tables import MESSAGES, THREADS
from mastra.memory.turns import TURNS
from mastra.providers.scripted import Call, ScriptedModel
from mastra.storage.memory import MemoryStorage
from mastra.types.prompt import SystemMessage
from mastra.types.records import Put


class Office:
    """An agent whose tool waits until it is let go, so that a second request comes while the first one runs."""

    def __init__(self, policy, *lines, storage=None):
        self.inside, self.go = asyncio.Event(), asyncio.Event()
        self.order = []

        @tool
        async def wait() -> str:
            """Wait."""
            self.order.append("in")
            self.inside.set()
            await self.go.wait()
            self.order.append("out")
            return "done"

        self.memory = Memory(storage=storage or MemoryStorage(), concurrency=policy)
        self.model = ScriptedModel(list(lines) or [Call("wait", {}, "c1"), "first", "second", "third"])
        self.agent = Agent("a", model=self.model, memory=self.memory, tools=[wait])

    def ask(self, text):
        async def run():
            return await self.agent.generate(text, thread="t", resource="ada")

        return asyncio.create_task(run())

    async def texts(self, thread="t"):
        page = await self.memory.list_messages(thread, resource_id="ada", per_page=None)
        return [message.text for message in page.messages]


async def spin():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_queued_requests_answer_one_after_the_other():
    assert Memory().concurrency == "queue", "the default"
    office = Office("queue")
    first = office.ask("one")
    await office.inside.wait()
    second = office.ask("two")
    await spin()
    assert not second.done()
    assert len(office.model.requests) == 1, "the second waits before it reads the history"
    office.go.set()
    assert [(await first).text, (await second).text] == ["first", "second"]
    assert await office.texts() == ["one", "first", "two", "second"]
    assert len(office.model.requests[2].messages) > 3, "the second has read what the first one said"
    assert await office.memory.threads.storage.get(TURNS, "t") is None


async def test_without_a_policy_nobody_waits_and_nothing_is_written_for_turns():
    office = Office(None, Call("wait", {}, "c1"), "second", "first")
    first = office.ask("one")
    await office.inside.wait()
    assert (await office.ask("two")).text == "second"
    assert await office.memory.threads.storage.get(TURNS, "t") is None
    office.go.set()
    assert (await first).text == "first"


async def test_the_second_is_refused_and_leaves_no_trace():
    office = Office("reject")
    first = office.ask("one")
    await office.inside.wait()
    with pytest.raises(Conflict):
        await office.ask("two")
    office.go.set()
    assert (await first).text == "first"
    assert await office.texts() == ["one", "first"]


async def test_the_newer_interrupts_the_older_and_not_its_callers_task():
    office = Office("interrupt", Call("wait", {}, "c1"), "second")

    async def caller():
        with pytest.raises(Aborted):
            await office.agent.generate("one", thread="t", resource="ada")
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    older = asyncio.create_task(caller())
    await office.inside.wait()
    assert (await office.ask("two")).text == "second"
    assert await older == 0
    assert office.order == ["in"]
    assert await office.memory.threads.storage.get(TURNS, "t") is None


async def test_a_cancellation_from_outside_stays_one():
    office = Office("interrupt")
    first = office.ask("one")
    await office.inside.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await office.memory.threads.storage.get(TURNS, "t") is None


async def test_the_newer_answers_on_a_copy():
    office = Office("fork", Call("wait", {}, "c1"), "second", "first")
    first = office.ask("one")
    await office.inside.wait()
    copy = await office.ask("two")
    assert copy.text == "second"
    office.go.set()
    assert (await first).text == "first"
    assert await office.texts() == ["one", "first"]
    page = await office.memory.list_threads(resource_id="ada")
    [other] = [thread.id for thread in page.threads if thread.id != "t"]
    assert {message.thread_id for message in copy.messages} == {other}
    assert (await office.texts(other))[-2:] == ["two", "second"]


async def test_two_processes_on_one_storage_wait_for_each_other():
    storage = MemoryStorage()
    office, elsewhere = Office("queue", storage=storage), Office("reject", "never", storage=storage)
    first = office.ask("one")
    await office.inside.wait()
    with pytest.raises(Conflict):
        await elsewhere.ask("two")
    office.go.set()
    assert (await first).text == "first"


async def test_a_sub_agent_on_its_callers_thread_speaks_in_its_turn():
    memory = Memory(storage=MemoryStorage(), concurrency="queue")
    child = Agent("child", description="Helps.", model=ScriptedModel(["help"]), memory=memory)
    model = ScriptedModel([Call("agent-child", {"prompt": "Help"}, "c1"), "helped"])
    agent = Agent("a", model=model, memory=memory, agents=[child])
    run = agent.generate("one", thread="t", resource="ada", delegation={"memory": "shared"})
    async with asyncio.timeout(5):
        assert (await run).text == "helped"


async def test_a_tool_that_asks_its_own_agent_on_the_same_thread_does_not_wait_for_itself():
    @tool
    async def think() -> str:
        """Ask again."""
        return (await agent.generate("inner", thread="t", resource="ada")).text

    @tool
    def think_aloud() -> str:
        """Ask again, from a thread without a loop."""
        return agent.generate_sync("inner", thread="t", resource="ada").text

    calls = [Call("think", {}, "c1"), "one", Call("think_aloud", {}, "c2"), "two", "three"]
    agent = Agent("a", model=ScriptedModel(calls), memory=Memory(), tools=[think, think_aloud])
    async with asyncio.timeout(5):
        assert (await agent.generate("outer", thread="t", resource="ada")).text == "three"


class Counting(MemoryStorage):
    """Counts the waits for storage: calls that are made side by side are one."""

    def __init__(self):
        super().__init__()
        self.waits, self.written, self._under_way = 0, [], 0

    async def _counted(self, call, *arguments, **options):
        self.waits += self._under_way == 0
        self._under_way += 1
        try:
            # Long enough for all that is asked side by side, as every way to a database is.
            for _ in range(9):
                await asyncio.sleep(0)
            return await call(*arguments, **options)
        finally:
            self._under_way -= 1

    async def get(self, table, key):
        return await self._counted(super().get, table, key)

    async def get_many(self, table, keys):
        return await self._counted(super().get_many, table, keys)

    async def scan(self, *arguments, **options):
        return await self._counted(super().scan, *arguments, **options)

    async def write(self, batch):
        self.written.append([operation.table.name for operation in batch])
        await self._counted(super().write, batch)


async def asked(storage, memory, text):
    """How often storage was waited for before the model was asked, and in all; and the texts the model was sent."""
    storage.waits, storage.written = 0, []
    before, seen = [], []

    def answer(request):
        before.append(storage.waits)
        said = [message for message in request.messages if not isinstance(message, SystemMessage)]
        seen.extend(part.text for message in said for part in message.parts)
        return f"answer to {text}"

    agent = Agent("a", model=ScriptedModel([answer]), memory=memory)
    await agent.generate(text, thread="t", resource="ada")
    return before[0], storage.waits, seen


async def test_a_turn_waits_for_storage_twice_before_the_model_and_once_after_the_step():
    storage = Counting()
    memory = Memory(storage=storage)
    await memory.open()
    await memory.settle()
    for text in ("one", "two", "three"):
        before, waits, _ = await asked(storage, memory, text)
        assert (before, waits) == (2, 3)
        assert [TURNS.name in tables for tables in storage.written] == [True, True], "taken and given back on the way"
        assert all({THREADS.name, MESSAGES.name} <= set(tables) for tables in storage.written)
    assert await storage.get(TURNS, "t") is None
    # Another process reads once more on a thread that it has not seen.
    stranger = Memory(storage=storage)
    await stranger.open()
    await stranger.settle()
    assert (await asked(storage, stranger, "four"))[:2] == (3, 4)
    assert (await asked(storage, stranger, "five"))[:2] == (2, 3)


async def test_semantic_recall_waits_for_storage_no_more_often():
    storage = Counting()
    memory = Memory(storage=storage, last_messages=2, semantic_recall=SemanticRecall(top_k=1), working_memory=True)
    await asked(storage, memory, "the zebra in the garden")
    await memory.settle()
    for text in ("one", "two", "three"):
        await asked(storage, memory, text)
        await memory.settle()
    before, waits, seen = await asked(storage, memory, "what did the zebra do")
    await memory.settle()
    assert "the zebra in the garden" in seen
    assert (before, waits) == (2, 3)
    # What another process embeds is found, too; the turn that finds it reads once more.
    stranger = Memory(storage=storage, last_messages=2, semantic_recall=SemanticRecall(top_k=1))
    await asked(storage, stranger, "the walrus on the roof")
    await stranger.settle()
    for text in ("four", "five"):
        await asked(storage, stranger, text)
        await stranger.settle()
    assert "the walrus on the roof" in (await asked(storage, memory, "what did the walrus do"))[2]


async def test_what_another_process_says_between_reading_and_writing_is_seen():
    storage = Counting()
    memory, other = Memory(storage=storage), Memory(storage=storage)
    await asked(storage, memory, "one")
    await asked(storage, other, "two")
    plain_write, met = storage.write, []

    async def write(batch):
        if not met:
            met.append(True)
            await asked(storage, other, "between")
        await plain_write(batch)

    storage.write = write
    _, _, seen = await asked(storage, memory, "three")
    assert seen == ["one", "answer to one", "two", "answer to two", "between", "answer to between", "three"]
    assert await storage.get(TURNS, "t") is None


async def test_a_lease_that_ended_under_a_run_does_not_cost_its_answer():
    storage = MemoryStorage()
    memory = Memory(storage=storage)

    async def answer():
        await storage.write([Put(TURNS, "t", {"token": "another", "until": "2999-01-01T00:00:00.000Z"})])
        return "late"

    @tool
    async def slow() -> str:
        """Take longer than the lease."""
        return await answer()

    agent = Agent("a", model=ScriptedModel([Call("slow", {}, "c1"), "said"]), memory=memory, tools=[slow])
    await agent.generate("one", thread="t", resource="ada")
    page = await memory.list_messages("t", resource_id="ada")
    assert [message.text for message in page.messages] == ["one", "said"]
    assert await storage.get(TURNS, "t") == {"token": "another", "until": "2999-01-01T00:00:00.000Z"}
