"""A run of a workflow, as its user holds it: start, stream, resume, cancel, restart, travel back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mastra.errors import (
    Conflict,
    InvalidInput,
    NotSuspended,
    ResumeClaimed,
    RunExists,
)
from mastra.runtime.request_context import RequestContext
from mastra.types.schema import to_json
from mastra.workflows.carrier import Carrier
from mastra.workflows.changes import reconcile
from mastra.workflows.engine import Execution
from mastra.workflows.following import follow, is_elsewhere
from mastra.workflows.history import snapshot_entry
from mastra.workflows.ownership import refresh
from mastra.workflows.records import ACTIVE, FINAL
from mastra.workflows.results import WorkflowResult
from mastra.workflows.stream import WorkflowStream
from mastra.workflows.targets import find_targets
from mastra.workflows.travel import prepare_travel

if TYPE_CHECKING:
    from mastra.runtime.broadcast import RunLog
    from mastra.types.chunks import Chunk
    from mastra.types.records import Operation

In = TypeVar("In")
Out = TypeVar("Out")
Step = Any
_log = logging.getLogger("mastra.workflows")
# The loop itself keeps tasks only weakly.
_watching: set[asyncio.Task[None]] = set()


class Run(Carrier[In, Out]):
    """One run. All its state is in `state`; with a journal it is also in storage."""

    # ------------------------------------------------------------ start

    async def start(
        self,
        input: In | None = None,
        *,
        state: Any = None,
        request_context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> WorkflowResult[Out]:
        """Run until it ends or waits for somebody. A second start with the same input finds the first."""
        if not await self._accept(input, state, request_context):
            return await self.wait()
        return await self._carried(self._prepare(per_step=per_step))

    async def start_async(
        self,
        input: In | None = None,
        *,
        state: Any = None,
        request_context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> str:
        """Start, and return once the run is accepted; it goes on by itself. The run's id."""
        if await self._accept(input, state, request_context):
            await self._launch(self._prepare(per_step=per_step))
        return self.run_id

    def stream(self, input: In | None = None, **options: Any) -> WorkflowStream[Out]:
        """Start, and follow the chunks as they come."""
        return self._stream(lambda: self.start(input, **options))

    async def _accept(self, input: Any, state: Any, request_context: Mapping[str, Any] | None) -> bool:
        run, workflow = self.state, self.workflow
        given = workflow.accept(input)
        initial = workflow.accept_state(state)
        if run.status != "pending" or self._execution is not None:
            return self._same(given)
        run.input, run.state, run.initial_state = given, initial, initial
        run.request_values = _values(request_context)
        run.status = "running"
        beginning = self._beginning = asyncio.Event()
        try:
            if self.journal is None or await self.journal.begin(run):
                return True
        except BaseException:
            run.status = "pending"
            raise
        finally:
            self._beginning = None
            beginning.set()
        run.status = "pending"
        await refresh(self)
        return self._same(given)

    def _same(self, given: Any) -> bool:
        run = self.state
        if to_json(run.input) != to_json(given):
            raise RunExists(
                f"Run {run.run_id!r} exists with other input.", run_id=run.run_id, hint="Choose another run id."
            )
        return False

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
        return await self._carried(execution)

    async def resume_async(self, data: Any = None, **options: Any) -> str:
        """Answer a waiting step and return once that is accepted; the run goes on by itself."""
        await self._launch(await self._claim(data, **_claim_options(options)))
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
            await self._refreshed()
        run = self.state
        if run.status == "paused" and data is None and step is None:
            return await self._reopen({}, request_context, per_step=per_step)
        if run.status == "running" and self._execution is not None and not run.suspended:
            raise self._claimed()
        answers = find_targets(self.definition, run, data, step, path, label, for_each_index)
        if not answers:
            raise NotSuspended("This workflow run was not suspended", run_id=run.run_id, hint="")
        return await self._reopen(answers, request_context, per_step=per_step)

    async def _refreshed(self) -> None:
        await refresh(self)
        if not self.is_active:
            self._rewritten = reconcile(self)

    async def _own(self, answers: dict[str, Any], forgotten: Sequence[str] = ()) -> None:
        """Claim the stored run, by compare-and-set: one caller wins."""
        run, journal = self.state, self.journal
        assert journal is not None
        more: list[Operation] = []
        entry: dict[str, Any] | None = None
        if self._rewritten:
            entry = snapshot_entry(journal.key, run, more)
        elif answers:
            entry = {"kind": "resume", "answers": to_json(answers), "requestContext": run.request_values}
        elif forgotten:
            entry = {"kind": "forget", "keys": list(forgotten)}
        if journal.row.get("owner") is not None and journal.row["status"] in ACTIVE:
            raise self._claimed()
        try:
            await journal.claim(entry, more, status="running", suspended=[])
        except Conflict:
            raise self._claimed() from None
        self._rewritten = False

    def _claimed(self) -> ResumeClaimed:
        return ResumeClaimed(
            f"Run {self.run_id!r} is at work: somebody resumed it already.", run_id=self.run_id,
            hint="Wait for its result.",
        )  # fmt: skip

    async def _reopen(
        self,
        answers: dict[str, Any],
        request_context: Mapping[str, Any] | None,
        *,
        per_step: bool,
        forgotten: Sequence[str] = (),
    ) -> Execution:
        run = self.state
        if self._execution is not None:
            raise ResumeClaimed(f"Run {run.run_id!r} is at work.", run_id=run.run_id, hint="Wait for its result.")
        run.status = "running"
        if request_context is not None:
            run.request_values = {**run.request_values, **_values(request_context)}
        run.answers.update(answers)
        execution = self._prepare(per_step=per_step)
        if self.journal is not None:
            try:
                await self._own(answers, forgotten)
            except BaseException:
                self._execution = None
                raise
        return execution

    # ------------------------------------------------------------ again

    async def restart(self, *, request_context: Mapping[str, Any] | None = None) -> WorkflowResult[Out]:
        """Take up a run that was left, or try a failed one again from the step that failed."""
        return await self._carried(await self._again(request_context))

    async def restart_async(self, *, request_context: Mapping[str, Any] | None = None) -> str:
        """`restart`, without waiting for the end."""
        await self._launch(await self._again(request_context))
        return self.run_id

    async def _again(self, request_context: Mapping[str, Any] | None) -> Execution:
        if self.journal is not None:
            await self._refreshed()
        run = self.state
        if run.status == "pending":
            raise NotSuspended("This workflow run was not started", run_id=run.run_id, hint="Start it.")
        if self.journal is not None and run.status == "success":
            raise NotSuspended(f"Run {run.run_id!r} has succeeded; no step of it runs again.", run_id=run.run_id,
                               hint="Use time_travel to run steps again on purpose.")  # fmt: skip
        failed = [key for key, one in run.records.items() if one.status == "failed"]
        for key in failed:
            run.steps.pop(run.records.pop(key).id, None)
        run.error = run.cause = None
        self._canceled = False
        return await self._reopen({}, request_context, per_step=False, forgotten=failed)

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
        return await self._carried(execution)

    async def time_travel_async(self, step: Any, **options: Any) -> str:
        """`time_travel`, without waiting for the end."""
        given = {"input": None, "context": None, "resume_data": None, "state": None, "request_context": None, **options}
        per_step = given.pop("per_step", False)
        await self._launch(await self._travel(step, **given, per_step=per_step))
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
            await self._refreshed()
        run = self.state
        if self._execution is not None:
            raise ResumeClaimed(f"Run {run.run_id!r} is at work.", run_id=run.run_id, hint="Cancel it first.")
        if self.journal is not None and not self.journal.row:
            raise NotSuspended("This workflow run was not started", run_id=run.run_id, hint="Start it.")
        trip = prepare_travel(self.workflow, run, step, input, context, resume_data, now=self.now())
        if state is not None:
            run.state = self.workflow.accept_state(state)
        if request_context is not None:
            run.request_values = {**run.request_values, **_values(request_context)}
        run.status = "running"
        run.result = run.error = run.cause = None
        run.injected, run.answers = trip.injected, trip.answers
        execution = self._prepare(per_step=per_step)
        if self.journal is not None:
            await self.journal.travel(run)
        return execution

    # ------------------------------------------------------------ stop and look

    def observe(self, offset: int = 0) -> AsyncIterator[Chunk]:
        """The chunks of a run, from an offset on; then as they come.

        Of a run that another process carries, or whose chunks are no longer kept here, the journal's: its steps
        as they are recorded, and its end.
        """
        return self._observe(offset)

    async def _observe(self, offset: int) -> AsyncIterator[Chunk]:
        log = self.log or self._services.runs.get(self.run_id)
        if log is None:
            if self._execution is None:
                if self.journal is not None and self.state.status != "pending":
                    async for chunk in _skipping(follow(self.journal), offset):
                        yield chunk
                return
            log = self.log = self._execution.feed = self._services.runs.open(self.run_id)
        async for observed in log.observe(offset):
            yield observed.chunk

    def watch(self, callback: Callable[[Chunk], Any]) -> Callable[[], None]:
        """Call `callback` with every chunk from now until the run has ended, over its waits; returns how to stop that.

        The run does not wait for the callback, and its failures are logged.
        """
        if self.journal is not None and not self.is_active and is_elsewhere(self.journal):
            source = follow(self.journal, over_pauses=True)
        else:
            log = self.log = self._services.runs.open(self.run_id)
            if self._execution is not None:
                self._execution.feed = log
            source = _chunks(log, len(log))
        # No background work: closing an application does not wait for a run that waits for somebody.
        task = asyncio.get_running_loop().create_task(
            _watch(source, callback, self.run_id), name=f"watch-{self.run_id}"
        )
        _watching.add(task)
        task.add_done_callback(_watching.discard)

        def stop() -> None:
            task.cancel()

        return stop

    async def send_event(self, name: str, data: Any = None) -> None:
        """Give the run an event; it is stored before this returns, whether or not the run waits for it yet."""
        await self.workflow.send_event(self.run_id, name, data)


