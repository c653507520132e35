"""The loop: the only place where model, tools and memory meet. Streaming or not, it is this one."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mastra.agents.callbacks import tell
from mastra.agents.calls import run_calls
from mastra.agents.endings import after_finish, block_run, fail_run, finish_run, leave_run, suspend_run
from mastra.agents.fold import fold
from mastra.agents.payloads import (
    now_ms,
    remember_wire,
    start_chunk,
    step_finish_chunk,
    step_start_chunk,
)
from mastra.agents.recording import record, turn_of
from mastra.agents.result import RunResult
from mastra.agents.run import Run, Step
from mastra.agents.traced import memory_span, traced_generation, traced_inference, traced_run, traced_step
from mastra.errors import Aborted, Conflict, MastraError, ModelError, RunError, Tripwire
from mastra.runtime.tracing import traceparent
from mastra.types.message_prompt import assistant_prompt, to_prompt
from mastra.types.model import ModelRequest, ModelSettings
from mastra.types.prompt import PromptMessage, SystemMessage, TextPart, UserMessage
from mastra.types.secrets import redact

if TYPE_CHECKING:
    from mastra.agents.calls import Outcome
    from mastra.agents.plan import Candidate

log = logging.getLogger("mastra.agents")
_NO_SETTINGS = ModelSettings()
# How often error processors may send a run back to its model where the options do not say.
ERROR_RETRIES = 10


async def run_loop(run: Run) -> RunResult:
    """Carry a run from where it stands to its end or its suspension."""
    tracer = run.services.tracer
    return await _timed(run) if tracer is None else await traced_run(run, tracer, _timed)


async def _timed(run: Run) -> RunResult:
    seconds = run.options.timeout_s
    left = run.budget.remaining_s()
    if left is not None:
        seconds = left if seconds is None else min(seconds, left)
    try:
        if seconds is None:
            await _guarded(run)
        else:
            async with asyncio.timeout(seconds):
                await _guarded(run)
    except TimeoutError:
        fail_run(
            run, Aborted(f"The run took longer than {seconds:g} s.", run_id=run.run_id, details={"limit": "seconds"})
        )
    except asyncio.CancelledError as cancelled:
        leave_run(run, aborted=bool(cancelled.args))
        raise
    finally:
        if run.background is not None:
            run.background.open = False
    return RunResult(run)


async def _guarded(run: Run) -> None:
    """The run with every error turned into an end that the listener can read."""
    try:
        if run.options.durable and run.journal is None:
            from mastra.agents.journal import open_journal  # noqa: PLC0415 - only durable runs need it

            await open_journal(run)
        if run.journal is None:
            await _in_turn(run)
        else:
            from mastra.agents.claims import held  # noqa: PLC0415 - only runs that are written down need it

            async with held(run):
                await _in_turn(run)
    except Tripwire as wire:
        block_run(run, wire)
    except MastraError as error:
        fail_run(run, error)
    except TimeoutError:
        raise
    except Exception as error:
        log.exception("run %s of agent %s failed", run.run_id, run.agent.id)
        failure = RunError(f"{type(error).__name__}: {redact(str(error))}", run_id=run.run_id)
        failure.__cause__ = error
        fail_run(run, failure)


async def _in_turn(run: Run) -> None:
    policy = None if run.thread_id is None or run.options.read_only else getattr(run.plan.memory, "concurrency", None)
    if policy is None:
        await _walk(run)
        return
    from mastra.agents.turns import walk_in_turn  # noqa: PLC0415 - only memories with a policy need it

    await walk_in_turn(run, policy, _walk)


async def _walk(run: Run) -> None:
    if run.thread_id is None:
        await _go(run)
        return
    from mastra.agents.signals import at_work  # noqa: PLC0415 - only a run with a thread can be spoken to

    with at_work(run):
        await _go(run)


async def _go(run: Run) -> None:
    if run.resume is not None:
        if not await run.resume():
            return
        if not await _after_tools(run, run.steps[-1], list(run.steps[-1].outcomes.values())):
            await finish_run(run)
            await after_finish(run)
            return
    else:
        await _begin(run)
        if run.push is not None:
            run.push(start_chunk(run))
        if run.place is not None:
            run.place.greet(run)
    traced = run.services.tracer is not None
    while await (traced_generation(run, _rounds) if traced else _rounds(run)):
        await finish_run(run)
        if run.background is None or not await _woken(run):
            await after_finish(run)
            return


async def _rounds(run: Run) -> bool:
    """Ask the model and run its calls, in turn, until it has answered; False when the run waits for a person."""
    traced = run.services.tracer is not None
    while True:
        ended = await (traced_step(run, _round) if traced else _round(run))
        if ended is not None:
            return ended


async def _round(run: Run) -> bool | None:
    """Ask the model once and run its calls; None when it is to be asked again."""
    if run.place is not None:
        await run.place.take_in(run)
    try:
        step = await _model_step(run)
    except Tripwire as wire:
        if not _may_retry(run, wire):
            raise
        return None
    if step.calls and any(not call.provider_executed for call in step.calls):
        run.budget.before_tools(len(step.calls))
        if run.journal is not None:
            await run.journal.begin(run, step)
        outcomes = await run_calls(run, step)
        if any(outcome.waits for outcome in outcomes):
            await suspend_run(run, step, outcomes)
            return False
        return None if await _after_tools(run, step, outcomes) else True
    try:
        feedback = await _wants_more(run, step)
        spoken_to = run.place is not None and bool(run.place.arrived) and _may_go_on(run)
        await _close_step(run, step, continued=spoken_to or feedback is not None)
    except Tripwire as wire:
        if not _may_retry(run, wire):
            raise
        return None
    if feedback is None and not spoken_to:
        return True
    _go_on(run, step)
    if feedback is not None:
        run.prompt.append(UserMessage((TextPart(feedback),)))
    return None


async def _woken(run: Run) -> bool:
    """Whether a background task has ended for which the model is asked once more."""
    from mastra.agents.tasks import woken  # noqa: PLC0415 - only runs with background tasks need it

    before = len(run.prompt)
    if not await woken(run):
        return False
    told = run.prompt[before:]
    del run.prompt[before:]
    _go_on(run, run.steps[-1])
    run.prompt.extend(told)
    if run.push is not None:
        run.push(start_chunk(run))
    return True


def _may_retry(run: Run, wire: Tripwire) -> bool:
    """Send the model back with the reason of a blocked answer, where the processor and the options allow it."""
    allowed = run.options.max_processor_retries or 0
    if not wire.details.get("retry") or run.processor_retries >= allowed:
        return False
    run.processor_retries += 1
    if run.steps:
        # The blocked answer is neither shown to the model nor kept.
        run.steps[-1].stored = True
        del run.parts[len(run.parts) - _kept_of(run, run.steps[-1]) :]
    run.prompt.append(UserMessage((TextPart(f"Your answer was refused: {wire.message} Answer again."),)))
    return True


def _kept_of(run: Run, step: Step) -> int:
    """How many parts of a step stand in the answer already."""
    count = len(step.parts)
    return count if count and run.parts[-count:] == step.parts else 0


# ---------------------------------------------------------------- beginning


async def _begin(run: Run) -> None:
    given = list(run.input)
    try:
        await _remember(run)
    except Conflict:
        if run.turn is None or run.turn.held:
            raise
        # Another process had the thread between the reading and the writing: what it said belongs to the past now.
        await run.turn.take()
        run.input = given
        await _remember(run)
    if run.agent.goal is not None:
        from mastra.agents.goals import begin_goal  # noqa: PLC0415 - only agents with a goal need it

        await begin_goal(run)
    run.prompt = build_prompt(run)


async def _remember(run: Run) -> None:
    """Read what the thread holds, and keep what was said now."""
    plan = run.plan
    if plan.memory is not None and run.thread_id is not None:
        await _recall(run)
    if plan.input_processors:
        from mastra.agents.guards import process_input  # noqa: PLC0415 - only guarded agents need it

        run.input = await process_input(run, run.input)
    if plan.memory is not None and run.thread_id is not None and not run.options.read_only:
        with memory_span("save"):
            await plan.memory.record(
                thread_id=run.thread_id,
                resource_id=run.resource_id,
                run_id=run.run_id,
                step=0,
                messages=run.input,
                **_titling(run),
                **turn_of(run),
            )


async def _recall(run: Run) -> None:
    query = next((message.text for message in reversed(run.input) if message.role == "user"), None)
    options = dict(run.options.memory_options or {})
    with memory_span("recall") as span:
        recall = await run.plan.memory.recall(
            thread_id=run.thread_id, resource_id=run.resource_id, query=query or None, **options, **turn_of(run)
        )
        span.set(messages=len(recall.messages))
    run.recalled = list(recall.messages)
    run.remembered_system = tuple(recall.system)
    run.keep_pinned(recall)
    # Results that a client sends for calls of an earlier run belong to those calls.
    known = {message.id for message in run.recalled}
    run.input = [message for message in run.input if message.id not in known]
    run.adopt_results()


def build_prompt(run: Run) -> list[PromptMessage]:
    """What the model is sent: instructions, what memory adds, the thread, and what was said now."""
    prompt: list[PromptMessage] = list(run.plan.system)
    if run.structured is not None and run.structured.instructions:
        prompt.append(SystemMessage(run.structured.instructions))
    prompt.extend(SystemMessage(text) for text in run.remembered_system)
    if not run.recalled and not run.context and len(run.input) == 1:
        only = run.input[0]
        if only.role == "user" and len(only.parts) == 1 and only.parts[0].get("type") == "text":
            prompt.append(UserMessage((TextPart(only.parts[0]["text"]),)))
            return prompt if run.structured is None else _reminded(prompt, run.structured.reminder)
    prompt.extend(to_prompt([*run.recalled, *run.context, *run.input]))
    return prompt if run.structured is None else _reminded(prompt, run.structured.reminder)


def _reminded(prompt: list[PromptMessage], reminder: str | None) -> list[PromptMessage]:
    """The prompt with a reminder behind what the user said last."""
    if reminder is None:
        return prompt
    last = prompt[-1] if prompt else None
    if isinstance(last, UserMessage):
        return [*prompt[:-1], UserMessage((*last.parts, TextPart(reminder)))]
    return [*prompt, UserMessage((TextPart(reminder),))]


# ---------------------------------------------------------------- one call of the model


async def _model_step(run: Run) -> Step:
    run.budget.before_model()
    if run.emit is not None:
        await run.emit.room()
    number = len(run.steps)
    if run.options.prepare_step is not None or run.plan.input_processors:
        from mastra.agents.guards import prepare_step  # noqa: PLC0415 - only those who use it

        await prepare_step(run, number)
    plan, traced = run.plan, run.services.tracer is not None
    failure: ModelError | None = None
    for index, candidate in enumerate(plan.models):
        step = Step(number, candidate.model)
        if run.push is not None and index == 0:
            run.push(step_start_chunk(run, step))
        try:
            await (traced_inference(run, step, candidate, _ask) if traced else _ask(run, step, candidate))
        except ModelError as error:
            # What was said already cannot be taken back: then there is no second model.
            if not step.parts and await _tries_again(run, error):
                return await _model_step(run)
            if step.parts or index == len(plan.models) - 1:
                run.steps.append(step)
                raise
            failure = error
            log.warning("model %s failed (%s); trying the next one", candidate.model.model_id, error.code)
            continue
        except BaseException:
            run.steps.append(step)
            raise
        run.steps.append(step)
        _charge(run, step, candidate)
        if run.push is not None:
            remember_wire(run, step)
        return step
    raise failure or RunError("There is no model to ask.", run_id=run.run_id)


async def _tries_again(run: Run, error: ModelError) -> bool:
    allowed = run.options.max_processor_retries
    if not run.plan.error_processors or run.processor_retries >= (ERROR_RETRIES if allowed is None else allowed):
        return False
    from mastra.agents.guards import process_error  # noqa: PLC0415 - only guarded agents need it

    again = await process_error(run, error)
    run.processor_retries += again
    return again


async def _ask(run: Run, step: Step, candidate: Candidate) -> None:
    request = make_request(run, candidate)
    async with aclosing(candidate.model.stream(request)) as deltas:
        await fold(deltas, step, run)


def make_request(run: Run, candidate: Candidate) -> ModelRequest:
    """What is asked of a model in this step."""
    options = run.options
    settings: Any = options.model_settings or _NO_SETTINGS
    if candidate.max_retries is not None:
        settings = replace(settings, max_retries=candidate.max_retries)
    if run.services.tracer is not None and (trace := traceparent()) is not None:
        settings = replace(settings, headers={"traceparent": trace, **settings.headers})
    structured = run.structured
    output = None if structured is None else structured.spec_for(candidate.model, has_tools=bool(run.plan.specs))
    specs = run.plan.specs
    return ModelRequest(
        messages=tuple(run.prompt),
        tools=specs,
        tool_choice=run.tool_choice if specs else "auto",
        output=output,
        settings=settings,
        provider_options=dict(options.provider_options) if options.provider_options else {},
        deadline=run.budget.deadline,
    )


def _charge(run: Run, step: Step, candidate: Candidate) -> None:
    usage = step.usage
    profile = candidate.model.profile
    cost = profile.cost_of(usage)
    run.cost += cost
    run.usage = usage if len(run.steps) == 1 and not run.carried else run.usage.plus(usage)
    run.budget.charge(usage, cost)
    if not run.metadata.get("modelId"):
        run.metadata["modelId"] = candidate.model.model_id
        run.metadata["provider"] = candidate.model.provider


# ---------------------------------------------------------------- closing a step


async def _after_tools(run: Run, step: Step, outcomes: list[Outcome]) -> bool:
    """Close a step whose tools have answered; whether to ask the model again."""
    client = any(outcome.status == "client" for outcome in outcomes)
    continued = not client and _may_go_on(run)
    if continued and run.options.stop_when is not None:
        continued = not await _stops(run, step)
    await _close_step(run, step, continued=continued)
    if continued:
        _go_on(run, step)
    return continued


def _go_on(run: Run, step: Step) -> None:
    """The model reads its own step before the next one."""
    run.prompt.extend(assistant_prompt(step.parts))
    if run.parts:  # a resumed run begins a message of its own
        run.parts.append({"type": "step-start", "createdAt": now_ms(), "model": _model_name(step)})


def _model_name(step: Step) -> str:
    return f"{step.model.provider}/{step.model.model_id}"


async def _stops(run: Run, step: Step) -> bool:
    conditions = run.options.stop_when
    for condition in conditions if isinstance(conditions, list | tuple) else (conditions,):
        said = condition(run.steps) if callable(condition) else condition in {call.name for call in step.calls}
        if inspect.isawaitable(said):
            said = await said
        if said:
            return True
    return False


async def _close_step(run: Run, step: Step, *, continued: bool) -> None:
    """Put the step into the answer, record it, and tell the listener."""
    if run.plan.output_processors:
        from mastra.agents.guards import process_output_step  # noqa: PLC0415 - only guarded agents need it

        await process_output_step(run, step)
        if run.journal is not None and step.stored and step.parts and run.parts:
            run.parts[-len(step.parts) :] = step.parts  # what was written down is as it was before the processors
    if not step.stored:
        run.parts.extend(step.parts)
        step.stored = True
    run.finish_reason = step.finish_reason
    if run.plan.output_processors and not continued:
        from mastra.agents.guards import process_output_result  # noqa: PLC0415 - the same

        await process_output_result(run)
    # Results of background tasks may still come.
    await record(run, last=not continued and run.background is None)
    if run.push is not None:
        run.push(step_finish_chunk(run, step, continued=continued))
    if run.options.on_step_finish is not None:
        await tell(run, "on_step_finish", run.options.on_step_finish, step)


def _titling(run: Run) -> dict[str, Any]:
    """The way to a title for the thread, for memories that want one."""
    options = getattr(run.plan.memory, "options", None)
    if not getattr(options, "generate_title", False):
        return {}
    from mastra.agents.titles import make_title  # noqa: PLC0415 - only threads that want a title need it

    model = run.plan.model
    return {"make_title": lambda text: make_title(model, text)}


async def _wants_more(run: Run, step: Step) -> str | None:
    """What sends the model on after an answer: structured output to repair, feedback of a completion check."""
    run.finish_reason = step.finish_reason
    structured = run.structured
    if structured is not None:
        await structured.finish(run, step)
        if structured.feedback is not None:
            message, structured.feedback = structured.feedback, None
            return message
    if "goal" in run.state:
        from mastra.agents.goals import check_goal  # noqa: PLC0415 - only runs with an objective need it

        feedback = await check_goal(run, step)
        if feedback is not None:
            return feedback
    if run.options.on_iteration_complete is None and run.options.is_task_complete is None:
        return None
    from mastra.agents.completion import check_completion  # noqa: PLC0415 - only those who use it

    feedback = await check_completion(run, step)
    return feedback if _may_go_on(run) else None


def _may_go_on(run: Run) -> bool:
    """Whether the model may be asked once more."""
    return len(run.steps) + run.carried < run.options.max_steps
