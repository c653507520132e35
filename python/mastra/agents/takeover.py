"""Background tasks of a process that has died: who holds a task, and what another process makes of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra.agents.waiting import is_data, storage_of
from mastra.errors import MastraError, NotFound
from mastra.types.ids import new_id
from mastra.types.model import ToolCall
from mastra.types.records import Put, Table
from mastra.types.times import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mastra.agents.run import Run
    from mastra.runtime.services import Services
    from mastra.tools.tool import Tool

log = logging.getLogger("mastra.agents")
HOLDERS = Table("background_holders")
# How long a process counts as alive without a sign, and how often it gives one while it has tasks.
LEASE_S = 30.0
RENEW_S = 10.0
# A task that brings down every process that takes it up is left alone after so many.
MOST_TAKEOVERS = 3


class Holder:
    """This process as a holder of tasks: one lease for all of them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.id = new_id()
        self._beat: asyncio.Task[None] | None = None

    def lease(self) -> Put:
        """The sign of life to write, with the task or by itself."""
        until = self._services.clock.now() + timedelta(seconds=LEASE_S)
        return Put(HOLDERS, self.id, {"until": to_wire(until)})

    def keep_up(self, is_busy: Callable[[], bool], look_after: Callable[[], Awaitable[None]]) -> None:
        """Renew the lease for as long as there are tasks, and look after those of others as often."""
        loop = asyncio.get_running_loop()
        if self._beat is None or self._beat.done() or self._beat.get_loop() is not loop:
            self._beat = asyncio.create_task(self._renew(is_busy, look_after), name="lease of background tasks")

    async def _renew(self, is_busy: Callable[[], bool], look_after: Callable[[], Awaitable[None]]) -> None:
        storage = await storage_of(self._services)
        while is_busy():
            await asyncio.sleep(RENEW_S)
            try:
                await storage.write([self.lease()])
                await look_after()
            except MastraError:
                log.warning("the lease of background tasks could not be renewed; trying again", exc_info=True)

    async def stop(self) -> None:
        """Give no more signs."""
        if self._beat is not None:
            self._beat.cancel()
            with suppress(asyncio.CancelledError):
                await self._beat


async def is_abandoned(services: Services, row: dict[str, Any]) -> bool:
    """Whether the process that holds a task has given no sign of life for too long."""
    if "holder" not in row:
        return services.clock.now() >= from_wire(row["until"])
    lease = await (await storage_of(services)).get(HOLDERS, row["holder"])
    return lease is None or services.clock.now() >= from_wire(lease["until"])


def may_run_again(row: dict[str, Any], tool: Tool) -> bool:
    """A call that has not begun may be run, and one that says that twice is like once."""
    return row.get("takeovers", 0) < MOST_TAKEOVERS and (row["status"] == "pending" or tool.idempotent)


def kept_context(run: Run) -> dict[str, Any]:
    """What of the request context can be kept with a task."""
    return {key: value for key, value in run.request_context.to_wire().items() if is_data(value)}


async def rebuild(services: Services, row: dict[str, Any]) -> tuple[Run, Tool, ToolCall]:
    """The run, tool and call of a task that began elsewhere; `NotFound` when this process does not know them."""
    agent = next((one for one in services.agents.values() if one.id == row["agentId"]), None)
    if agent is None:
        raise NotFound(f"There is no agent {row['agentId']!r} here for background task {row['id']}.")
    options = {"run_id": row["runId"], "resource": row["resourceId"], "request_context": row.get("requestContext")}
    if row["threadId"] is not None:
        options["thread"] = row["threadId"]
    run: Run = await agent.begin("(a background task)", options)
    tool = run.plan.tools.get(row["toolName"])
    if tool is None or tool.background is None:
        raise NotFound(f"Agent {agent.id!r} has no background tool {row['toolName']!r} any more.")
    return run, tool, ToolCall(row["toolCallId"], row["toolName"], row["args"])


async def put_in_thread(run: Run, call_id: str, changes: dict[str, Any]) -> None:
    """Put what came of a call where its placeholder stands in the thread; for runs that are no longer here."""
    memory = run.plan.memory
    if memory is None or run.thread_id is None:
        return
    page = await memory.list_messages(run.thread_id, resource_id=run.resource_id, per_page=200, direction="DESC")
    for message in page.messages:
        parts = [dict(part) for part in message.parts]
        for part in parts:
            if part.get("toolInvocation", {}).get("toolCallId") == call_id:
                part["toolInvocation"] = {**part["toolInvocation"], **changes}
                await memory.update_messages([{"id": message.id, "content": {"parts": parts}}])
                return
