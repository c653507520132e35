"""Runs a step's function with its retries, its time limit, in the place it asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mastra.errors import StepTimeout
from mastra.runtime.processes import run_computing
from mastra.runtime.signals import Signal
from mastra.runtime.workers import run_blocking
from mastra.workflows.retry import next_pause

if TYPE_CHECKING:
    from mastra.workflows.context import StepContext
    from mastra.workflows.engine import Execution
    from mastra.workflows.records import StepRecord
    from mastra.workflows.step import Step


async def attempt(
    execution: Execution, step: Step[Any, Any], value: Any, context: StepContext, record: StepRecord
) -> Any:
    """The step's raw output after as many tries as it may have; retry state lives in its record."""
    rules = step.retries or execution.hooks.retries
    while True:
        await _until(execution, record.wake_at)
        context.attempt = record.attempts
        try:
            return await _once(step, value, context)
        except Signal:
            raise
        except Exception as error:
            record.attempts += 1
            pause = next_pause(rules, record.attempts, error)
            if pause is None:
                if step.on_error is None:
                    raise
                return await _fallback(step, context, error)
            record.wake_at = execution.now() + round(pause * 1000) if pause else None
            if execution.journal is not None:
                await execution.journal.retrying(record, error)
            context.effects_clear()


async def _until(execution: Execution, moment: int | None) -> None:
    # A recovered run goes on waiting for the same moment, not for the same while.
    while moment is not None and (left := moment - execution.now()) > 0:
        await execution.services.clock.sleep(left / 1000)


async def _once(step: Step[Any, Any], value: Any, context: StepContext) -> Any:
    given = [value] if step.takes_input else []
    if step.takes_context:
        given.append(context)
    if step.runs_on == "process":
        running = run_computing(step.execute, *given)
    elif step.runs_on == "thread" and not step.is_async:
        running = run_blocking(step.execute, *given)
    else:
        made = step.execute(*given)
        if not asyncio.iscoroutine(made):
            return made
        running = made
    if step.timeout is None:
        return await running
    try:
        async with asyncio.timeout(step.timeout):
            return await running
    except TimeoutError as error:
        raise StepTimeout(f"Step {step.id!r} took longer than {step.timeout:g} s.", step=step.id) from error


async def _fallback(step: Step[Any, Any], context: StepContext, error: Exception) -> Any:
    assert step.on_error is not None
    made = step.on_error(error, context)
    return await made if asyncio.iscoroutine(made) else made
