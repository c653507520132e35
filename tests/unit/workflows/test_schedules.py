"""Schedules fire once for each moment, in one process or several."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mastra import Mastra, Workflow, step
from mastra.errors import InputError, InvalidInput, MastraError, NotFound
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.workflows.schedules import Schedules
from mastra.workflows.worker import Worker

START = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)


class HandClock:
    """Time that stands still until it is moved."""

    def __init__(self):
        self.moment = START

    def now(self):
        return self.moment

    def monotonic(self):
        return self.moment.timestamp()

    async def sleep(self, seconds):
        await asyncio.Event().wait()


def application(storage, clock, calls):
    services = Services(storage=storage, clock=clock)
    services.workflow_worker = Worker(services, tick_s=3600)

    @step(id="note")
    def note(value: dict) -> dict:
        calls.append(value)
        return value

    workflow = Workflow("nightly").then(note).commit()
    workflow.bind(services)
    services.workflows["nightly"] = workflow
    return Schedules(services)


@pytest.fixture
async def office():
    storage, clock, calls = MemoryStorage(), HandClock(), []
    made = [application(storage, clock, calls) for _ in range(2)]
    yield made, clock, calls
    for one in made:
        await one.services.background.settle()
        await one.worker.stop(grace_s=0)


async def settle(schedules):
    for one in schedules:
        await one.services.background.settle()


async def test_a_moment_is_fired_by_one_process_only(office):
    schedules, clock, calls = office
    made = await schedules[0].create({"workflowId": "nightly", "cron": "* * * * *", "inputData": {"n": 1}})
    assert made["nextFireAt"] == round(datetime(2026, 1, 1, 0, 1, tzinfo=UTC).timestamp() * 1000)
    await asyncio.gather(*(one.fire() for one in schedules))
    assert calls == []
    for _ in range(3):
        clock.moment += timedelta(minutes=1)
        await asyncio.gather(*(one.fire() for one in schedules))
        await settle(schedules)
    assert calls == [{"n": 1}] * 3
    triggers = await schedules[1].triggers(made["id"])
    assert [one["outcome"] for one in triggers] == ["succeeded"] * 3


@pytest.mark.parametrize(("missed", "fired"), [("skip", 0), ("once", 1), ("all", 5)])
async def test_moments_that_nobody_was_there_for_follow_the_policy(office, missed, fired):
    schedules, clock, calls = office
    await schedules[0].create({"workflowId": "nightly", "every": 3600, "inputData": {}, "missed": missed})
    clock.moment += timedelta(hours=5, minutes=30)
    await schedules[0].fire()
    await settle(schedules)
    assert len(calls) == fired


async def test_a_single_moment_fires_once_even_when_it_is_late(office):
    schedules, clock, calls = office
    made = await schedules[0].create({"workflowId": "nightly", "at": "2026-01-01T01:00:00Z", "inputData": {}})
    clock.moment += timedelta(days=1)
    await schedules[0].fire()
    await schedules[0].fire()
    await settle(schedules)
    assert len(calls) == 1
    assert (await schedules[0].get(made["id"]))["status"] == "completed"


async def test_a_paused_schedule_does_not_fire(office):
    schedules, clock, calls = office
    made = await schedules[0].create({"workflowId": "nightly", "every": 60, "inputData": {}})
    assert (await schedules[0].pause(made["id"]))["status"] == "paused"
    clock.moment += timedelta(minutes=10)
    await schedules[0].fire()
    await schedules[0].resume(made["id"])
    await schedules[0].fire()
    assert calls == []
    clock.moment += timedelta(minutes=1)
    await schedules[0].fire()
    await settle(schedules)
    assert len(calls) == 1


async def test_a_trigger_whose_process_died_is_started_by_another(office):
    schedules, clock, calls = office
    made = await schedules[0].create({"workflowId": "nightly", "every": 60, "inputData": {}})
    begun, schedules[0]._begin = schedules[0]._begin, lambda *_: asyncio.sleep(0)
    clock.moment += timedelta(minutes=1)
    await schedules[0].fire()
    assert calls == []
    clock.moment += timedelta(seconds=10)
    await schedules[1].fire()
    await settle(schedules)
    assert len(calls) == 1
    assert begun is not None
    assert (await schedules[1].run_now(made["id"]))["triggerKind"] == "manual"


@pytest.mark.parametrize(
    "spec",
    [{}, {"workflowId": "w"}, {"workflowId": "w", "cron": "x"}, {"workflowId": "w", "every": 0},
     {"workflowId": "w", "every": 5, "cron": "* * * * *"}, {"workflowId": "w", "every": 5, "nope": 1},
     {"workflowId": "w", "agentId": "a", "every": 5}, {"workflowId": "w", "every": 5, "missed": "maybe"},
     {"workflowId": 7, "every": 5}, {"agentId": "a b", "every": 5}, {"workflowId": "w", "cron": 5},
     {"workflowId": "w", "every": float("nan")}, {"workflowId": "w", "cron": "* * * * *", "timezone": "Mars/Base"}],
)  # fmt: skip
async def test_what_is_no_schedule_is_refused(office, spec):
    with pytest.raises(InputError):
        await office[0][0].create(spec)
    with pytest.raises(NotFound):
        await office[0][0].get("nobody")


def nightly(schedule):
    return Workflow("nightly", schedule=schedule).then(lambda value: value).commit()


async def test_schedules_of_a_definition_are_added_changed_and_removed_when_an_application_opens(tmp_path):
    url = f"sqlite:///{tmp_path}/app.db"

    async def opened(schedule):
        async with Mastra(workflows=[nightly(schedule)], storage=url) as mastra:
            schedules = Schedules(mastra.services)
            return {one["id"]: one for one in await schedules.list_schedules(workflow_id="nightly")}

    first = await opened({"cron": "0 7 * * *", "timezone": "Europe/Oslo", "inputData": {"n": 1}})
    assert first["wf_nightly"]["cron"] == "0 7 * * *"
    assert await opened({"cron": "0 7 * * *", "timezone": "Europe/Oslo", "inputData": {"n": 1}}) == first
    changed = await opened({"every": 60})
    assert (changed["wf_nightly"]["every"], changed["wf_nightly"]["createdAt"]) == (
        60,
        first["wf_nightly"]["createdAt"],
    )
    assert "cron" not in changed["wf_nightly"]
    assert set(await opened([{"id": "a", "every": 5}, {"id": "b", "every": 9}])) == {"wf_nightly_a", "wf_nightly_b"}
    assert await opened(()) == {}


async def test_what_is_scheduled_fires_as_soon_as_an_application_is_open(tmp_path):
    url = f"sqlite:///{tmp_path}/app.db"
    flow = nightly(())
    async with Mastra(workflows=[flow], storage=url) as mastra:
        moment = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
        made = await Schedules(mastra.services).create({"workflowId": "nightly", "at": moment, "inputData": {"n": 1}})
    await asyncio.sleep(0.4)
    again = nightly(())
    async with Mastra(workflows=[again], storage=url):
        async with asyncio.timeout(5):
            while await again.count_runs("success") == 0:  # noqa: ASYNC110 - another task does it
                await asyncio.sleep(0.02)
    assert made["id"].startswith("schedule_")


@pytest.mark.parametrize(
    "schedule",
    [
        {"cron": "x"},
        {"every": 5, "agentId": "a"},
        [{"every": 5}, {"every": 6}],
        [{"id": "a", "every": 5}, {"id": "a", "every": 6}],
        {"id": "a/b c", "every": 5},
    ],
)
def test_a_definition_with_an_impossible_schedule_is_refused_where_it_is_written(schedule):
    with pytest.raises(MastraError):
        Workflow("nightly", schedule=schedule)


async def test_of_very_many_missed_moments_none_is_lost_and_the_latest_is_the_one_that_fires(office):
    schedules, clock, calls = office
    every = await schedules[0].create({"workflowId": "nightly", "every": 10, "inputData": {}, "missed": "all"})
    once = await schedules[0].create({"workflowId": "nightly", "cron": "* * * * *", "inputData": {}, "missed": "once"})
    clock.moment += timedelta(seconds=10 * 1_200 + 5)
    await schedules[0].fire()
    await schedules[0].fire()
    await settle(schedules)
    assert len(calls) == 1_201
    found = await schedules[0].triggers(every["id"], limit=2_000)
    moments = [one["scheduledFireAt"] for one in found]
    assert len(set(moments)) == 1_200
    (trigger,) = await schedules[0].triggers(once["id"])
    now = round(clock.moment.timestamp() * 1000)
    assert trigger["scheduledFireAt"] == now - now % 60_000


async def test_a_schedule_without_a_moment_left_is_completed_and_a_new_time_wakes_it(office):
    schedules, clock, calls = office
    with pytest.raises(InvalidInput, match="never fire"):
        await schedules[0].create({"workflowId": "nightly", "cron": "0 0 0 1 1 * 2001"})
    made = await schedules[0].create({"workflowId": "nightly", "at": "2026-01-01T01:00:00Z", "inputData": {}})
    await schedules[0].pause(made["id"])
    clock.moment += timedelta(days=1)
    assert (await schedules[0].resume(made["id"]))["status"] == "completed"
    again = await schedules[0].update(made["id"], {"at": "2026-01-02T01:00:00Z"})
    assert again["status"] == "active"
    clock.moment += timedelta(hours=2)
    await schedules[0].fire()
    await settle(schedules)
    assert len(calls) == 1
    await schedules[0].pause(again["id"])
    assert (await schedules[0].update(again["id"], {"every": 60, "at": None}))["status"] == "paused"


async def test_an_agent_whose_trigger_was_left_is_asked_by_one_process(office):
    schedules, clock, _ = office
    asked = []

    class Asked:
        id = "helper"

        async def generate(self, prompt, **options):
            asked.append(prompt)

    for one in schedules:
        one.services.agents["helper"] = Asked()
    await schedules[0].create({"agentId": "helper", "every": 60, "prompt": "how is it?"})
    begin, schedules[0]._begin = schedules[0]._begin, lambda *_: asyncio.sleep(0)
    clock.moment += timedelta(minutes=1)
    await schedules[0].fire()
    schedules[0]._begin = begin
    clock.moment += timedelta(seconds=10)
    await asyncio.gather(*(one.fire() for one in schedules))
    await settle(schedules)
    assert asked == ["how is it?"]
