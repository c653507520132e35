"""AG-UI: an agent as the back end of a page that speaks this protocol, interrupts and their answers included."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mastra.errors import NotFound
from mastra.server.ag_ui import Events, event_body
from mastra.server.chat_messages import client_tools, newest, read_chat
from mastra.server.replies import Stream
from mastra.server.run_options import check_thread
from mastra.server.table import Route
from mastra.types.ids import check_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mastra.agents.agent import Agent
    from mastra.agents.result import RunResult
    from mastra.runtime.stream import RunStream
    from mastra.server.call import Call


async def run(call: Call) -> Stream:
    """Run an agent, or answer what a run waits for, and follow it."""
    body = call.body
    agent: Agent = call.mastra.get_agent(call.params["agentId"])
    events = Events(check_id(body["threadId"], "thread id"), check_id(body["runId"], "run id"))
    props = body.get("forwardedProps")
    body["requestContext"] = {"state": body.get("state"), "forwardedProps": props}
    asked = props.get("resourceId") if isinstance(props, dict) else None
    options: dict[str, Any] = {"request_context": call.context}
    if (await agent.plan(call.context)).memory is not None:
        options["thread"] = events.thread_id
        options["resource"] = call.owner(asked if isinstance(asked, str) else None) or events.thread_id
        await check_thread(call, agent, options)
    if body.get("tools"):
        options["client_tools"] = client_tools(body["tools"])
    if body.get("resume"):
        return Stream(event_body(events, await _answers(call, agent, options)))
    if body.get("context"):
        told = [f"{one['description']}: {one['value']}" for one in body["context"]]
        options["system"] = "What the user's page shows:\n" + "\n".join(told)
    given = newest(body["messages"]) if "thread" in options else body["messages"]
    return Stream(event_body(events, [partial(agent.stream, read_chat(given), **options)]))


async def _answers(call: Call, agent: Agent, options: Mapping[str, Any]) -> list[Callable[[], RunStream[RunResult]]]:
    """One run for each answer. Only what waits in this thread, for this caller, can be answered."""
    waiting = await agent.list_suspended(thread=options.get("thread"), resource=call.owner(options.get("resource")))
    open_calls = {one["toolCallId"]: (found["runId"], one) for found in waiting["runs"] for one in found["toolCalls"]}
    kept = {key: value for key, value in options.items() if key in {"resource", "request_context"}}
    out: list[Callable[[], RunStream[RunResult]]] = []
    for entry in call.body["resume"]:
        found = open_calls.get(entry["interruptId"])
        if found is None:
            raise NotFound("Nothing waits for this answer")
        run_id, waits = found
        payload, given = entry.get("payload"), {**kept, "tool_call_id": entry["interruptId"]}
        reason = payload.get("reason") if isinstance(payload, dict) else None
        if entry["status"] == "cancelled":
            out.append(partial(agent.decline, run_id, reason=reason or "cancelled by the user", **given))
        elif not waits["requiresApproval"]:
            out.append(partial(agent.resume, payload, run_id=run_id, **given))
        elif payload is True or (isinstance(payload, dict) and payload.get("approved") is True):
            out.append(partial(agent.approve, run_id, **given))
        else:
            # Anything but a plain yes is a no.
            out.append(partial(agent.decline, run_id, reason=reason, **given))
    return out


_INPUT = {
    "threadId": "string+",
    "runId": "string+",
    "messages": ["object"],
    "state?": "any",
    "tools?": [{"name": "string+", "description?": "string", "parameters?": "any"}],
    "context?": [{"description": "string", "value": "string"}],
    "forwardedProps?": "any",
    "resume?": [{"interruptId": "string+", "status": "'resolved'|'cancelled'", "payload?": "any"}],
}
ROUTES: dict[str, object] = {}
OWN = [
    Route("POST", "/agents/:agentId/ag-ui", out="sse", permissions=("agents:execute",), body=_INPUT, handler=run),
]
