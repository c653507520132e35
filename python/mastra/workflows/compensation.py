"""Undoes what succeeded of a run that failed: newest first, each at most recorded once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from mastra.runtime.signals import Signal
from mastra.workflows.chunks import describe_error
from mastra.workflows.context import StepContext
from mastra.workflows.records import StepRecord
from mastra.workflows.targets import find_step

if TYPE_CHECKING:
    from mastra.workflows.builder import Builder
    from mastra.workflows.engine import Execution

log = logging.getLogger("mastra.workflows")


async def compensate(execution: Execution, workflow: Builder[Any, Any]) -> None:
    """Call `compensate(output, ctx)` of every step that succeeded, in reverse order of completion.

    One that fails is recorded as failed and does not keep the others from running.
    """
    run = execution.run
    done = [one for one in run.records.values() if one.status == "success" and not one.key.endswith("!undo")]
    done.sort(key=lambda one: one.ended_at or 0)
    for record in reversed(done):
        step = find_step(workflow, record.id)
        if step is None or step.compensate is None or f"{record.key}!undo" in run.records:
            continue
        undo = StepRecord(f"{record.id}!undo", f"{record.key}!undo", record.output, execution.now())
        run.add(undo, visible=False)
        context = StepContext(execution, step.id, undo.key, "", record.output)
        output = step.restore(record.output) if record.is_stored else record.output
        try:
            made = step.compensate(output, context)
            if asyncio.iscoroutine(made):
                await made
            undo.status = "success"
        except Signal:
            undo.status = "success"
        except Exception as error:
            log.exception("the compensation of step %s of run %s failed", record.id, run.run_id)
            undo.status = "failed"
            undo.error = describe_error(error)
        undo.ended_at = execution.now()
        if execution.journal is not None:
            await execution.journal.step(undo, context.effects)
