"""Live scoring of steps: scorers judge what a step gave, in the background, and store their own results."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra.types.schema import to_json

if TYPE_CHECKING:
    from mastra.workflows.engine import Execution
    from mastra.workflows.records import StepRecord
    from mastra.workflows.step import Step


def score_later(execution: Execution, step: Step[Any, Any], record: StepRecord) -> None:
    """Let the step's scorers judge this record when there is time."""
    given, made = to_json(record.payload), to_json(record.output)
    execution.services.background.spawn(_score(execution, step, given, made), f"score-{step.id}")


async def _score(execution: Execution, step: Step[Any, Any], given: Any, made: Any) -> None:
    run = execution.run
    for entry in step.scorers:
        rate = entry.get("sampling", {}).get("rate", 1.0) if isinstance(entry, Mapping) else 1.0
        scorer = entry.get("scorer") if isinstance(entry, Mapping) else entry
        if isinstance(scorer, str):
            scorer = execution.services.scorers[scorer]
        if random.random() >= rate:  # noqa: S311 - a sample, not a secret
            continue
        assert scorer is not None
        await scorer.score_run(
            input=given, output=made, run_id=run.run_id, entity={"id": step.id, "name": step.id}, entity_type="STEP",
            resource_id=run.resource_id, trace_id=run.trace[0] if run.trace else None,
            request_context=run.request_values, services=execution.services,
        )  # fmt: skip
