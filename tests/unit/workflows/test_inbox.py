"""Events that are sent to a run: kept in order, taken once, and none comes at a moment in which nobody looks."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from mastra import Workflow
from mastra.errors import InvalidInput, RunMissing
from mastra.runtime.clock import SYSTEM_CLOCK
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Expect, Order, Put
from mastra.workflows.inbox import Inbox, Outbox, RunEvent, StoredInbox
from mastra.workflows.tables import EVENTS, RUNS
from mastra.workflows.worker import Worker


class Parking(MemoryStorage):
    """Storage that says when a run is about to be parked, before it is."""

    def __init__(self):
        super().__init__()
        self.before_parking = []

    async def write(self, batch):
        parks = any(
            isinstance(one, Put) and one.table == RUNS and one.value["status"] == "waiting" and not one.value["owner"]
            for one in batch
        )
        if parks and any(isinstance(one, Expect) and one.where and "token" in one.where for one in batch):
            while self.before_parking:
                await self.before_parking.pop(0)()
        await super().write(batch)


@asynccontextmanager
async def application(storage, workflow):
    services = Services(storage=storage)
    worker = services.workflow_worker = Worker(services, tick_s=0.02)
    workflow.bind(services)
    yield worker
    await worker.stop(grace_s=0.1)


@pytest.mark.parametrize("seconds", [None, 3_600])
@pytest.mark.parametrize("count", [1, 3])
async def test_an_event_that_comes_while_the_run_is_being_parked_wakes_it(seconds, count):
    storage = Parking()
    flow = Workflow("late")
    for _ in range(count):
        flow = flow.wait_for_event("go", timeout=seconds)
    flow = flow.commit()
    async with application(storage, flow):
        storage.before_parking = [lambda n=n: flow.send_event("r1", "go", n) for n in range(count)]
        run = await flow.create_run("r1")
        await run.start_async({})
        async with asyncio.timeout(10):
            result = await run.wait()
        assert (result.status, result.result) == ("success", count - 1)
        assert await storage.count(EVENTS) == 0


async def test_two_waits_side_by_side_are_both_woken_by_events_that_come_late():
    storage = Parking()
    flow = (
        Workflow("pair").parallel([Workflow(name).wait_for_event(name).commit() for name in ("left", "right")]).commit()
    )
    async with application(storage, flow):
        storage.before_parking = [lambda: flow.send_event("r1", "left", 1), lambda: flow.send_event("r1", "right", 2)]
        run = await flow.create_run("r1")
        await run.start_async({})
        async with asyncio.timeout(10):
            result = await run.wait()
        assert result.result == {"left": 1, "right": 2}


async def test_events_are_taken_in_the_order_they_came_and_once():
    storage = MemoryStorage()
    await storage.write([Put(RUNS, "w/r", {"status": "running", "runId": "r", "owner": "o", "rev": 1})])
    for n in range(12):
        assert await Outbox(storage, SYSTEM_CLOCK).send("w/r", "go", n) is False
    inbox = StoredInbox(storage, "w/r")
    assert [await inbox.next("go") for _ in range(12)] == [RunEvent("go", n, f"w/r/go/{n + 1:010d}") for n in range(12)]
    assert await inbox.next("go") is None
    # Another owner, after a crash: nothing was recorded, so all of them are there.
    assert await StoredInbox(storage, "w/r").next("go") == RunEvent("go", 0, "w/r/go/0000000001")
    assert len((await storage.scan(EVENTS, {"inbox": "w/r/go"}, order=Order("n"))).records) == 12


async def test_a_run_that_is_unknown_or_over_takes_no_events():
    storage = MemoryStorage()
    with pytest.raises(RunMissing):
        await Outbox(storage, SYSTEM_CLOCK).send("w/r", "go", 1)
    await storage.write([Put(RUNS, "w/r", {"status": "success", "runId": "r", "owner": None, "rev": 1})])
    with pytest.raises(InvalidInput, match="ended as success"):
        await Outbox(storage, SYSTEM_CLOCK).send("w/r", "go", 1)
    assert await storage.count(EVENTS) == 0


async def test_who_waits_in_memory_is_woken_by_what_is_put():
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.wait(SYSTEM_CLOCK, 30))
    await asyncio.sleep(0)
    await inbox.put("go", 1)
    async with asyncio.timeout(10):
        await waiting
    assert await inbox.next("go") == RunEvent("go", 1)
    assert await inbox.next("go") is None


async def test_a_run_that_is_cancelled_while_it_is_being_parked_is_cancelled():
    storage = Parking()
    flow = Workflow("late").wait_for_event("go").commit()
    async with application(storage, flow):
        run = await flow.create_run("r1")
        stopping = []

        async def stop():
            stopping.append(asyncio.ensure_future(run.cancel()))
            await asyncio.sleep(0.01)

        storage.before_parking = [stop]
        await run.start_async({})
        async with asyncio.timeout(10):
            while not stopping:  # noqa: ASYNC110 - the storage is asked from within a write
                await asyncio.sleep(0.005)
            await stopping[0]
        assert (await flow.get_run("r1")).status == "canceled"
        assert await storage.count(RUNS, {"status": "canceled"}) == 1


class Counted(MemoryStorage):
    """Storage that counts its writes and the rows of its scans."""

    def __init__(self):
        super().__init__()
        self.writes = self.rows = 0

    async def write(self, batch):
        self.writes += 1
        await asyncio.sleep(0)
        await super().write(batch)

    async def scan(self, table, *arguments, **options):
        page = await super().scan(table, *arguments, **options)
        self.rows += len(page.records) if table == EVENTS else 0
        return page


async def test_events_that_are_sent_at_once_are_stored_together_in_order_and_taken_without_reading_them_again():
    storage = Counted()
    flow = Workflow("many")
    for _ in range(300):
        flow = flow.wait_for_event("go")
    flow = flow.commit()
    async with application(storage, flow):
        run = await flow.create_run("r1", persist=True)
        before = storage.writes
        await asyncio.gather(*(flow.send_event("r1", "go", n) for n in range(300)))
        assert storage.writes - before <= 5
        await run.start({})
        stored = (await flow.get_run("r1")).state.records
        assert [one.output for one in stored.values()] == list(range(300))
        assert storage.rows < 1_000


async def test_one_that_cannot_be_stored_or_was_given_up_takes_no_other_along():
    storage = MemoryStorage()
    await storage.write([Put(RUNS, "w/r", {"status": "running", "runId": "r", "owner": "o", "rev": 1})])
    outbox = Outbox(storage, SYSTEM_CLOCK)
    sent = [asyncio.ensure_future(outbox.send("w/r", "go", data)) for data in (1, "\0", 2, 3)]
    await asyncio.sleep(0)
    sent[3].cancel()
    found = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(one) for one in found] == [bool, InvalidInput, bool, asyncio.CancelledError]
    rows = await storage.scan(EVENTS, {"inbox": "w/r/go"}, order=Order("n"))
    assert [row.value["data"] for row in rows.records] == [1, 2]


async def test_senders_in_two_processes_lose_nothing_and_keep_their_own_order():
    storage = Counted()
    await storage.write([Put(RUNS, "w/r", {"status": "running", "runId": "r", "owner": "o", "rev": 1})])
    boxes = [Outbox(storage, SYSTEM_CLOCK) for _ in range(2)]

    async def lane(box, name):
        for n in range(40):
            await boxes[box].send("w/r", "go", [name, n])

    await asyncio.gather(*(lane(number % 2, number) for number in range(6)))
    rows = await storage.scan(EVENTS, {"inbox": "w/r/go"}, order=Order("n"), limit=1_000)
    assert [row.value["n"] for row in rows.records] == list(range(1, 241))
    for name in range(6):
        assert [row.value["data"][1] for row in rows.records if row.value["data"][0] == name] == list(range(40))
