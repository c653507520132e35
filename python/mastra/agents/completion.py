"""Is the task complete? Checks after an answer that may send the model on with feedback."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, near_miss
from mastra.types.chunks import Chunk

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step

log = logging.getLogger("mastra.agents")
_STRATEGIES = ("all", "any")
_FIELDS = ("scorers", "strategy", "timeout_s", "suppress_feedback")


def read_completion(given: Any) -> Mapping[str, Any]:
    """The checks of `is_task_complete`: one, a list of them, or a mapping with a strategy and a timeout."""
    if not isinstance(given, Mapping):
        given = {"scorers": given}
    for name in given:
        if name not in _FIELDS:
            raise InvalidInput(f"is_task_complete has no field {name!r}.", hint=near_miss(str(name), _FIELDS))
    scorers = given.get("scorers")
    scorers = list(scorers) if isinstance(scorers, list | tuple) else [scorers]
    if not scorers or any(not callable(one) and not hasattr(one, "run") for one in scorers):
        raise InvalidInput("is_task_complete needs scorers or functions of (run, step).")
    if given.get("strategy", "all") not in _STRATEGIES:
        raise InvalidInput(f"There is no strategy {given['strategy']!r}.", hint=f"Use {' or '.join(_STRATEGIES)}.")
    return {**given, "scorers": scorers}


async def check_completion(run: Run, step: Step) -> str | None:
    """Feedback for another step; None when the run may end."""
    callback = run.options.on_iteration_complete
    if callback is not None:
        said = callback(run, step)
        said = await said if inspect.isawaitable(said) else said
        if isinstance(said, Mapping) and said.get("continue") is False:
            return None
        if isinstance(said, str) and said:
            return said
        if isinstance(said, Mapping) and said.get("feedback"):
            return str(said["feedback"])
    if run.options.is_task_complete is not None:
        return await _check_scorers(run, step, run.options.is_task_complete)
    return None


async def _check_scorers(run: Run, step: Step, options: Any) -> str | None:
    options = read_completion(options)
    strategy = options.get("strategy", "all")
    started = time.monotonic()
    timed_out = False
    results: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(options.get("timeout_s", 600.0)):
            for scorer in options["scorers"]:
                results.append(await _scored(run, step, scorer))  # noqa: PERF401 - what is known stays at a timeout
    except TimeoutError:
        timed_out = True
    passed = [result["passed"] for result in results]
    ok = not timed_out and bool(passed) and (all(passed) if strategy == "all" else any(passed))
    at_end = len(run.steps) + run.carried >= run.options.max_steps
    reason = "; ".join(result["reason"] for result in results if not result["passed"] and result["reason"])
    if run.push is not None:
        payload = {
            "iteration": len(run.steps) + run.carried,
            "passed": ok,
            "results": results,
            "duration": int((time.monotonic() - started) * 1000),
            "timedOut": timed_out,
            "reason": reason,
            "maxIterationReached": at_end and not ok,
            "suppressFeedback": bool(options.get("suppress_feedback")),
        }
        run.push(Chunk("is-task-complete", payload, run.run_id, path=run.path))
    if ok:
        return None
    return f"The task is not complete yet. {reason}".strip()


async def _scored(run: Run, step: Step, scorer: Any) -> dict[str, Any]:
    """What a check says; one that fails has not passed, and its error is the reason."""
    try:
        return await _score(run, step, scorer)
    except Exception as error:  # the answer is not lost for it
        log.warning("a completion check of run %s failed", run.run_id, exc_info=error)
        name = getattr(scorer, "id", None) or getattr(scorer, "__name__", "check")
        return {"scorerId": name, "score": 0, "passed": False, "reason": f"The check failed: {error}"}


async def _score(run: Run, step: Step, scorer: Any) -> dict[str, Any]:
    """A scorer passes at a score of 1; a function passes when it returns true (or true and a reason)."""
    if hasattr(scorer, "run"):
        result = await scorer.run(
            input=[message.to_wire() for message in run.input], output=step.text, run_id=run.run_id
        )
        score = result.score
        reason = result.reason or ""
        return {"scorerId": scorer.id, "score": score, "passed": score is not None and score >= 1, "reason": reason}
    said = scorer(run, step)
    said = await said if inspect.isawaitable(said) else said
    passed, reason = said if isinstance(said, tuple) else (bool(said), "")
    name = getattr(scorer, "__name__", "check")
    return {"scorerId": name, "score": 1 if passed else 0, "passed": bool(passed), "reason": reason}
