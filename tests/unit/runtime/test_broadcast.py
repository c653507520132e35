import asyncio
from datetime import UTC, datetime

import pytest

from mastra.errors import InvalidInput, NotFound
from mastra.runtime.broadcast import RunLog, RunLogs
from mastra.types.chunks import Chunk


class HandClock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self):
        return self.time

    async def sleep(self, seconds):
        self.time += seconds


def chunk(n: int) -> Chunk:
    return Chunk("text-delta", {"id": "t", "text": str(n)}, "r")


async def collect(log: RunLog, offset: int = 0) -> list[int]:
    return [seen.offset async for seen in log.observe(offset)]


async def test_two_observers_see_the_same_and_one_that_leaves_does_not_disturb():
    log = RunLog("r")
    first, second = (asyncio.create_task(collect(log)) for _ in range(2))
    leaver = asyncio.create_task(collect(log))
    await asyncio.sleep(0)
    leaver.cancel()
    for n in range(3):
        log.append(chunk(n))
        await asyncio.sleep(0)
    log.close()
    assert await first == await second == [0, 1, 2]


async def test_the_oldest_chunks_are_forgotten_and_asking_for_them_is_an_error():
    log = RunLog("r", keep=2)
    for n in range(5):
        log.append(chunk(n))
    log.close()
    assert await collect(log, 3) == [3, 4]
    with pytest.raises(NotFound):
        await collect(log, 2)
    with pytest.raises(InvalidInput):
        await collect(log, -1)


def test_ended_runs_are_forgotten_after_a_while_and_running_ones_never():
    clock = HandClock()
    logs = RunLogs(keep_s=10, clock=clock)
    logs.open("ended").close()
    logs.open("running")
    assert logs.get("ended") is not None
    clock.time = 20
    assert logs.get("ended") is None
    assert logs.get("running") is not None


def test_a_resumed_run_continues_its_log():
    logs = RunLogs()
    log = logs.open("r")
    log.append(chunk(0))
    log.close()
    again = logs.open("r")
    assert again is log
    assert not again.closed
    assert len(again) == 1
