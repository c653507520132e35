"""Carries one run through its graph: executes steps, keeps their records, emits their chunks.

A pass over the graph skips what is recorded already, so starting, resuming and recovering are the same pass.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from mastra.errors import Aborted, Conflict, InvalidInput, LeaseLost, StepFailed
from mastra.runtime.clock import SYSTEM_CLOCK
from mastra.runtime.signals import Bail, Signal, Suspend
from mastra.runtime.tracing import current_span, inside
from mastra.types.chunks import Chunk, Origin
from mastra.types.ids import new_id
from mastra.types.schema import to_json
from mastra.types.secrets import redact
from mastra.workflows import crashpoints, flow
from mastra.workflows.attempts import attempt
from mastra.workflows.chunks import describe_error, facts, result_facts, suspension_facts
from mastra.workflows.context import StepContext
from mastra.workflows.graph import Leaf, MapNode, Node, StepNode
from mastra.workflows.records import USAGE, RunState, Scope, StepRecord
from mastra.workflows.scoring import score_later
from mastra.workflows.stops import Paused, Waiting

if TYPE_CHECKING:
    from mastra.runtime.broadcast import RunLog
    from mastra.runtime.request_context import RequestContext
    from mastra.runtime.services import Services
    from mastra.workflows.builder import Hooks
    from mastra.workflows.inbox import Inbox
    from mastra.workflows.journal import Journal
    from mastra.workflows.step import Step

NOTHING: Any = object()


class Execution:
    """One pass over the graph of one run."""

    def __init__(
        self,
        run: RunState,
        nodes: Sequence[Node],
        services: Services,
        request_context: RequestContext,
        *,
        hooks: Hooks,
        inbox: Inbox,
        journal: Journal | None = None,
        feed: RunLog | None = None,
        per_step: bool = False,
    ) -> None:
        self.run = run
        self.nodes = nodes
        self.services = services
        self.request_context = request_context
        self.hooks = hooks
        self.inbox = inbox
        self.journal = journal
        self.feed = feed
        self.per_step = per_step
        self.per_step_done = False
        self.now = _system_now if services.clock is SYSTEM_CLOCK else self._clock_now

    @property
    def is_durable(self) -> bool:
        """Whether there is a journal."""
        return self.journal is not None

    def _clock_now(self) -> int:
        return int(self.services.clock.now().timestamp() * 1000)

    # ------------------------------------------------------------ the pass

    async def carry(self) -> Any:
        """Run what is left to run; the workflow's result. Leaves by `Waiting`, `Paused`, `Parked` or an error."""
        return await self.sequence(Scope(self.nodes), self.run.input)

    async def sequence(self, scope: Scope, value: Any) -> Any:
        """Nodes one after another, each fed with the result of the one before."""
        last = len(scope.nodes) - 1
        run_step = self.step if current_span() is None else self._traced_step
        for index, node in enumerate(scope.nodes):
            if type(node) is StepNode or type(node) is MapNode:
                value = await run_step(node.step, value, scope, "", in_path=scope.is_root, is_last=index == last)
            else:
                value = await flow.run(self, node, value, scope)
            if self.per_step_done and scope.is_root and index < last:
                raise Paused
        return value

    async def leaf(
        self,
        node: Leaf,
        value: Any,
        scope: Scope,
        suffix: str,
        *,
        in_path: bool = False,
        iteration: int | None = None,
        is_item: bool = False,
    ) -> Any:
        """Run a node that has an id of its own: a step, a mapping or a nested workflow."""
        if isinstance(node, StepNode | MapNode):
            run_step = self.step if current_span() is None else self._traced_step
            return await run_step(
                node.step, value, scope, suffix, in_path=in_path, iteration=iteration, is_item=is_item
            )
        return await flow.run_nested(self, node, value, scope, suffix, in_path, iteration, is_item)

    async def step(
        self,
        step: Step[Any, Any],
        value: Any,
        scope: Scope,
        suffix: str,
        *,
        in_path: bool = False,
        iteration: int | None = None,
        is_item: bool = False,
        is_last: bool = False,
    ) -> Any:
        """Execute one step, unless its result is recorded; its output."""
        run, key = self.run, f"{scope.prefix}{step.id}{suffix}"
        record = run.records.get(key)
        if record is not None and record.status == "success":
            if record.is_stored:
                record.output = step.restore(record.output)
                record.is_stored = False
            return record.output
        if record is not None and record.status == "failed":
            message = f"Step {record.id!r} failed: {(record.error or {}).get('message', '')}"
            raise StepFailed(message, run_id=run.run_id, step=record.id, hint="")
        if key in run.injected:
            value = run.injected[key]
        answer = NOTHING
        if record is not None and record.status == "suspended":
            answer = run.answers.pop(key, NOTHING)
            if answer is NOTHING:
                raise Waiting
        if self.journal is not None and self.journal.is_stale:
            await self.journal.check()
        record = self._begin(
            record, step, value, scope, key, answer, in_path=in_path, iteration=iteration, is_item=is_item
        )
        if scope.side_by_side and self.feed is not None:
            await asyncio.sleep(0)
        context: StepContext | None = None
        is_plain = step.is_plain and not self.hooks.retries
        try:
            given = step.accept(value)
            if step.takes_context or not is_plain:
                context = StepContext(self, step.id, key, scope.prefix, given)
                context.suspend_data = record.suspend_payload
                if answer is not NOTHING:
                    context.resume_data = answer
            if is_plain:
                if self.journal is not None:
                    crashpoints.reach("before-effect")
                if context is None:
                    output = step.execute(given) if step.takes_input else step.execute()
                else:
                    output = step.execute(given, context) if step.takes_input else step.execute(context)
                if step.is_async or type(output) is CoroutineType:
                    output = await output
                if self.journal is not None:
                    crashpoints.reach("after-effect")
            else:
                assert context is not None
                output = await attempt(self, step, given, context, record)
            record.output = step.give(output)
        except Suspend as signal:
            await self._suspended(step, record, signal, is_item=is_item)
            raise Waiting from None
        except Bail as signal:
            record.output = step.give(signal.result) if step.output is None else to_json(signal.result)
            await self._succeeded(step, record, context, is_item=is_item, is_last=False)
            raise Bail(record.output) from None
        except (Aborted, LeaseLost, Signal):
            raise
        except Exception as error:
            await self._failed(record, error, is_item=is_item)
            raise StepFailed(
                f"Step {record.id!r} failed: {redact(str(error))}", run_id=run.run_id, step=record.id, hint=""
            ) from error
        try:
            await self._succeeded(step, record, context, is_item=is_item, is_last=is_last)
        except (Conflict, InvalidInput) as error:
            # A precondition among the step's own effects, or a value that storage does not take: nothing was written.
            record.output = None
            await self._failed(record, error, is_item=is_item)
            raise StepFailed(
                f"Step {record.id!r} failed: {redact(str(error))}", run_id=run.run_id, step=record.id, hint=""
            ) from error
        return record.output

    async def _traced_step(self, step: Step[Any, Any], value: Any, scope: Scope, suffix: str, **how: Any) -> Any:
        key = f"{scope.prefix}{step.id}{suffix}"
        record = self.run.records.get(key)
        # What is recorded, and what goes on waiting, does not run.
        if record is not None and (record.status != "suspended" or key not in self.run.answers):
            return await self.step(step, value, scope, suffix, **how)
        facts = {"entity_type": "workflow_step", "entity_id": step.id, "entity_name": step.id}
        with inside(f"workflow step: '{step.id}'", "workflow_step", input=to_json(value), **facts) as span:
            output = await self.step(step, value, scope, suffix, **how)
            span.set_output(to_json(output))
            return output

    def _begin(
        self,
        record: StepRecord | None,
        step: Step[Any, Any],
        value: Any,
        scope: Scope,
        key: str,
        answer: Any,
        *,
        in_path: bool,
        iteration: int | None,
        is_item: bool,
    ) -> StepRecord:
        now = self.now()
        if record is None:
            record = StepRecord(scope.wire + step.id, key, value, now)
            record.in_path = in_path
            record.iteration = iteration
            if iteration is not None:
                self.run.loops[key.rpartition("#")[0]] = iteration
            self.run.add(record, visible=not is_item)
            if in_path:
                self.run.path.append(record.id)
        elif answer is not NOTHING:
            record.resume_payload, record.resumed_at = answer, now
        record.payload = value
        record.status = "running"
        if self.feed is not None and not is_item:
            record.call_id = new_id()
            self.emit("workflow-step-start", facts(record, "running"))
        if self.hooks.on_step_start is not None:
            self.hooks.on_step_start(record)
        return record

    async def _succeeded(
        self, step: Step[Any, Any], record: StepRecord, context: StepContext | None, *, is_item: bool, is_last: bool
    ) -> None:
        record.status = "success"
        record.ended_at = self.now()
        journal = self.journal
        if journal is not None:
            effects = context.effects if context is not None else None
            if is_last and record.in_path and not effects and not self.per_step:
                journal.defer(record)  # committed together with the end of the run, which follows at once
            else:
                await journal.step(record, effects)
        self.per_step_done = self.per_step
        if journal is not None and journal.has_deferred:
            # Nobody hears of a result that is not written yet.
            journal.after_flush.append(lambda: self._tell(step, record, is_item=is_item))
        else:
            self._tell(step, record, is_item=is_item)

    def _tell(self, step: Step[Any, Any], record: StepRecord, *, is_item: bool) -> None:
        if self.feed is not None and not is_item:
            self.emit("workflow-step-result", result_facts(record))
        if self.hooks.on_step_finish is not None:
            self.hooks.on_step_finish(record)
        if step.scorers:
            score_later(self, step, record)

    async def _failed(self, record: StepRecord, error: Exception, *, is_item: bool) -> None:
        record.status = "failed"
        record.ended_at = self.now()
        record.error = describe_error(error)
        if self.journal is not None:
            await self.journal.step(record, None)
        if self.feed is not None and not is_item:
            self.emit("workflow-step-result", result_facts(record))
        if self.hooks.on_step_finish is not None:
            self.hooks.on_step_finish(record)

    async def _suspended(self, step: Step[Any, Any], record: StepRecord, signal: Suspend, *, is_item: bool) -> None:
        payload = signal.payload
        if step.suspend is not None:
            payload = step.suspend.dump(step.suspend.validate(to_json(payload)))
        record.suspend_payload = to_json(payload)
        record.label = signal.label
        record.status = "suspended"
        record.suspended_at = self.now()
        if self.journal is not None:
            await self.journal.step(record, None)
        if self.feed is not None and not is_item:
            self.emit("workflow-step-suspended", suspension_facts(record))

    # ------------------------------------------------------------ chunks

    def emit(self, type: str, payload: Any, origin: Origin = "WORKFLOW") -> None:
        """Put a chunk into the run's feed, when somebody may read it."""
        if self.feed is not None:
            self.feed.append(Chunk(type, payload, self.run.run_id, origin))

    def emit_output(self, step: str, output: Any) -> None:
        """What a step wrote, or the chunk of an agent inside it."""
        if self.feed is not None:
            self.emit("workflow-step-output", {"stepName": step, "output": output, "runId": self.run.run_id}, "USER")

    def emit_custom(self, chunk: dict[str, Any]) -> None:
        """A chunk of the user's own type."""
        if self.feed is not None:
            self.feed.append(Chunk(chunk.pop("type"), to_json(chunk), self.run.run_id, "USER"))

    def add_usage(self, usage: dict[str, Any]) -> None:
        """Count the tokens that an agent inside a step used."""
        for name in USAGE:
            self.run.usage[name] += usage.get(name) or 0

    # ------------------------------------------------------------ waits

    async def waits(self, record: StepRecord) -> None:
        """The run waits, as `record` says; stored before the wait begins."""
        self.run.status = "waiting"
        if self.journal is not None:
            await self.journal.waiting(record)

    async def wakes(self, record: StepRecord, event: Any = None) -> None:
        """The wait of `record` is over; an event that ended it is consumed in the same write."""
        self.run.status = "running"
        if self.journal is not None:
            await self.journal.step(record, None, event=event)
        if self.per_step:
            self.per_step_done = True

    async def sleep_until(self, record: StepRecord) -> None:
        """Return when the moment of `record` has come, never before."""
        moment = record.wake_at or 0
        while (left := moment - self.now()) > 0:
            if self.journal is not None and self.feed is None:
                self.journal.may_park(left)
            await self.services.clock.sleep(left / 1000)

    async def take_event(self, name: str, record: StepRecord) -> Any:
        """The next event of this name, in the order they were sent; None when the wait's time is up."""
        while True:
            event = await self.inbox.next(name)
            if event is not None:
                return event
            left = None if record.wake_at is None else (record.wake_at - self.now()) / 1000
            if left is not None and left <= 0:
                return None
            if self.journal is not None and self.feed is None:
                self.journal.may_park(None if left is None else left * 1000)
            await self.inbox.wait(self.services.clock, left)

    # ------------------------------------------------------------ what steps ask for

    def set_state(self, value: Any) -> None:
        """Replace the run's state; it is stored with the next record."""
        schema = self.hooks.state
        self.run.state = schema.validate(to_json(value)) if schema is not None else to_json(value)

    def scope_input(self, scope: str) -> Any:
        """What the workflow at a place was given."""
        return self.run.input if not scope else self.run.scopes.get(scope[:-1])

    def output_of(self, scope: str, name: str) -> Any:
        """The output of a step by its id; inside a nested workflow its own steps come first."""
        run = self.run
        key = f"{scope}{name}"
        if key in run.loops:
            key = f"{key}#{run.loops[key]}"
        record = run.records.get(key) or run.steps.get(name)
        return record.output if record is not None and record.status == "success" else None

    async def call(self, function: Callable[..., Any], value: Any, scope: Scope, name: str) -> Any:
        """Evaluate a condition, a mapping or a computed sleep: it takes the value and, if it likes, a context."""
        takes_context = flow.takes_context(function)
        context = StepContext(self, name, f"{scope.prefix}{name}", scope.prefix, value) if takes_context else None
        try:
            made = function(value, context) if context is not None else function(value)
            return await made if asyncio.iscoroutine(made) else made
        except Signal:
            raise
        except Exception as error:
            raise StepFailed(
                f"{name!r} failed: {redact(str(error))}", run_id=self.run.run_id, step=name, hint=""
            ) from error


def _system_now() -> int:
    return int(time.time() * 1000)
