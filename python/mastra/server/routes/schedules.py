"""Schedules: what starts by the clock, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import NotFound
from mastra.workflows.schedules import Schedules

if TYPE_CHECKING:
    from mastra.server.call import Call

_SERVER_SIDE = ("id", "status", "requestContext")


def _schedules(call: Call) -> Schedules:
    return Schedules(call.mastra.services)


async def _mine(call: Call) -> dict[str, Any]:
    """The schedule that is meant; somebody else's is as good as none."""
    found = await _schedules(call).get(call.params["scheduleId"])
    if not call.mine(found.get("resourceId")):
        raise NotFound(f"Schedule {call.params['scheduleId']!r} not found.")
    return found


async def list_schedules(call: Call) -> dict[str, Any]:
    """Schedules, by agent, workflow, status, thread, resource or name."""
    query = call.query
    rows = await _schedules(call).list_schedules(workflow_id=query.get("workflowId"), agent_id=query.get("agentId"))
    for field in ("status", "threadId", "resourceId", "name"):
        if query.get(field) is not None:
            rows = [row for row in rows if row.get(field) == query[field]]
    return {"schedules": [row for row in rows if call.mine(row.get("resourceId"))]}


async def create(call: Call) -> dict[str, Any]:
    """A new schedule of an agent or a workflow."""
    body = call.body
    spec = {key: value for key, value in body.items() if key not in _SERVER_SIDE and value is not None}
    if "agentId" in spec:
        call.mastra.get_agent(spec["agentId"])
    elif "workflowId" in spec:
        call.mastra.get_workflow(spec["workflowId"])
    owner = call.owner(spec.get("resourceId"))
    if owner is not None:
        spec["resourceId"] = owner
    context = call.context.to_wire()
    if context:
        spec["requestContext"] = context
    return await _schedules(call).create(spec, id=body.get("id"))


async def get(call: Call) -> dict[str, Any]:
    """One schedule."""
    return await _mine(call)


async def update(call: Call) -> dict[str, Any]:
    """Change a schedule; a status pauses or resumes it."""
    found = await _mine(call)
    changes = {key: value for key, value in call.body.items() if key not in (*_SERVER_SIDE, "resourceId")}
    schedules = _schedules(call)
    if changes:
        found = await schedules.update(found["id"], changes)
    wanted = call.body.get("status")
    if wanted is not None and wanted != found["status"]:
        found = await (schedules.pause if wanted == "paused" else schedules.resume)(found["id"])
    return found


async def delete(call: Call) -> dict[str, str]:
    """Remove a schedule; what it started goes on."""
    found = await _mine(call)
    await _schedules(call).delete(found["id"])
    return {"message": "Schedule deleted"}


async def pause(call: Call) -> dict[str, Any]:
    """Fire no more until it is resumed."""
    found = await _mine(call)
    return await _schedules(call).pause(found["id"])


async def resume(call: Call) -> dict[str, Any]:
    """Fire again."""
    found = await _mine(call)
    return await _schedules(call).resume(found["id"])


async def run(call: Call) -> dict[str, Any]:
    """Fire once now, beside its times."""
    found = await _mine(call)
    trigger = await _schedules(call).run_now(found["id"])
    return {"scheduleId": found["id"], "claimId": trigger["runId"], "scheduledFireAt": trigger["scheduledFireAt"]}


async def triggers(call: Call) -> dict[str, Any]:
    """When it fired and what came of it, newest first."""
    found = await _mine(call)
    query = call.query
    rows = await _schedules(call).triggers(found["id"], limit=int(query.get("limit") or 100))
    start, end = query.get("fromActualFireAt"), query.get("toActualFireAt")
    rows = [
        row
        for row in rows
        if (start is None or row["actualFireAt"] >= start) and (end is None or row["actualFireAt"] <= end)
    ]
    return {"triggers": rows}


_ONE = "/schedules/:scheduleId"
ROUTES = {
    "GET /schedules": list_schedules,
    "POST /schedules": create,
    f"GET {_ONE}": get,
    f"PATCH {_ONE}": update,
    f"DELETE {_ONE}": delete,
    f"POST {_ONE}/pause": pause,
    f"POST {_ONE}/resume": resume,
    f"POST {_ONE}/run": run,
    f"GET {_ONE}/triggers": triggers,
}
