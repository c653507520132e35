"""Worker threads: results, errors, context variables, and an event loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from mastra.runtime.workers import MAX_WORKERS, run_blocking

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def test_a_result_and_an_error_come_back() -> None:
    assert await run_blocking(divmod, 7, 3) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        await run_blocking(divmod, 7, 0)


async def test_the_callers_context_is_seen_and_stays_as_it_was() -> None:
    WHO.set("caller")

    def look() -> str:
        before = WHO.get()
        WHO.set("worker")
        return before

    assert await run_blocking(look) == "caller"
    assert WHO.get() == "caller"


async def test_the_loop_goes_on_while_a_worker_blocks() -> None:
    go = threading.Event()
    task = asyncio.create_task(run_blocking(go.wait, 10))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    go.set()
    assert await task


async def test_there_are_no_more_threads_than_allowed() -> None:
    go = threading.Event()
    names: set[str] = set()

    def block() -> None:
        names.add(threading.current_thread().name)
        go.wait(10)

    tasks = [asyncio.create_task(run_blocking(block)) for _ in range(MAX_WORKERS * 2)]
    for _ in range(5000):
        if len(names) == MAX_WORKERS:
            break
        await asyncio.sleep(0.001)
    go.set()
    await asyncio.gather(*tasks)
    assert len(names) == MAX_WORKERS
    assert all(name.startswith("mastra-worker") for name in names)
