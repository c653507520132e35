import asyncio

import pytest

from mastra.errors import Aborted, RunError
from mastra.runtime.background import Background
from mastra.runtime.broadcast import RunLogs
from mastra.runtime.stream import RunStream
from mastra.types.chunks import Chunk


def delta(text: str) -> Chunk:
    return Chunk("text-delta", {"id": "t", "text": text}, "r")


def numbers(count: int):
    async def start(emit):
        for index in range(count):
            await emit.send(delta(str(index)))
        return count

    return start


async def test_the_reader_gets_every_chunk_in_order_and_the_result():
    async with RunStream(numbers(1000), run_id="r", capacity=4) as run:
        assert [int(c.payload["text"]) async for c in run] == list(range(1000))
        assert await run.result() == 1000


async def test_the_result_alone_needs_no_reader():
    assert await RunStream(numbers(1000), run_id="r", capacity=4).result() == 1000


async def test_text_gives_the_deltas():
    async with RunStream(numbers(5), run_id="r") as run:
        assert "".join([text async for text in run.text]) == "01234"


async def test_a_slow_reader_slows_the_run_down():
    pushed = 0

    async def start(emit):
        nonlocal pushed
        for index in range(100):
            pushed += 1
            await emit.send(delta(str(index)))

    async with RunStream(start, run_id="r", capacity=8) as run:
        await run.__anext__()
        for _ in range(20):
            await asyncio.sleep(0)
        assert pushed <= 12


async def test_leaving_early_cancels_the_run():
    ended = asyncio.Event()

    async def start(emit):
        try:
            await emit.send(delta("a"))
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with RunStream(start, run_id="r") as run:
        async for _ in run:
            break
    assert ended.is_set()


async def test_without_async_with_leaving_the_loop_still_ends_the_run():
    ended = asyncio.Event()

    async def start(emit):
        try:
            await emit.send(delta("a"))
            await asyncio.Event().wait()
        finally:
            ended.set()

    chunks = aiter(RunStream(start, run_id="r"))
    await anext(chunks)
    await chunks.aclose()
    assert ended.is_set()


async def test_an_error_of_the_run_reaches_every_kind_of_reader():
    async def start(emit):
        await emit.send(delta("a"))
        raise RunError("broken")

    async def read(how: str) -> None:
        async with RunStream(start, run_id="r") as run:
            if how == "chunks":
                [c async for c in run]
            elif how == "text":
                [t async for t in run.text]
            else:
                await run.result()

    for how in ("chunks", "text", "result"):
        with pytest.raises(RunError, match="broken"):
            await read(how)


async def test_abort_ends_the_run_even_before_its_first_step():
    async def start(emit):
        await asyncio.Event().wait()

    async with RunStream(start, run_id="r") as run:
        run.abort("no longer needed")
        assert [c async for c in run] == []
        with pytest.raises(Aborted, match="no longer needed"):
            await run.result()


async def test_awaiting_the_stream_says_what_to_write_instead():
    with pytest.raises(RunError, match="async with"):
        await RunStream(numbers(1), run_id="r")


async def test_a_detached_run_goes_on_and_can_be_observed_from_an_offset():
    background, logs = Background(), RunLogs()
    go = asyncio.Event()

    async def start(emit):
        await emit.send(delta("a"))
        await go.wait()
        await emit.send(delta("b"))
        await emit.send(delta("c"))

    log = logs.open("r")
    async with RunStream(start, run_id="r", log=log, detached=background) as run:
        await run.__anext__()
    assert logs.active() == ["r"]
    go.set()
    found = logs.get("r")
    assert [(seen.offset, seen.chunk.payload["text"]) async for seen in found.observe(1)] == [(1, "b"), (2, "c")]
    await background.settle()
    assert found.closed
    assert logs.active() == []
