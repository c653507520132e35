"""Background tasks: calls of tools that go on after the answer, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.agents.tasks import Tasks
from mastra.server.replies import Stream
from mastra.server.sse import CONNECTED, DONE, dumps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mastra.server.call import Call

_FIELDS = ("agentId", "status", "runId", "threadId", "resourceId", "toolName", "toolCallId")


def _tasks(call: Call) -> Tasks:
    return Tasks.of(call.mastra.services)


def _filters(call: Call, *names: str) -> dict[str, Any]:
    filters = {name: call.query.get(name) for name in names}
    filters["resourceId"] = call.owner(filters.get("resourceId"))
    return filters


async def list_tasks(call: Call) -> dict[str, Any]:
    """Tasks by agent, run, thread, resource, tool or status; an isolated caller sees his own."""
    query = call.query
    return await _tasks(call).list(
        page=query.get("page") or 0,
        per_page=query.get("perPage"),
        descending=query.get("orderDirection") != "asc",
        **_filters(call, *_FIELDS),
    )


async def get_task(call: Call) -> dict[str, Any]:
    """One task."""
    return await _tasks(call).get(call.params["backgroundTaskId"], resource=call.owner(None))


async def follow(call: Call) -> Stream:
    """What happens to tasks from now on."""
    events = _tasks(call).events(**_filters(call, "agentId", "runId", "threadId", "resourceId", "taskId"))
    return Stream(_body(events))


async def _body(events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    # At once, so that the client's promise resolves on a quiet server too.
    yield CONNECTED
    async for chunk in events:
        yield b"data: " + dumps({"type": chunk.type, "payload": chunk.payload}) + b"\n\n"
    yield DONE


ROUTES = {
    "GET /background-tasks/stream": follow,
    "GET /background-tasks": list_tasks,
    "GET /background-tasks/:backgroundTaskId": get_task,
}
