from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mastra import Mastra
from mastra.errors import NotFound, RunError
from mastra.server.http import create_app
from mastra.server.siblings import Siblings, answers_of
from mastra.types.chunks import Chunk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


class Worker:
    """One worker of a server, in this process: its place among the others has another name than ours."""

    def __init__(self, folder: Path, name: str) -> None:
        self.state = create_app(Mastra()).state
        self.siblings = Siblings(folder, answers_of(self.state), name=name)
        self.runs = self.state.mastra.services.runs


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[Worker]]:
    made = [Worker(tmp_path, name) for name in "abc"]
    for worker in made:
        await worker.siblings.start()
    yield made
    for worker in made:
        await worker.siblings.stop()
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 - the test is over


def chunk(number: int) -> Chunk:
    return Chunk("text-delta", {"id": "1", "text": f"{number}"}, "r1", "AGENT", {"n": number})


async def test_a_run_is_followed_from_an_offset_to_its_end(workers: list[Worker]) -> None:
    asks, has, _ = workers
    has.state.runs.remember("r1", "u1")
    log = has.runs.open("r1")
    for number in range(3):
        log.append(chunk(number))
    run = await asks.siblings.find_run("r1", 1)
    assert run is not None
    assert (run.owner, run.open) == ("u1", True)
    seen = []
    async for offset, got in run.observe():
        seen.append((offset, got))
        if offset == 2:
            log.append(Chunk("object", {"a": "ü\n"}, "r1"))
            log.append(Chunk("data-mine", {"data": [1]}))
            log.close()
    wanted = [chunk(1), chunk(2), Chunk("object", {"a": "ü\n"}, "r1"), Chunk("data-mine", {"data": [1]})]
    assert [offset for offset, _ in seen] == [1, 2, 3, 4]
    assert [got.to_wire() for _, got in seen] == [one.to_wire() for one in wanted]


async def test_of_two_who_know_a_run_the_one_at_work_is_followed(workers: list[Worker]) -> None:
    asks, ended, works = workers
    ended.runs.open("r1").close()
    works.runs.open("r1").append(chunk(7))
    run = await asks.siblings.find_run("r1", 0)
    assert run is not None
    assert run.open
    _, got = await anext(aiter(run.observe()))
    assert got == chunk(7)
    await run.leave()


async def test_what_nobody_knows_is_nothing(workers: list[Worker]) -> None:
    assert await workers[0].siblings.find_run("r1", 0) is None
    assert await workers[0].siblings.ask("logs", {}) == [[], []]


async def test_chunks_that_are_no_longer_kept_are_named(workers: list[Worker]) -> None:
    log = workers[1].runs.open("r1")
    log._keep = 1
    for number in range(3):
        log.append(chunk(number))
    run = await workers[0].siblings.find_run("r1", 0)
    assert run is not None
    with pytest.raises(NotFound, match="no longer kept"):
        await anext(aiter(run.observe()))


async def test_counters_are_asked_for(workers: list[Worker]) -> None:
    asks, one, other = workers
    one.state.metrics.request("GET", "/x", 200, 0.2, "trace-1")
    other.state.metrics.request("GET", "/x", 200, 0.3, "trace-2")
    other.state.metrics.refused["host"] += 2
    asks.state.siblings = asks.siblings
    text = (await asks.state.all_metrics()).text(exemplars=True)
    assert 'requests_total{method="GET",route="/x",status="200"} 2' in text
    assert 'refused_total{reason="host"} 2' in text
    assert 'bucket{route="/x",le="0.25"} 1 # {trace_id="trace-1"}' in text
    assert 'seconds_sum{route="/x"} 0.5' in text


async def test_a_socket_of_a_dead_worker_hurts_nobody(workers: list[Worker], tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    server = await asyncio.start_unix_server(lambda *_: None, dead)
    server.close()
    await server.wait_closed()
    dead.touch()
    workers[2].runs.open("r1")
    assert await workers[0].siblings.find_run("r1", 0) is not None
    dead.unlink()


async def test_a_worker_that_leaves_in_the_middle_is_an_error_and_no_end(tmp_path: Path) -> None:
    async def leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"value":{"owner":null,"open":true}}\n')
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(leaves, tmp_path / "leaver.sock")
    asks = Siblings(tmp_path, {})
    async with server:
        run = await asks.find_run("r1", 0)
        assert run is not None
        with pytest.raises(RunError, match="gone"):
            await anext(aiter(run.observe()))
        assert await asks.ask("metrics") == []


async def test_who_leaves_ends_the_answer(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def endless(given: Any) -> AsyncGenerator[Any, None]:
        try:
            yield {"owner": given["id"], "open": True}
            await asyncio.Event().wait()
        finally:
            ended.set()

    answers, asks = Siblings(tmp_path, {"run": endless}, name="one"), Siblings(tmp_path, {}, name="two")
    await answers.start()
    run = await asks.find_run("r1", 0)
    assert run is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(aiter(run.observe()))
    await run.leave()
    await asyncio.wait_for(ended.wait(), 20)
    await answers.stop()
