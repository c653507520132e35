"""Live scoring: a sample of finished runs is judged in the background."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, near_miss

if TYPE_CHECKING:
    from mastra.agents.run import Run

log = logging.getLogger("mastra.agents")


async def score_run(run: Run) -> None:
    """Give the run to each scorer that its sampling chooses; scorers store their own results."""
    for name, entry in _entries(run.plan.scorers):
        try:
            await _judge(run, name, entry)
        except Exception:  # one scorer that fails takes nothing from the others
            log.exception("scorer %s of run %s failed", name, run.run_id)


def scoring_data(run: Run) -> dict[str, Any]:
    """What a scorer of agents is given of a run: `input` and `output`."""
    given = {
        "inputMessages": [message.to_wire() for message in run.input],
        "rememberedMessages": [message.to_wire() for message in run.recalled],
        "systemMessages": [message.text for message in run.plan.system],
    }
    return {"input": given, "output": [message.to_wire() for message in run.answers()]}


async def _judge(run: Run, name: str, entry: Any) -> None:
    scorer, sampling = _read(run, name, entry)
    if not _sampled(sampling):
        return
    await scorer.score_run(
        **scoring_data(run),
        run_id=run.run_id,
        entity={"id": run.agent.id, "name": run.agent.name},
        entity_type="AGENT",
        thread_id=run.thread_id,
        resource_id=run.resource_id,
        trace_id=run.trace_id or None,
        request_context=run.request_context.to_wire(),
        services=run.services,
    )


def _entries(scorers: Any) -> list[tuple[str, Any]]:
    if isinstance(scorers, Mapping):
        return list(scorers.items())
    return [(getattr(one, "id", str(index)), one) for index, one in enumerate(scorers)]


def _read(run: Run, name: str, entry: Any) -> tuple[Any, Any]:
    sampling = None
    if isinstance(entry, Mapping):
        sampling = entry.get("sampling")
        entry = entry.get("scorer", name)
    if isinstance(entry, str):
        if entry not in run.services.scorers:
            known = run.services.scorers
            raise BadDefinition(f"There is no scorer {entry!r}.", hint=near_miss(entry, known))
        entry = run.services.scorers[entry]
    return entry, sampling


def _sampled(sampling: Any) -> bool:
    if sampling is None:
        return True
    if isinstance(sampling, int | float):
        return random.random() < sampling  # noqa: S311 - a sample, not a secret
    if sampling.get("type") == "none":
        return False
    return random.random() < float(sampling.get("rate", 1.0))  # noqa: S311 - the same
