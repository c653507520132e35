"""The ways a run ends: it waits for a person, finishes, fails, is blocked, or is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.agents.callbacks import tell
from mastra.agents.payloads import error_chunk, finish_chunk, remember_wire, step_finish_chunk
from mastra.agents.recording import record
from mastra.agents.result import RunResult
from mastra.agents.run import Run, Step
from mastra.errors import MastraError, RunError, Tripwire

if TYPE_CHECKING:
    from mastra.agents.calls import Outcome


async def suspend_run(run: Run, step: Step, outcomes: list[Outcome]) -> None:
    """Store what waits, then announce it: who answers an announcement always finds it stored."""
    from mastra.agents.waiting import store_suspension  # noqa: PLC0415 - only runs that wait need it

    if not step.stored:
        run.parts.extend(step.parts)
        step.stored = True
    run.finish_reason = "suspended"
    await store_suspension(run, step, outcomes)
    await record(run)
    if run.push is not None:
        for outcome in outcomes:
            if outcome.waits:
                chunk = outcome.chunk(run)
                if chunk is not None:
                    run.push(chunk)


async def finish_run(run: Run) -> None:
    """The run has answered: say so, and forget that it ever waited."""
    step = run.steps[-1]
    if run.push is not None:
        run.push(finish_chunk(run, step))
    if run.journal is not None:
        from mastra.agents.waiting import forget_suspension  # noqa: PLC0415 - only runs that are written down need it

        await forget_suspension(run)


async def after_finish(run: Run) -> None:
    """Callbacks and scorers, when everybody has the answer."""
    if run.options.on_finish is not None or run.plan.scorers:
        run.services.background.spawn(_after(run), f"after run {run.run_id}")


async def _after(run: Run) -> None:
    if run.options.on_finish is not None:
        await tell(run, "on_finish", run.options.on_finish, RunResult(run))
    if run.plan.scorers:
        from mastra.agents.scoring import score_run  # noqa: PLC0415 - only scored agents need it

        await score_run(run)


def fail_run(run: Run, error: MastraError) -> None:
    """An error ends the run; what was said before it is kept."""
    if isinstance(error, RunError) and not error.run_id:
        error.run_id = run.run_id
    run.error = error
    run.finish_reason = "error"
    _forget_soon(run)
    _keep_broken_step(run)
    if run.push is not None:
        run.push(error_chunk(run, error))
        if not run.steps:
            run.steps.append(Step(0, run.plan.model))
        step = run.steps[-1]
        if step.finish_reason == "unknown":
            step.finish_reason = "error"
        if step.content is None:
            remember_wire(run, step)
        run.push(step_finish_chunk(run, step, continued=False))
        run.push(finish_chunk(run, step))
    if run.options.on_error is not None:
        run.services.background.spawn(tell(run, "on_error", run.options.on_error, error), f"on_error {run.run_id}")


def _forget_soon(run: Run) -> None:
    """A run that has failed waits for nobody any more."""
    if run.journal is not None:
        from mastra.agents.waiting import forget_suspension  # noqa: PLC0415 - only runs that are written down need it

        run.services.background.spawn(forget_suspension(run), f"forget run {run.run_id}")


def _keep_broken_step(run: Run, *, quietly: bool = False) -> None:
    """What was said before the end came; calls without results are mended when the history is read."""
    step = run.steps[-1] if run.steps else None
    if step is not None and not step.stored:
        if not quietly and run.push is not None and step.content is None:
            remember_wire(run, step)
        run.parts.extend(step.parts)
        step.stored = True
    if run.parts and run.plan.memory is not None and run.thread_id is not None and not run.options.read_only:
        # Recording goes on by itself: a cancelled task has no time left.
        run.services.background.spawn(record(run), f"record run {run.run_id}")


def block_run(run: Run, wire: Tripwire) -> None:
    """A processor has refused what was said or answered."""
    from mastra.types.chunks import Chunk  # noqa: PLC0415 - rare

    payload: dict[str, Any] = {
        key: wire.details[key] for key in ("metadata", "processorId", "retry") if key in wire.details
    }
    run.tripwire = {"reason": wire.message, **payload}
    run.finish_reason = "tripwire"
    _forget_soon(run)
    if run.push is not None:
        run.push(Chunk("tripwire", run.tripwire, run.run_id, path=run.path))


def leave_run(run: Run, *, aborted: bool) -> None:
    """The run was cancelled: keep what is complete, and tell whoever still listens.

    A durable run that somebody `aborted` is over; one that goes down with its process can be recovered.
    """
    if aborted and run.options.durable:
        _forget_soon(run)
    if run.signal is not None:
        run.signal.set()
    run.finish_reason = "other"
    _keep_broken_step(run, quietly=True)
    if run.push is not None:
        from mastra.types.chunks import Chunk  # noqa: PLC0415 - rare

        used = {"usage": run.usage.to_wire(), "steps": len(run.steps)}
        run.push(Chunk("abort", used, run.run_id, path=run.path))
    if run.options.on_abort is not None:
        told = tell(run, "on_abort", run.options.on_abort, RunResult(run))
        run.services.background.spawn(told, f"on_abort {run.run_id}")
