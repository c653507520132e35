"""Runs coroutines side by side with a limit, and decides what a failure among them means."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from mastra.errors import StepFailed
from mastra.runtime.signals import Bail, Signal
from mastra.workflows.chunks import plain_words
from mastra.workflows.graph import OnFailure


async def gather(running: Sequence[Coroutine[Any, Any, Any]], on_failure: OnFailure, limit: int | None) -> list[Any]:
    """The outputs in order. Bail wins over failure, failure over waiting; nothing is left running."""
    gate = asyncio.Semaphore(limit) if limit is not None and limit < len(running) else None
    tasks = [asyncio.ensure_future(_outcome(one, gate)) for one in running]
    stop_early = on_failure == "fail_fast"
    try:
        pending: set[asyncio.Future[Any]] = set(tasks)
        while pending:
            done, pending = await asyncio.wait(
                pending, return_when=asyncio.FIRST_COMPLETED if stop_early else asyncio.ALL_COMPLETED
            )
            if stop_early and any(isinstance(one.result()[1], StepFailed | Bail) for one in done):
                break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    outcomes = [task.result() for task in tasks if not task.cancelled()]
    if on_failure == "collect":
        outcomes = [_collected(one) for one in outcomes]
    faults = [fault for _, fault in outcomes if fault is not None]
    if faults:
        raise min(faults, key=lambda fault: 0 if isinstance(fault, Bail) else 1 if isinstance(fault, Exception) else 2)
    return [output for output, _ in outcomes]


async def _outcome(
    running: Coroutine[Any, Any, Any], gate: asyncio.Semaphore | None
) -> tuple[Any, BaseException | None]:
    try:
        if gate is None:
            return await running, None
        async with gate:
            return await running, None
    except (Signal, Exception) as fault:  # noqa: BLE001 - handed to the parent, which decides
        return None, fault
    finally:
        running.close()  # one that never began because its task was cancelled


def _collected(outcome: tuple[Any, BaseException | None]) -> tuple[Any, BaseException | None]:
    output, fault = outcome
    if isinstance(fault, StepFailed):
        cause = fault.__cause__ or fault
        return {"error": {"message": plain_words(cause), "name": type(cause).__name__}}, None
    return output, fault
