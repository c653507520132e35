"""Signals: words into a thread while its agent works or rests, following a thread, stopping what runs there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.server.problems import Refused
from mastra.server.replies import Stream
from mastra.server.run_options import check_thread, run_options
from mastra.server.sse import CONNECTED, sse_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from mastra.agents.agent import Agent
    from mastra.agents.signals import Sent
    from mastra.server.call import Call
    from mastra.types.chunks import Chunk

# Of a run that begins with the signal: who and where is said beside these.
_PLACED = ("thread", "resource", "run_id", "detached")


async def _place(call: Call, agent: Agent) -> dict[str, Any]:
    """The thread that is meant, and its owner; 404 for a run that is not at work here."""
    body = call.body
    thread = body.get("threadId")
    if body.get("runId") is not None:
        thread = agent.signals.thread_of(body["runId"])
        if thread is None:
            raise Refused(404, {"error": "Run not found"})
    place = {"thread": thread, "resource": call.owner(body.get("resourceId"))}
    await check_thread(call, agent, place)
    return place


async def _ways(call: Call, agent: Agent) -> dict[str, Any]:
    place = await _place(call, agent)
    active, idle = call.body.get("ifActive") or {}, call.body.get("ifIdle") or {}
    options = run_options(call, idle.get("streamOptions") or {})
    for name in _PLACED:
        options.pop(name, None)
    ways = {"if_active": active.get("behavior", "deliver"), "if_idle": idle.get("behavior", "wake")}
    return {**options, **ways, **place}


async def _sent(call: Call, ways: dict[str, Any], sending: Awaitable[Sent]) -> dict[str, Any]:
    sent = await sending
    call.state.runs.remember(sent.run_id, ways["resource"])
    return {"accepted": True, "runId": sent.run_id, "signal": {**sent.signal, "__isCreatedSignal": True}}


async def send_message(call: Call) -> dict[str, Any]:
    """Say something to the run at work on a thread, or begin one with it."""
    agent = call.find_agent()
    ways = await _ways(call, agent)
    return await _sent(call, ways, agent.signals.send_message(call.body["message"], **ways))


async def queue_message(call: Call) -> dict[str, Any]:
    """Say something when what runs on a thread has ended."""
    agent = call.find_agent()
    ways = await _ways(call, agent)
    kept = {name: value for name, value in ways.items() if name not in ("if_active", "if_idle")}
    return await _sent(call, ways, agent.signals.queue_message(call.body["message"], **kept))


async def send_signal(call: Call) -> dict[str, Any]:
    """Say what no person said."""
    agent, signal = call.find_agent(), call.body["signal"]
    ways = await _ways(call, agent)
    told = agent.signals.send_signal(
        signal["type"], signal["contents"], tag=signal.get("tagName"), attributes=signal.get("attributes"), **ways
    )
    return await _sent(call, ways, told)


async def abort(call: Call) -> dict[str, Any]:
    """Stop what runs on a thread."""
    agent, body = call.find_agent(), call.body
    place = {"thread": body["threadId"], "resource": call.owner(body.get("resourceId"))}
    await check_thread(call, agent, place)
    return {"aborted": agent.signals.abort(**place, run_id=body.get("expectedRunId"))}


async def subscribe(call: Call) -> Stream:
    """Follow all runs on a thread from now on."""
    agent, body = call.find_agent(), call.body
    place = {"thread": body["threadId"], "resource": call.owner(body.get("resourceId"))}
    await check_thread(call, agent, place)
    return Stream(_body(agent, place))


async def _body(agent: Agent, place: dict[str, Any]) -> AsyncIterator[bytes]:
    async with agent.signals.subscribe(**place) as chunks:
        # At once, so that whoever sends afterwards knows that they hear it.
        yield CONNECTED
        async for chunk in chunks:
            yield sse_frames([_lean(chunk)])


def _lean(chunk: Chunk) -> Chunk:
    """Who follows a thread knows what was said before: the ends of steps and runs do not say it again."""
    if chunk.type not in ("step-finish", "finish"):
        return chunk
    payload = {key: value for key, value in chunk.payload.items() if key != "messages"}
    payload["output"] = {key: value for key, value in payload["output"].items() if key != "steps"}
    return chunk._replace(payload=payload)


_ONE = "/agents/:agentId"
ROUTES = {
    f"POST {_ONE}/send-message": send_message,
    f"POST {_ONE}/queue-message": queue_message,
    f"POST {_ONE}/signals": send_signal,
    f"POST {_ONE}/threads/abort": abort,
    f"POST {_ONE}/threads/subscribe": subscribe,
}
