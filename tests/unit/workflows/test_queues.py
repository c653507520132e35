"""Queues start runs by priority and never more than their limits allow."""

import asyncio

import pytest

from mastra import Workflow, step
from mastra.errors import BadDefinition, InvalidInput
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put
from mastra.workflows.queues import ITEMS, Limits, Queue
from mastra.workflows.worker import Worker


class Office:
    def __init__(self):
        self.begun, self.at_work, self.most = [], [], 0
        self.gates = {}
        self.services = Services(storage=MemoryStorage())
        self.services.workflow_worker = Worker(self.services, tick_s=0.02)

        @step(id="work")
        async def work(value: dict) -> dict:
            self.begun.append(value["n"])
            self.at_work.append(value["n"])
            self.most = max(self.most, len(self.at_work))
            await asyncio.sleep(0.002)
            self.at_work.remove(value["n"])
            if value.get("fails"):
                raise ValueError("no")
            return value

        self.workflow = Workflow("job").then(work).commit()
        self.workflow.bind(self.services)

    async def until_empty(self, queue):
        for _ in range(500):
            await queue.dispatch()
            if not await queue._items("waiting") and not await queue._items("started"):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the queue does not empty")


@pytest.fixture
async def office():
    made = Office()
    yield made
    await made.services.background.settle()
    await made.services.workflow_worker.stop(grace_s=0)


async def test_higher_priority_goes_first_and_one_at_a_time(office):
    queue = Queue(office.services, "q", Limits(concurrency=1))
    async with queue._lock:
        for number, priority in ((1, 0), (2, 5), (3, 0), (4, 9)):
            await queue.put("job", {"n": number}, priority=priority)
    await office.until_empty(queue)
    assert office.begun == [4, 2, 1, 3]
    assert office.most == 1


async def test_a_key_has_its_own_limit(office):
    queue = Queue(office.services, "q", Limits(per_key=1))
    for number in range(6):
        await queue.put("job", {"n": number}, key=f"k{number % 2}")
    await office.until_empty(queue)
    assert sorted(office.begun) == list(range(6))
    assert office.most <= 2


async def test_a_rate_holds_back_what_comes_too_fast(office):
    queue = Queue(office.services, "q", Limits(rate=2, period_s=3600))
    for number in range(5):
        await queue.put("job", {"n": number})
    for _ in range(20):
        await queue.dispatch()
        await asyncio.sleep(0.002)
    assert len(office.begun) == 2
    assert await queue.size() == 3


async def test_debounce_keeps_the_last_call_only(office):
    queue = Queue(office.services, "q")
    async with queue._lock:
        for number in range(3):
            await queue.put("job", {"n": number}, debounce="same", debounce_s=0.01)
    await office.until_empty(queue)
    assert office.begun == [2]


async def test_failed_runs_are_listed_as_dead_letters(office):
    queue = Queue(office.services, "q")
    run_id = await queue.put("job", {"n": 1, "fails": True})
    await office.until_empty(queue)
    assert [one["runId"] for one in await queue.dead_letters()] == [run_id]
    await queue.drop(run_id)
    assert await queue.dead_letters() == []


async def test_a_key_that_is_busy_does_not_hold_back_the_others(office):
    queue = Queue(office.services, "q", Limits(per_key=1))
    async with queue._lock:
        for number in range(230):
            await queue.put("job", {"n": number}, key="busy")
        await queue.put("job", {"n": 1_000}, key="free")
    await queue.dispatch()
    await office.services.background.settle()
    assert office.begun[:2] == [0, 1_000]


async def test_a_limit_holds_however_many_are_at_work(office):
    over = asyncio.Event()

    @step(id="hold")
    async def hold(value: dict) -> dict:
        office.at_work.append(value["n"])
        await over.wait()
        return value

    held = Workflow("held").then(hold).commit()
    held.bind(office.services)
    queue = Queue(office.services, "q", Limits(concurrency=210))
    async with queue._lock:
        for number in range(230):
            await queue.put("held", {"n": number})
    for _ in range(3):
        await queue.dispatch()
        await asyncio.sleep(0.01)
    assert len(office.at_work) == 210
    over.set()
    await office.until_empty(queue)
    assert len(office.at_work) == 230


async def test_what_this_process_does_not_have_or_what_cannot_start_holds_nothing_up(office):
    queue = Queue(office.services, "q", Limits(concurrency=1))
    typed = Workflow("typed", input=int).then(lambda n: n).commit()
    typed.bind(office.services)
    async with queue._lock:
        lost = await queue.put("typed", 1, priority=9)
        bad = await queue.put("typed", 1, priority=8)
        await queue.put("job", {"n": 1})
    for run_id, changes in ((lost, {"workflow": "elsewhere"}), (bad, {"input": "no number"})):
        row = await queue.storage.get(ITEMS, f"q/{run_id}") or {}
        await queue.storage.write([Put(ITEMS, f"q/{run_id}", {**row, **changes})])
    for _ in range(100):
        await queue.dispatch()
        await asyncio.sleep(0.005)
        if office.begun:
            break
    assert office.begun == [1]
    assert [one["runId"] for one in await queue.dead_letters()] == [bad]
    assert await queue.size() == 1


async def test_debounce_replaces_what_waits_whatever_failed_before(office):
    queue = Queue(office.services, "q")
    for number in range(12):
        await queue.put("job", {"n": number, "fails": True}, debounce="same")
        await office.until_empty(queue)
    assert len(await queue.dead_letters()) == 12
    async with queue._lock:
        for number in range(20, 23):
            await queue.put("job", {"n": number}, debounce="same", debounce_s=0.01)
        assert await queue.size() == 1
    await office.until_empty(queue)
    assert office.begun[12:] == [22]


async def test_what_cannot_be_queued_is_refused(office):
    queue = Queue(office.services, "q")
    typed = Workflow("typed", input=int).then(lambda n: n).commit()
    typed.bind(office.services)
    with pytest.raises(InvalidInput):
        await queue.put("typed", {"not": "a number"})
    assert await queue.size() == 0
    with pytest.raises(InvalidInput, match="no workflow"):
        await queue.put("nobody", {})
    with pytest.raises(BadDefinition):
        Limits(concurrency=0)
