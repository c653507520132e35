import asyncio
import logging

from mastra.runtime.background import Background


async def test_an_error_is_logged_and_reaches_nobody(caplog):
    background = Background()

    async def fail():
        raise ValueError("boom")

    with caplog.at_level(logging.ERROR, "mastra.background"):
        background.spawn(fail(), "title")
        await background.settle()
    assert "title failed: boom" in caplog.text
    assert len(background) == 0


async def test_draining_waits_then_cancels_what_does_not_end(caplog):
    background = Background()
    done = []

    async def quick():
        done.append(1)

    background.spawn(quick(), "quick")
    background.spawn(asyncio.Event().wait(), "never")
    assert await background.drain(0.01) == 1
    assert done == [1]
    assert "never was cancelled" in caplog.text


async def test_too_much_work_is_dropped_with_a_log_line(caplog):
    background = Background(max_tasks=1)
    background.spawn(asyncio.Event().wait(), "first")
    assert background.spawn(asyncio.sleep(0), "second") is None
    assert "second was dropped" in caplog.text
    await background.drain(0)


async def test_work_that_starts_work_is_waited_for():
    background = Background()
    seen = []

    async def outer():
        background.spawn(inner(), "inner")

    async def inner():
        seen.append(1)

    background.spawn(outer(), "outer")
    await background.settle()
    assert seen == [1]
