"""A run of a workflow, as its user holds it: start, stream, resume, cancel, restart, travel back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from mastra.errors import (
    Aborted,
    InvalidInput,
    NotSuspended,
    ResumeClaimed,
    RunExists,
    StepFailed,
    Tripwire,
)
from mastra.runtime.request_context import RequestContext
from mastra.runtime.signals import Bail
from mastra.runtime.tracing import NO_SPAN, span
from mastra.types.schema import to_json
from mastra.workflows.chunks import describe_error, finish_facts
from mastra.workflows.engine import Execution
from mastra.workflows.inbox import Inbox
from mastra.workflows.records import FINAL, RunState
from mastra.workflows.results import WorkflowResult
from mastra.workflows.stops import Parked, Paused, Waiting
from mastra.workflows.stream import WorkflowStream
from mastra.workflows.targets import find_targets
from mastra.workflows.travel import prepare_travel

if TYPE_CHECKING:
    from mastra.runtime.broadcast import RunLog
    from mastra.runtime.services import Services
    from mastra.types.chunks import Chunk
    from mastra.workflows.journal import Journal
    from mastra.workflows.workflow import Workflow

In = TypeVar("In")
Out = TypeVar("Out")
Step = Any


class Run(Generic[In, Out]):
    """One run. All its state is in `state`; with a journal it is also in storage."""

    def __init__(self, workflow: Workflow[In, Out], state: RunState, journal: Journal | None = None) -> None:
        self.workflow = workflow
        self.state = state
        self.journal = journal
        self.inbox = Inbox() if journal is None else journal.inbox
        self.log: RunLog | None = None
        self._task: asyncio.Task[Any] | None = None
        self._execution: Execution | None = None
        self._canceled = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._finish_hooks_done = False

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.state.run_id

    @property
    def status(self) -> str:
        """How the run stands."""
        return self.state.status

    @property
    def _services(self) -> Services:
        return self.workflow.services

    # ------------------------------------------------------------ start

    async def start(
        self,
        input: In | Any = None,
        *,
        state: Any = None,
        request_context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> WorkflowResult[Out]:
        """Run until it ends or waits for somebody. A second start with the same input finds the first."""
        if not await self._accept(input, state, request_context):
            return await self.wait()
        return await self._carry(self._prepare(per_step=per_step))

    async def start_async(self, input: In | Any = None, **options: Any) -> str:
        """Start, and return once the run is accepted; it goes on by itself. The run's id."""
        if await self._accept(input, options.get("state"), options.get("request_context")):
            self._spawn(self._prepare(per_step=options.get("per_step", False)))
        return self.run_id

    def stream(self, input: In | Any = None, **options: Any) -> WorkflowStream[Out]:
        """Start, and follow the chunks as they come."""
        return self._stream(lambda: self.start(input, **options))

    async def _accept(self, input: Any, state: Any, request_context: Mapping[str, Any] | None) -> bool:
        run, workflow = self.state, self.workflow
        given = workflow.accept(input)
        initial = workflow.accept_state(state)
        if run.status != "pending" or self._execution is not None:
            if to_json(run.input) != to_json(given):
                raise RunExists(
                    f"Run {run.run_id!r} exists with other input.", run_id=run.run_id, hint="Choose another run id."
                )
            return False
        run.input, run.state, run.initial_state = given, initial, initial
        run.request_values = _values(request_context)
        run.status = "running"
        return self.journal is None or await self.journal.begin(run)

    # ------------------------------------------------------------ resume

    async def resume(
        self,
        data: Any = None,
        *,
        step: Any = None,
        path: Sequence[str] | None = None,
        label: str | None = None,
        for_each_index: int | None = None,
        request_context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> WorkflowResult[Out]:
        """Answer a waiting step and go on until the run ends or waits again. One caller wins; others get a conflict.

        The step is found by itself or its id, by path, by label, or it is the only one that waits.
        """
        execution = await self._claim(data, step, path, label, for_each_index, request_context, per_step=per_step)
        return await self._carry(execution)

    async def resume_async(self, data: Any = None, **options: Any) -> str:
        """Answer a waiting step and return once that is accepted; the run goes on by itself."""
        self._spawn(await self._claim(data, **_claim_options(options)))
        return self.run_id

    def resume_stream(self, data: Any = None, **options: Any) -> WorkflowStream[Out]:
        """Answer a waiting step and follow the chunks."""
        return self._stream(lambda: self.resume(data, **options))

    async def _claim(
        self,
        data: Any,
        step: Any = None,
        path: Sequence[str] | None = None,
        label: str | None = None,
        for_each_index: int | None = None,
        request_context: Mapping[str, Any] | None = None,
        *,
        per_step: bool = False,
    ) -> Execution:
        if self.journal is not None:
            await self.journal.refresh(self)
        run = self.state
        if run.status == "paused" and data is None and step is None:
            return await self._reopen({}, request_context, per_step=per_step)
        if run.status == "running" and self._execution is not None and not run.suspended:
            raise ResumeClaimed(
                f"Run {run.run_id!r} is at work: somebody resumed it already.", run_id=run.run_id,
                hint="Wait for its result.",
            )  # fmt: skip
        answers = find_targets(self.workflow, run, data, step, path, label, for_each_index)
        if not answers:
            raise NotSuspended("This workflow run was not suspended", run_id=run.run_id, hint="")
        return await self._reopen(answers, request_context, per_step=per_step)

    async def _reopen(
        self, answers: dict[str, Any], request_context: Mapping[str, Any] | None, *, per_step: bool
    ) -> Execution:
        run = self.state
        if self._execution is not None:
            raise ResumeClaimed(f"Run {run.run_id!r} is at work.", run_id=run.run_id, hint="Wait for its result.")
        run.status = "running"
        if request_context is not None:
            run.request_values = {**run.request_values, **_values(request_context)}
        execution = self._prepare(per_step=per_step)
        execution.answers = answers
        if self.journal is not None:
            try:
                await self.journal.resume(run, answers)
            except BaseException:
                self._execution = None
                raise
        return execution

    # ------------------------------------------------------------ again

    async def restart(self, *, request_context: Mapping[str, Any] | None = None) -> WorkflowResult[Out]:
        """Take up a run that was left, or try a failed one again from the step that failed."""
        return await self._carry(await self._again(request_context))

    async def restart_async(self, **options: Any) -> str:
        """`restart`, without waiting for the end."""
        self._spawn(await self._again(options.get("request_context")))
        return self.run_id

    async def _again(self, request_context: Mapping[str, Any] | None) -> Execution:
        if self.journal is not None:
            await self.journal.refresh(self)
        run = self.state
        if run.status == "pending":
            raise NotSuspended("This workflow run was not started", run_id=run.run_id, hint="Start it.")
        for key in [key for key, one in run.records.items() if one.status == "failed"]:
            run.steps.pop(run.records.pop(key).id, None)
        run.error = run.cause = None
        return await self._reopen({}, request_context, per_step=False)

    async def time_travel(
        self,
        step: Any,
        *,
        input: Any = None,
        context: Mapping[str, Any] | None = None,
        resume_data: Any = None,
        state: Any = None,
        per_step: bool = False,
        request_context: Mapping[str, Any] | None = None,
    ) -> WorkflowResult[Out]:
        """Run again from a step on, with its recorded input or another one, and what `context` says went before."""
        execution = await self._travel(step, input, context, resume_data, state, request_context, per_step=per_step)
        return await self._carry(execution)

    async def time_travel_async(self, step: Any, **options: Any) -> str:
        """`time_travel`, without waiting for the end."""
        given = {"input": None, "context": None, "resume_data": None, "state": None, "request_context": None, **options}
        per_step = given.pop("per_step", False)
        self._spawn(await self._travel(step, **given, per_step=per_step))
        return self.run_id

    def time_travel_stream(self, step: Any, **options: Any) -> WorkflowStream[Out]:
        """`time_travel`, following the chunks."""
        return self._stream(lambda: self.time_travel(step, **options))

    async def _travel(
        self,
        step: Any,
        input: Any,
        context: Mapping[str, Any] | None,
        resume_data: Any,
        state: Any,
        request_context: Mapping[str, Any] | None,
        *,
        per_step: bool,
    ) -> Execution:
        if self.journal is not None:
            await self.journal.refresh(self)
        run = self.state
        if self._execution is not None:
            raise ResumeClaimed(f"Run {run.run_id!r} is at work.", run_id=run.run_id, hint="Cancel it first.")
        trip = prepare_travel(self.workflow, run, step, input, context, resume_data, now=_now(self._services))
        if state is not None:
            run.state = self.workflow.accept_state(state)
        if request_context is not None:
            run.request_values = {**run.request_values, **_values(request_context)}
        run.status = "running"
        run.result = run.error = run.cause = None
        execution = self._prepare(per_step=per_step)
        execution.injected = trip.injected
        execution.answers = trip.answers
        if self.journal is not None:
            await self.journal.travel(run)
        return execution

    # ------------------------------------------------------------ stop and look

    async def cancel(self) -> None:
        """Stop the run now: its steps and sleeps are interrupted. A finished run stays as it is."""
        if self.journal is not None and not await self.journal.cancel(self.state):
            return
        if self.state.status in FINAL:
            return
        self._canceled = True
        self.state.status = "canceled"
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await self._idle.wait()

    async def wait(self) -> WorkflowResult[Out]:
        """Wait until the run ends or waits for somebody, whoever carries it."""
        await self._idle.wait()
        if self.journal is not None:
            await self.journal.settled(self)
        return WorkflowResult(self.state)

    def observe(self, offset: int = 0) -> AsyncIterator[Chunk]:
        """The chunks of a run that is or was streamed, from an offset on; then as they come."""
        return self._observe(offset)

    async def _observe(self, offset: int) -> AsyncIterator[Chunk]:
        log = self.log or self._services.runs.get(self.run_id)
        if log is None:
            if self._execution is None:
                return
            log = self.log = self._execution.feed = self._services.runs.open(self.run_id)
        async for observed in log.observe(offset):
            yield observed.chunk

    async def send_event(self, name: str, data: Any = None) -> None:
        """Give the run an event; it is stored before this returns, whether or not the run waits for it yet."""
        await self.workflow.send_event(self.run_id, name, data)

    # ------------------------------------------------------------ carrying

    def _prepare(self, *, per_step: bool = False) -> Execution:
        context = RequestContext()
        for key, value in self.state.request_values.items():
            context[key] = value
        execution = Execution(
            self.state, self.workflow.nodes, self._services, context, hooks=self.workflow.hooks, inbox=self.inbox,
            journal=self.journal, feed=self.log, per_step=per_step,
        )  # fmt: skip
        self._execution = execution
        return execution

    def _stream(self, carry: Any) -> WorkflowStream[Out]:
        log = self.log = self._services.runs.open(self.run_id)
        return WorkflowStream(self.run_id, log, len(log), carry, self._missed)

    async def _missed(self) -> list[Chunk]:
        from mastra.types.chunks import Chunk as Made  # noqa: PLC0415 - only for who fell far behind
        from mastra.workflows.chunks import result_facts  # noqa: PLC0415 - the same

        return [
            Made("workflow-step-result", result_facts(one), self.run_id, "WORKFLOW")
            for one in list(self.state.steps.values()) if one.status in ("success", "failed")
        ]  # fmt: skip

    def _spawn(self, execution: Execution) -> None:
        self._task = self._services.background.spawn(self._carry(execution), f"workflow-run-{self.run_id}")

    async def _carry(self, execution: Execution) -> WorkflowResult[Out]:
        self._idle.clear()
        self._task = asyncio.current_task()
        run = self.state
        tracer = self._services.tracer
        try:
            execution.emit("workflow-start", {"workflowId": run.workflow_id})
            if self.workflow.hooks.on_start is not None:
                await _call(self.workflow.hooks.on_start, self)
            around = NO_SPAN if tracer is None else span(
                tracer, f"workflow run: '{run.workflow_id}'", "workflow_run", run_id=run.run_id,
                entity_type="workflow", entity_id=run.workflow_id, entity_name=run.workflow_id,
                input=to_json(run.input), resource_id=run.resource_id,
            )  # fmt: skip
            with around as current:
                if current.trace_id:
                    run.trace = (current.trace_id, current.span_id)
                await self._pass(execution)
                current.set_output(to_json(run.result))
            if run.status in FINAL or self.journal is not None:
                await self._finish(execution)
            if run.status != "waiting":
                await self._announce(execution)
        finally:
            run.updated_at = execution.now()
            self._execution = None
            self._task = None
            self._idle.set()
            if self.log is not None:
                self.log.close()
        return WorkflowResult(run)

    async def _pass(self, execution: Execution) -> None:
        run = self.state
        try:
            output = await execution.carry()
            run.result = self.workflow.give(output)
            run.status = "success"
        except Waiting:
            run.status = "suspended"
        except Paused:
            run.status = "paused"
        except Parked:
            run.status = "waiting"
        except Bail as signal:
            run.result = signal.result
            run.status = "success"
        except Aborted as error:
            self._fail("canceled", error)
        except Tripwire as error:
            self._fail("tripwire", error)
        except StepFailed as error:
            tripped = isinstance(error.__cause__, Tripwire)
            self._fail("tripwire" if tripped else "failed", error)
        except InvalidInput as error:
            self._fail("failed", error)
        except asyncio.CancelledError:
            if not self._canceled:
                if self.journal is None:
                    run.status = "canceled"
                raise
            task = asyncio.current_task()
            if task is not None and hasattr(task, "uncancel"):
                task.uncancel()
            run.status = "canceled"

    def _fail(self, status: str, error: BaseException) -> None:
        self.state.status = status
        self.state.cause = error
        self.state.error = describe_error(error)

    async def _finish(self, execution: Execution) -> None:
        run = self.state
        if run.status in ("failed", "canceled") and any(step.compensate for step in self.workflow.compensating):
            from mastra.workflows.compensation import compensate  # noqa: PLC0415 - only for workflows that have some

            await compensate(execution, self.workflow)
        if self.journal is not None:
            await self.journal.finish(run)

    async def _announce(self, execution: Execution) -> None:
        run, hooks = self.state, self.workflow.hooks
        if run.status == "canceled":
            execution.emit("workflow-canceled", {})
        elif run.status == "paused":
            execution.emit("workflow-paused", {})
        execution.emit("workflow-finish", finish_facts(run))
        if run.status in FINAL and not self._finish_hooks_done:
            self._finish_hooks_done = True
            if hooks.on_error is not None and run.status == "failed":
                await _call(hooks.on_error, WorkflowResult(run))
            if hooks.on_finish is not None:
                await _call(hooks.on_finish, WorkflowResult(run))


async def _call(hook: Any, given: Any) -> None:
    made = hook(given)
    if asyncio.iscoroutine(made):
        await made


def _values(context: Mapping[str, Any] | None) -> dict[str, Any]:
    if context is None:
        return {}
    return cast("dict[str, Any]", to_json(context.to_wire() if isinstance(context, RequestContext) else dict(context)))


def _claim_options(options: dict[str, Any]) -> dict[str, Any]:
    known = {"step", "path", "label", "for_each_index", "request_context", "per_step"}
    unknown = set(options) - known
    if unknown:
        raise InvalidInput(f"resume does not know {', '.join(sorted(unknown))}.")
    return options


def _now(services: Services) -> int:
    return int(services.clock.now().timestamp() * 1000)
