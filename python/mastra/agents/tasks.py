"""Background tasks: calls of tools that go on after the answer. A row of each is kept; its result joins its thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra.agents.recording import AFTERWARDS, record
from mastra.agents.takeover import Holder, is_abandoned, kept_context, may_run_again, put_in_thread, rebuild
from mastra.agents.waiting import storage_of
from mastra.errors import Conflict, InvalidInput, MastraError, NotFound, NotSuspended, near_miss
from mastra.runtime.signals import Suspend, ToolRetry
from mastra.tools.call import run_tool
from mastra.tools.context import ToolContext
from mastra.types.chunks import Chunk
from mastra.types.ids import new_id
from mastra.types.prompt import TextPart, UserMessage
from mastra.types.records import Delete, Expect, Operation, Order, Put, Table
from mastra.types.schema import to_json
from mastra.types.times import from_wire, to_wire

if TYPE_CHECKING:
    from mastra.agents.run import Run
    from mastra.runtime.services import Services
    from mastra.tools.tool import Tool
    from mastra.types.model import ToolCall

log = logging.getLogger("mastra.agents")
TASKS = Table("background_tasks", ("agentId", "status", "runId", "threadId", "resourceId", "toolName", "createdAt"))
OVER = frozenset({"completed", "failed", "cancelled", "timed_out"})
_LOST = "The process that ran it has stopped. The call may have had its effect; it was not run again."
# How long a task may go without a sign before it counts as lost, beyond the time that it may take.
_SLACK_S = 60.0
_FILTERS = ("agentId", "status", "runId", "threadId", "resourceId", "toolName", "toolCallId")


class Box:
    """The tasks of one run, for as long as the run listens."""

    __slots__ = ("done", "open", "tasks", "told")

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self.done: list[dict[str, Any]] = []
        self.open = True
        self.told = 0


class Tasks:
    """The background tasks of an application."""

    def __init__(
        self, services: Services, *, concurrency: int = 10, per_agent: int = 5, keep_s: float = 86_400.0
    ) -> None:
        if concurrency < 1 or per_agent < 1:
            raise InvalidInput("At least one background task must be allowed.")
        self._services = services
        self._all = asyncio.Semaphore(concurrency)
        self._per_agent = per_agent
        self._agents: dict[str, asyncio.Semaphore] = {}
        self._keep_s = keep_s
        self._live: dict[str, asyncio.Task[Any]] = {}
        self._work: dict[str, tuple[Run, Tool, ToolCall]] = {}
        self._listeners: set[asyncio.Queue[Chunk]] = set()
        self._holder = Holder(services)

    @classmethod
    def of(cls, services: Services) -> Tasks:
        """Those of an application, made by the first who asks."""
        if services.tasks is None:
            services.tasks = cls(services)
        made: Tasks = services.tasks
        return made

    # ------------------------------------------------------------ starting

    async def start(self, run: Run, tool: Tool, call: ToolCall) -> str:
        """Begin a call whose arguments are valid; it is stored when this returns. The id of its task."""
        assert tool.background is not None
        storage = await storage_of(self._services)
        now, task_id = self._services.clock.now(), new_id()
        most_s = tool.background.timeout_s * (tool.background.retries + 1) + _SLACK_S
        row: dict[str, Any] = {
            "id": task_id, "status": "pending", "toolName": tool.name, "toolCallId": call.call_id,
            "args": call.arguments or {}, "agentId": run.agent.id, "threadId": run.thread_id,
            "resourceId": run.resource_id, "runId": run.run_id, "retryCount": 0,
            "maxRetries": tool.background.retries, "timeoutMs": round(tool.background.timeout_s * 1000),
            "createdAt": to_wire(now), "until": to_wire(now + timedelta(seconds=most_s)),
            "holder": self._holder.id, "requestContext": kept_context(run),
        }  # fmt: skip
        await storage.write([Expect(TASKS, task_id), Put(TASKS, task_id, row), self._holder.lease()])
        if run.background is None:
            run.background = Box()
        self._tell(run, "background-task-started", row)
        self._work[task_id] = (run, tool, call)
        self._spawn(row, None)
        await asyncio.sleep(0)  # a free place is taken at once
        return task_id

    def _spawn(self, row: dict[str, Any], resume_data: Any) -> None:
        run = self._work[row["id"]][0]
        task = self._services.background.spawn(self._carry(row, resume_data), f"background task {row['id']}")
        if task is None:
            raise MastraError("There is no room for another background task.", retryable=True)
        self._live[row["id"]] = task
        self._holder.keep_up(lambda: bool(self._live), self.take_up)
        if run.background is not None:
            run.background.tasks.add(task)

    # ------------------------------------------------------------ carrying

    async def _carry(self, row: dict[str, Any], resume_data: Any) -> None:
        run, tool, call = self._work[row["id"]]
        agent = self._agents.setdefault(row["agentId"], asyncio.Semaphore(self._per_agent))
        try:
            async with agent, self._all:
                kind = "background-task-running" if resume_data is None else "background-task-resumed"
                row = await self._change(row, {"status": "running", "startedAt": self._now()})
                self._tell(run, kind, row)
                changes = await self._run_tool(row, tool, call, run, resume_data)
            await self._finish(run, call, row, changes)
        except asyncio.CancelledError:
            await self._finish(run, call, row, {"status": "cancelled"})
            raise
        except Conflict:
            log.warning("background task %s was ended by another process", row["id"])
        finally:
            self._live.pop(row["id"], None)

    async def _run_tool(
        self, row: dict[str, Any], tool: Tool, call: ToolCall, run: Run, resume_data: Any
    ) -> dict[str, Any]:
        assert tool.background is not None
        context = ToolContext(
            run_id=run.run_id, tool_call_id=call.call_id, tool_name=tool.name, agent_id=run.agent.id,
            thread_id=run.thread_id, resource_id=run.resource_id, request_context=run.request_context,
            services=run.services, deps=run.options.deps, emit=_TaskEmit(self, run, row),  # type: ignore[arg-type]  # quacks
            resume_data=resume_data, path=run.path,
        )  # fmt: skip
        failed: dict[str, Any] = {}
        for attempt in range(tool.background.retries + 1):
            try:
                async with asyncio.timeout(tool.background.timeout_s):
                    result = await run_tool(tool, call.arguments, context)
                return {"status": "completed", "result": to_json(result), "retryCount": attempt}
            except Suspend as waits:
                return {"status": "suspended", "suspendPayload": to_json(waits.payload), "suspendedAt": self._now()}
            except TimeoutError:
                seconds = f"{tool.background.timeout_s:g}"
                failed = {"status": "timed_out", "error": {"message": f"The task took longer than {seconds} s."}}
            except (ToolRetry, MastraError) as error:
                failed = {"status": "failed", "error": {"message": error.message}}
            failed["retryCount"] = attempt
        return failed

    async def _finish(self, run: Run, call: ToolCall, row: dict[str, Any], changes: dict[str, Any]) -> None:
        status = changes["status"]
        if status in OVER:
            changes["completedAt"] = self._now()
        row = await self._change(row, changes)
        kind = "failed" if status == "timed_out" else status
        if status in OVER:
            self._work.pop(row["id"], None)
            await self._keep(run, call, row)
            await self._clean()
        self._tell(run, f"background-task-{kind}", row)

    async def _keep(self, run: Run, call: ToolCall, row: dict[str, Any]) -> None:
        """Put the result where its placeholder stood, in the answer and in the thread."""
        changes: dict[str, Any] = {"result": row.get("result") if row["status"] == "completed" else _said(row)}
        if row["status"] != "completed":
            changes["isError"] = True
        box = run.background
        try:
            if box is None:  # its run was another process's
                await put_in_thread(run, call.call_id, changes)
                return
            for message in run.answers():
                for part in message.parts:
                    invocation = part.get("toolInvocation")
                    if invocation is not None and invocation["toolCallId"] == call.call_id:
                        invocation.update(changes)
            box.done.append(row)
            await record(run, step=AFTERWARDS + len(box.done))
        except MastraError:
            log.warning("the result of background task %s is not in its thread", row["id"], exc_info=True)

    async def _change(self, row: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        storage = await storage_of(self._services)
        changed = {**row, **changes}
        batch: list[Operation] = [Expect(TASKS, row["id"], {"status": row["status"]}), Put(TASKS, row["id"], changed)]
        # Whoever takes a task shows at once that it is alive.
        await storage.write([*batch, self._holder.lease()] if "holder" in changes else batch)
        return changed

    async def _clean(self) -> None:
        storage = await storage_of(self._services)
        before = to_wire(self._services.clock.now() - timedelta(seconds=self._keep_s))
        old = await storage.scan(TASKS, {"createdAt": {"$lt": before}}, limit=100)
        over = [Delete(TASKS, task_id) for task_id, row in old.records if row["status"] in OVER]
        if over:
            await storage.write(over)

    def _now(self) -> str:
        return to_wire(self._services.clock.now())

    # ------------------------------------------------------------ telling

    def _tell(self, run: Run, kind: str, row: Mapping[str, Any], **more: Any) -> None:
        payload: dict[str, Any] = {"taskId": row["id"], "toolName": row["toolName"], "toolCallId": row["toolCallId"]}
        if kind != "background-task-started":
            payload.update(agentId=row["agentId"], runId=row["runId"])
        for name in _SHOWN.get(kind, ()):
            if name in row:
                payload[name] = row[name]
        chunk = Chunk(kind, {**payload, **more}, row["runId"], path=run.path)
        if run.push is not None and run.background is not None and run.background.open:
            run.push(chunk)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()  # who reads too slowly misses the oldest, and holds up nobody
            queue.put_nowait(chunk)

    def output(self, run: Run, row: Mapping[str, Any], chunk: Chunk) -> None:
        """What a task wrote while it runs."""
        self._tell(run, "background-task-output", row, payload=chunk.to_wire())

    async def events(self, **filters: Any) -> AsyncIterator[Chunk]:
        """What happens to tasks from now on, narrowed to an agent, run, thread, resource or task."""
        queue: asyncio.Queue[Chunk] = asyncio.Queue(1000)
        self._listeners.add(queue)
        wanted = {key: value for key, value in filters.items() if value is not None}
        try:
            while True:
                chunk = await queue.get()
                if not wanted or await self._fits(chunk, wanted):
                    yield chunk
        finally:
            self._listeners.discard(queue)

    async def _fits(self, chunk: Chunk, wanted: Mapping[str, Any]) -> bool:
        task_id = chunk.payload["taskId"]
        row = await (await storage_of(self._services)).get(TASKS, task_id)
        return row is not None and all(row.get("id" if key == "taskId" else key) == one for key, one in wanted.items())

    # ------------------------------------------------------------ reading and steering

    async def get(self, task_id: str, *, resource: str | None = None) -> dict[str, Any]:
        """One task; `NotFound` when there is none, or when it is another owner's."""
        row = await (await storage_of(self._services)).get(TASKS, task_id)
        if row is None or (resource is not None and row["resourceId"] != resource):
            raise NotFound(f"There is no background task {task_id[:80]!r}.")
        return _shown(await self._checked(row))

    async def list(
        self, *, page: int = 0, per_page: int | None = None, descending: bool = True, **filters: Any
    ) -> dict[str, Any]:
        """Tasks and how many there are: {"tasks": [...], "total": n}, the newest first unless told otherwise."""
        for name in filters:
            if name not in _FILTERS:
                raise InvalidInput(f"Tasks have no {name!r}.", hint=near_miss(name, _FILTERS))
        storage = await storage_of(self._services)
        where = {key: value for key, value in filters.items() if value is not None}
        # A lost task must not be listed as running.
        for state in ("pending", "running"):
            found = await storage.scan(TASKS, {**where, "status": state}, limit=1000)
            for _, row in found.records:
                await self._checked(row)
        total = await storage.count(TASKS, where)
        most = 100 if per_page is None else per_page
        order = Order("createdAt", descending=descending)
        found = await storage.scan(TASKS, where, order=order, limit=(page + 1) * most)
        return {"tasks": [_shown(row) for _, row in found.records[page * most :]], "total": total}

    async def _checked(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row as it is; one whose process has died is taken up where that is safe, and otherwise over."""
        if row["status"] not in ("pending", "running") or row["id"] in self._live:
            return row
        if not await is_abandoned(self._services, row):
            return row
        try:
            work = await rebuild(self._services, row)
        except NotFound:
            if self._services.clock.now() < from_wire(row["until"]):
                return row  # a process that knows the tool may come
            work = None
        try:
            if work is not None and may_run_again(row, work[1]):
                return await self._take_over(row, work)
            lost = {"status": "timed_out", "error": {"message": _LOST}, "completedAt": self._now()}
            changed = await self._change(row, lost)
        except Conflict:
            return row  # somebody ended it meanwhile, or took it
        if work is not None:
            await self._keep(work[0], work[2], changed)
        return changed

    async def _take_over(self, row: dict[str, Any], work: tuple[Run, Tool, ToolCall]) -> dict[str, Any]:
        until = self._services.clock.now() + (from_wire(row["until"]) - from_wire(row["createdAt"]))
        mine = {"status": "pending", "holder": self._holder.id, "until": to_wire(until),
                "takeovers": row.get("takeovers", 0) + 1}  # fmt: skip
        changed = await self._change(row, mine)
        log.info("background task %s of a process that has stopped is taken up", row["id"])
        self._work[row["id"]] = work
        self._spawn(changed, None)
        return changed

    async def take_up(self) -> None:
        """Look after the tasks of processes that have died: when an application opens, and while this one has tasks."""
        try:
            storage = await storage_of(self._services)
            for state in ("pending", "running"):
                found = await storage.scan(TASKS, {"status": state}, limit=1000)
                for _, row in found.records:
                    await self._checked(row)
        except MastraError:
            log.warning("background tasks that were left behind could not be looked after", exc_info=True)

    async def close(self) -> None:
        """Give no more signs of life."""
        await self._holder.stop()

    async def cancel(self, task_id: str, *, resource: str | None = None) -> dict[str, Any]:
        """Stop a task; one that is over stays as it is."""
        row = await self.get(task_id, resource=resource)
        live = self._live.get(task_id)
        if live is not None:
            live.cancel()
            await asyncio.wait([live], timeout=5.0)
        elif row["status"] not in OVER:
            stored = await (await storage_of(self._services)).get(TASKS, task_id)
            if stored is not None:
                await self._change(stored, {"status": "cancelled", "completedAt": self._now()})
        return await self.get(task_id)

    async def resume(self, task_id: str, data: Any, *, resource: str | None = None) -> None:
        """Go on with a task that waits, in whichever process it began."""
        shown = await self.get(task_id, resource=resource)
        stored = await (await storage_of(self._services)).get(TASKS, task_id)
        if shown["status"] != "suspended" or stored is None:
            raise NotSuspended(f"Background task {task_id} does not wait; it is {shown['status']}.")
        work = self._work.get(task_id) or await rebuild(self._services, stored)
        if work[1].resume_schema is not None:
            work[1].resume_schema.validate(data)
        try:
            changed = await self._change(stored, {"status": "pending", "holder": self._holder.id})
        except Conflict as error:
            raise NotSuspended(f"Background task {task_id} was answered by somebody else.") from error
        self._work[task_id] = work
        self._spawn(changed, to_json(data))

    async def settle(self) -> None:
        """Wait until no task runs in this process."""
        while self._live:
            await asyncio.wait(set(self._live.values()))


class _TaskEmit:
    """The end of the stream that a task has: what it writes becomes events of the task."""

    log = None

    def __init__(self, tasks: Tasks, run: Run, row: Mapping[str, Any]) -> None:
        self._tasks, self._run, self._row = tasks, run, row

    def push(self, chunk: Chunk) -> bool:
        """Pass a chunk on."""
        self._tasks.output(self._run, self._row, chunk)
        return False

    async def room(self) -> None:
        """There always is."""

    async def send(self, chunk: Chunk) -> None:
        """Pass a chunk on."""
        self.push(chunk)


_SHOWN = {
    "background-task-running": ("startedAt", "args"),
    "background-task-resumed": ("startedAt", "args"),
    "background-task-completed": ("completedAt", "result"),
    "background-task-failed": ("completedAt", "error"),
    "background-task-cancelled": ("completedAt",),
    "background-task-suspended": ("args", "suspendPayload", "suspendedAt"),
}


_HIDDEN = frozenset({"until", "holder", "requestContext", "takeovers"})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _HIDDEN and value is not None}


def _said(row: Mapping[str, Any]) -> str:
    return str((row.get("error") or {}).get("message") or "The task was cancelled.")


def placeholder(tool: Tool, task_id: str) -> str:
    """What the model reads instead of a result."""
    return f"{tool.name} runs in the background as task {task_id}. Its result comes later; do not call it again for it."


async def woken(run: Run) -> bool:
    """Wait for a result of a background task and tell the model; False when none is left, or none came in time."""
    box = run.background
    if box is None or not run.options.until_idle:
        return False
    seconds = 300.0 if run.options.until_idle is True else float(run.options.until_idle)
    running = {task for task in box.tasks if not task.done()}
    if len(box.done) == box.told and running:
        await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    fresh = box.done[box.told :]
    box.told = len(box.done)
    if not fresh:
        return False
    told = [f"Background task {row['id']} ({row['toolName']}) is over: {_outcome(row)}" for row in fresh]
    run.prompt.append(UserMessage((TextPart("\n".join(told)),)))
    return True


def _outcome(row: Mapping[str, Any]) -> str:
    from mastra.types.json import dumps  # noqa: PLC0415 - only runs with tasks need it

    return f"its result is {dumps(row.get('result'))}" if row["status"] == "completed" else _said(row)