async def _watch(source: AsyncIterator[Chunk], callback: Callable[[Chunk], Any], run_id: str) -> None:
    async for chunk in source:
        try:
            made = callback(chunk)
            if asyncio.iscoroutine(made):
                await made
        except Exception:  # noqa: BLE001 - the user's; the run goes on without it
            _log.exception("a watcher of run %s failed", run_id)
        if chunk.type == "workflow-finish" and chunk.payload["workflowStatus"] in FINAL:
            return


async def _chunks(log: RunLog, offset: int) -> AsyncIterator[Chunk]:
    async for observed in log.observe(offset, over_pauses=True):
        yield observed.chunk


async def _skipping(chunks: AsyncIterator[Chunk], count: int) -> AsyncIterator[Chunk]:
    async for chunk in chunks:
        if count > 0:
            count -= 1
        else:
            yield chunk


def _values(context: Mapping[str, Any] | None) -> dict[str, Any]:
    if context is None:
        return {}
    if not isinstance(context, Mapping | RequestContext):
        raise InvalidInput("The request context of a run is an object.")
    return cast("dict[str, Any]", to_json(context.to_wire() if isinstance(context, RequestContext) else dict(context)))


def _claim_options(options: dict[str, Any]) -> dict[str, Any]:
    known = {"step", "path", "label", "for_each_index", "request_context", "per_step"}
    unknown = set(options) - known
    if unknown:
        raise InvalidInput(f"resume does not know {', '.join(sorted(unknown))}.")
    return options
