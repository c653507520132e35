"""The answer of a run in its thread's memory: step by step, and once more for what came after the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.agents.traced import memory_span

if TYPE_CHECKING:
    from mastra.agents.run import Run

# Steps from here on are not those of the model: results of background tasks, in the order in which they came.
AFTERWARDS = 1_000_000


async def record(run: Run, *, step: int | None = None, last: bool = False) -> None:
    """Write the answer as far as it has grown; the same step twice writes the same rows.

    With the `last` write the thread is given back.
    """
    memory = run.plan.memory
    if memory is None or run.thread_id is None or run.options.read_only or not (run.parts or run.responses):
        return
    with memory_span("save"):
        await memory.record(
            thread_id=run.thread_id,
            resource_id=run.resource_id,
            run_id=run.run_id,
            step=len(run.steps) + run.carried if step is None else step,
            messages=run.answers(),
            **turn_of(run, last=last),
        )


def turn_of(run: Run, *, last: bool = False) -> dict[str, Any]:
    """What memory is told of the run's turn, where it has one."""
    return {} if run.turn is None else {"turn": run.turn, **({"last": True} if last else {})}
