"""Tries of a step: retries with their pauses, time limits, fallbacks, in every place."""

import asyncio
import os
import threading
import time

import pytest

from mastra import Retry, StepContext, Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.workflows.journal import Journal
from mastra.workflows.step import Step
from mastra.workflows.worker import Worker


async def run(part, value=None, services=None):
    flow = Workflow("w").then(part).commit()
    if services is not None:
        flow.bind(services)
    return await (await flow.create_run()).start(value)


async def test_a_process_that_dies_is_tried_again_as_the_rule_for_its_error_says():
    result = await run(Step(os._exit, id="dies", runs_on="process", input=int, retries=1), 3)
    assert ((result.error or {})["code"], result.steps["dies"].attempts) == ("process-lost", 2)


@pytest.mark.parametrize("place", ["process", "thread"])
async def test_a_time_limit_holds_in_every_place(place):
    begun = time.perf_counter()
    result = await run(Step(time.sleep, id="slow", runs_on=place, timeout=0.3, input=float), 1.5)
    assert (result.error or {})["code"] == "step-timeout"
    assert time.perf_counter() - begun < 1.4


async def test_a_blocking_step_on_a_thread_stops_nobody_else():
    turns, waiting = [], threading.Event()

    @step(runs_on="thread")
    def blocks(value: int) -> int:
        assert waiting.wait(10)
        return value

    task = asyncio.ensure_future(run(blocks, 1))
    for _ in range(5):
        turns.append(1)
        await asyncio.sleep(0.001)
    waiting.set()
    assert (await task).result == 1
    assert len(turns) == 5


async def test_an_attempt_that_failed_is_recorded_with_the_moment_of_the_next(monkeypatch):
    moments = []
    noted = Journal.retrying

    async def retrying(self, record, error):
        moments.append((record.attempts, record.wake_at))
        await noted(self, record, error)

    monkeypatch.setattr(Journal, "retrying", retrying)
    seen = []

    @step(retries=[Retry(2, delay=0.01, on=OSError)])
    def shaky(value: dict, ctx: StepContext) -> dict:
        seen.append((ctx.attempt, ctx.idempotency_key))
        if ctx.attempt < 2:
            raise OSError("down")
        return value

    services = Services(storage=MemoryStorage())
    assert (await run(shaky, {}, services)).status == "success"
    assert [attempt for attempt, _ in seen] == [0, 1, 2]
    assert len({key for _, key in seen}) == 1
    assert [attempt for attempt, _ in moments] == [1, 2]
    assert all(wake_at is not None for _, wake_at in moments)
    await Worker.of(services).stop()
