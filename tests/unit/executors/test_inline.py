"""The inline executor carries jobs beside each other, one of each id."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mastra.errors import BadSetting, ConfigError
from mastra.executors.inline import InlineExecutor
from mastra.ports.executor import Job
from mastra.registry import open_url


async def test_jobs_are_carried_and_the_same_id_is_the_same_job():
    carried, gate = [], asyncio.Event()

    async def handle(job):
        carried.append(job.id)
        await gate.wait()

    executor = open_url("mastra.executors", "inline:2")
    with pytest.raises(ConfigError):
        await executor.submit(Job("a", "run", {}))
    await executor.start(handle)
    for name in ("a", "a", "b", "c"):
        await executor.submit(Job(name, "run", {}))
    await asyncio.sleep(0.005)
    assert carried == ["a", "b"]
    gate.set()
    await executor.stop()
    assert carried == ["a", "b", "c"]


async def test_a_failing_job_and_one_for_later_harm_nobody():
    carried = []

    async def handle(job):
        carried.append(job.id)
        if job.id == "bad":
            raise ValueError("no")

    executor = InlineExecutor()
    await executor.start(handle)
    await executor.submit(Job("bad", "run", {}))
    await executor.submit(Job("later", "run", {}, not_before=datetime.now(UTC) + timedelta(seconds=0.02)))
    await executor.submit(Job("never", "run", {}, not_before=datetime.now(UTC) + timedelta(hours=1)))
    await executor.stop(grace_s=0.1)
    assert carried == ["bad", "later"]


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(BadSetting):
        InlineExecutor.from_url("inline:many")
    with pytest.raises(BadSetting):
        InlineExecutor(concurrency=0)
