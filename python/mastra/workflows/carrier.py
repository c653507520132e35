"""Carries a run: one pass over its graph after another, each begun by its handle or by the worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mastra.errors import (
    Aborted,
    Conflict,
    InvalidInput,
    LeaseLost,
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
from mastra.workflows.ownership import cancel_stored, wait_settled
from mastra.workflows.records import ACTIVE, FINAL, RunState
from mastra.workflows.results import WorkflowResult
from mastra.workflows.stops import Parked, Paused, Waiting
from mastra.workflows.stream import WorkflowStream
from mastra.workflows.tables import RUNS

if TYPE_CHECKING:
    from mastra.runtime.broadcast import RunLog
    from mastra.runtime.services import Services
    from mastra.types.chunks import Chunk
    from mastra.workflows.journal import Journal
    from mastra.workflows.workflow import Workflow

In = TypeVar("In")
Out = TypeVar("Out")
Step = Any


class Carrier(Generic[In, Out]):
    """A run and the pass that is at work on it, if one is."""

    def __init__(self, workflow: Workflow[In, Out], state: RunState, journal: Journal | None = None) -> None:
        self.workflow = workflow
        self.state = state
        self.journal = journal
        self.definition: Workflow[In, Out] = workflow
        self.inbox: Inbox = Inbox() if journal is None else journal.inbox
        self.log: RunLog | None = None
        self._task: asyncio.Task[Any] | None = None
        self._execution: Execution | None = None
        self._canceled = False
        # While its first row is being written; set when that is over.
        self._beginning: asyncio.Event | None = None
        # Whether its task is at steps and may be cancelled. One that has not begun would never tell that it ended.
        self._at_steps = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._lost = False
        self._rewritten = False
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

    async def cancel(self) -> None:
        """Stop the run now: its steps and sleeps are interrupted. A finished run stays as it is."""
        if self._beginning is not None:
            self._canceled = True
            await self._beginning.wait()
        if self.journal is not None and not self.is_active:
            await cancel_stored(self)
            return
        if self.state.status in FINAL:
            return
        self.state.status = "canceled"
        task = self._task
        self._interrupt()
        if task is not None and task is not asyncio.current_task():
            await self._idle.wait()
            if self.journal is not None and self.journal.row.get("status") not in FINAL:
                # It had let go of the run by then, or could not write it down.
                await cancel_stored(self)

    async def wait(self) -> WorkflowResult[Out]:
        """Wait until the run ends or waits for somebody, whoever carries it."""
        await self._idle.wait()
        if self.journal is not None:
            await wait_settled(self)
        return WorkflowResult(self.state)

    # ------------------------------------------------------------ carrying

    def _prepare(self, *, per_step: bool = False) -> Execution:
        context = RequestContext()
        for key, value in self.state.request_values.items():
            context[key] = value
        execution = Execution(
            self.state, self.definition.nodes, self._services, context, hooks=self.workflow.hooks, inbox=self.inbox,
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

    async def _carried(self, execution: Execution) -> WorkflowResult[Out]:
        if self.journal is None:
            return await self._carry(execution)
        # A stored run belongs to nobody's call: a caller that is cancelled leaves it running.
        await self._launch(execution)
        task = self._task
        if task is not None:
            await asyncio.wait({task})
            if not (task.cancelled() and self._canceled):
                task.result()
        if self.state.status in ACTIVE:
            return await self.wait()
        return WorkflowResult(self.state)

    async def _launch(self, execution: Execution) -> None:
        if self.journal is None:
            self.go(execution)
        else:
            await self.journal.worker.dispatch.submit(self, execution)

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
                entity_type="workflow_run", entity_id=run.workflow_id, entity_name=run.workflow_id,
                input=to_json(run.input), resource_id=run.resource_id,
            )  # fmt: skip
            with around as current:
                if current.trace_id:
                    run.trace = (current.trace_id, current.span_id)
                if self._canceled:
                    run.status = "canceled"  # while it waited for its turn
                else:
                    self._at_steps = True
                    await self._pass(execution)
                while not self._lost and not await self._settle(execution):
                    await self._pass(execution)
                current.set_output(to_json(run.result))
            if not self._lost and run.status not in ACTIVE:
                await self._announce(execution)
        except Exception:
            if self.journal is not None:
                # Not the run's fault: storage failed for longer than a write waits. It is taken up again from there.
                self.journal.worker.orphans.add(self.journal.key)
            raise
        finally:
            run.updated_at = execution.now()
            self._execution = None
            self._task = None
            self._at_steps = False
            self._idle.set()
            self._settled()
            if self.log is not None:
                self.log.close()
        return WorkflowResult(run)

    # ------------------------------------------------------------ for the worker

    @property
    def is_active(self) -> bool:
        """Whether the run is at work in this handle."""
        return self._execution is not None

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """The task that carries the run."""
        return self._task

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._services.clock.now().timestamp() * 1000)

    def adopt(self, journal: Journal) -> None:
        """Take what storage has in place of what this handle knew."""
        self.state, self.journal, self.inbox = journal.state, journal, journal.inbox

    async def carry_on(self, *, at_once: bool = False) -> None:
        """Go on from where the records end; `at_once` when the executor has given the run its turn already."""
        if at_once:
            self.go(self._prepare())
        else:
            await self._launch(self._prepare())

    def line_up(self) -> None:
        """It waits for its turn, and is nobody else's to take."""
        self._idle.clear()
        if self.journal is not None:
            self.journal.worker.active[self.journal.key] = self

    def go(self, execution: Execution) -> asyncio.Task[Any]:
        """Carry the run from now on."""
        self.line_up()
        # Not one of the tasks that may be dropped when there are many: whoever waits for the run would wait for ever.
        self._task = asyncio.get_running_loop().create_task(self._carry(execution), name=f"workflow-run-{self.run_id}")
        self._services.background.adopt(self._task)
        return self._task

    def let_go(self) -> None:
        """It is not carried here."""
        self._execution = None
        self._idle.set()
        self._settled()

    async def end(self, status: str, error: dict[str, Any] | None = None) -> None:
        """End a run that this process owns and nobody carries."""
        self.state.status = status
        self.state.error = error or self.state.error
        execution = self._prepare()
        try:
            await self._finish(execution)
            await self._announce(execution)
        finally:
            self._execution = None
            self._settled()

    async def obey_cancel(self) -> None:
        """Another process asked to stop the run that is at work here."""
        assert self.journal is not None
        row = await self.journal.storage.get(RUNS, self.journal.key)
        if row is None or not row.get("cancel"):
            return
        self.journal.row = row
        try:
            await self.journal.claim(None, status="running", cancel=False)
        except Conflict:
            return
        self._interrupt()

    def _interrupt(self) -> None:
        """Cancel what is at work; a run that is only about to begin sees it then."""
        self._canceled = True
        if self._at_steps and self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def _settled(self) -> None:
        if self.journal is not None:
            worker = self.journal.worker
            worker.active.pop(self.journal.key, None)
            worker.settled(self.journal.key)

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
            run.status = "suspended" if run.suspended else "waiting"
        except LeaseLost:
            await self._lost_lease()
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

    async def _lost_lease(self) -> None:
        self._lost = True
        self.state.status = "running"
        await self.obey_cancel()
        if self._canceled:
            # It was lost to somebody who only wanted it stopped.
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            self._lost = False
            self.state.status = "canceled"

    def _fail(self, status: str, error: BaseException) -> None:
        self.state.status = status
        self.state.cause = error
        self.state.error = describe_error(error)

    async def _settle(self, execution: Execution) -> bool:
        """Finish, also when the run was taken at this moment by somebody who only wants it stopped."""
        try:
            return await self._finish(execution)
        except LeaseLost:
            await self._lost_lease()
            return self._lost or await self._finish(execution)

    async def _finish(self, execution: Execution) -> bool:
        """Commit how the run stands; False when there is more to do: an event came that it waits for."""
        run = self.state
        if run.status in ("failed", "canceled") and any(step.compensate for step in self.workflow.compensating):
            from mastra.workflows.compensation import compensate  # noqa: PLC0415 - only for workflows that have some

            await compensate(execution, self.workflow)
        if self.journal is None:
            return True
        waits = [one for one in run.records.values() if one.status == "waiting"] if run.status not in FINAL else []
        if waits and run.status in ("waiting", "suspended"):
            due = min((one.wake_at for one in waits if one.wake_at is not None), default=None)
            return await self.journal.park(due)
        await self.journal.finish(run)
        return True

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
