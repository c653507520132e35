"""Runs of agents: generate, stream, approve, decline, resume, observe, and those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import NotFound
from mastra.server.problems import Refused
from mastra.server.replies import RECORDS, Stream
from mastra.server.run_options import check_thread, chosen_model, run_options, spare_memory
from mastra.server.sse import agent_body, observe_body, record_body
from mastra.server.ui_stream import HEADER, ui_body
from mastra.types.ids import check_id

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.agents.result import RunResult
    from mastra.runtime.stream import RunStream
    from mastra.server.call import Call

RUN_NOT_FOUND = {"error": "Run not found"}


async def _asked(call: Call) -> tuple[Agent, dict[str, Any]]:
    agent, options = call.find_agent(), run_options(call)
    if call.principal is not None:
        await check_thread(call, agent, options)
    await spare_memory(call, agent, options)
    return agent, options


async def generate(call: Call) -> dict[str, Any]:
    """Run an agent to its end."""
    agent, options = await _asked(call)
    result = await agent.generate(call.body["messages"], **options)
    return result.to_wire()


async def _run(call: Call) -> RunStream[RunResult]:
    agent, options = await _asked(call)
    run = agent.stream(call.body["messages"], **options)
    if run.detached:
        call.state.runs.remember(run.run_id, call.owner(options.get("resource")))
    return run


async def stream(call: Call) -> Stream:
    """Run an agent and follow it as server-sent events."""
    return Stream(agent_body(await _run(call), resumable=bool(call.body.get("detached"))))


async def stream_records(call: Call) -> Stream:
    """The same as records, for clients of the old route."""
    return Stream(record_body(await _run(call)), RECORDS, beats=False)


async def stream_ui(call: Call) -> Stream:
    """The same as an AI SDK UI message stream, for `useChat`."""
    return Stream(ui_body(await _run(call)), headers=(HEADER,))


async def observe(call: Call) -> Stream:
    """Follow a detached run from an offset on; `Last-Event-ID` names the last chunk that was seen."""
    run_id = check_id(call.body["runId"], "run id")
    last = call.header(b"last-event-id")
    offset = int(last) + 1 if last.isdecimal() else int(call.body.get("offset") or 0)
    log = call.mastra.services.runs.get(run_id)
    if log is not None:
        if not call.mine(call.state.runs.owner(run_id)):
            raise Refused(404, RUN_NOT_FOUND)
        return Stream(observe_body(run_id, log.observe(offset)))
    elsewhere = await call.state.siblings.find_run(run_id, offset) if call.state.siblings is not None else None
    if elsewhere is None:
        raise Refused(404, RUN_NOT_FOUND)
    if not call.mine(elsewhere.owner):
        await elsewhere.leave()
        raise Refused(404, RUN_NOT_FOUND)
    return Stream(observe_body(run_id, elsewhere.observe()))


# ---------------------------------------------------------------- runs that wait


async def _waiting(call: Call) -> tuple[Agent, dict[str, Any]]:
    """The agent and the options to go on with; a run of somebody else is as good as none."""
    agent, body = call.find_agent(), call.body
    run_id = check_id(body["runId"], "run id")
    options: dict[str, Any] = {}
    if body.get("requestContext"):
        options["request_context"] = call.context
    if body.get("model"):
        options["model"] = chosen_model(call, body["model"])
    if call.bound is not None:
        mine = await agent.list_suspended(resource=call.bound, per_page=1_000)
        if all(run["runId"] != run_id for run in mine["runs"]):
            raise Refused(404, RUN_NOT_FOUND)
        options["resource"] = call.bound
    return agent, options


async def _approve(call: Call) -> RunStream[RunResult]:
    agent, options = await _waiting(call)
    return agent.approve(call.body["runId"], call.body.get("toolCallId"), **options)


async def _decline(call: Call) -> RunStream[RunResult]:
    agent, options = await _waiting(call)
    return agent.decline(call.body["runId"], call.body.get("toolCallId"), call.body.get("reason"), **options)


async def _resume(call: Call) -> RunStream[RunResult]:
    agent, options = await _waiting(call)
    given = run_options(call)
    given.pop("run_id", None)
    data = call.body.get("resumeData")
    return agent.resume(
        data, run_id=call.body["runId"], tool_call_id=call.body.get("toolCallId"), **{**given, **options}
    )


async def recover(call: Call) -> Stream:
    """Go on with a durable run whose process has died, and follow it."""
    agent, options = call.find_agent(), {}
    if call.body.get("requestContext"):
        options["request_context"] = call.context
    resource = call.owner(None)
    if resource is not None:
        left = await agent.list_interrupted(resource=resource)
        if all(run["runId"] != call.body["runId"] for run in left):
            raise Refused(404, RUN_NOT_FOUND)
    run = agent.recover(call.body["runId"], **options)
    call.state.runs.remember(run.run_id, resource)
    return Stream(agent_body(run, resumable=True))


async def approve(call: Call) -> Stream:
    """Run the tool call that waits for a yes, and follow the run."""
    return Stream(agent_body(await _approve(call)))


async def decline(call: Call) -> Stream:
    """Refuse the tool call that waits, and follow the run."""
    return Stream(agent_body(await _decline(call)))


async def resume(call: Call) -> Stream:
    """Answer the tool that waits, and follow the run."""
    return Stream(agent_body(await _resume(call)))


async def approve_generate(call: Call) -> dict[str, Any]:
    """Run the tool call that waits for a yes, to the run's end."""
    return await _to_end(await _approve(call))


async def decline_generate(call: Call) -> dict[str, Any]:
    """Refuse the tool call that waits, to the run's end."""
    return await _to_end(await _decline(call))


async def _to_end(run: RunStream[RunResult]) -> dict[str, Any]:
    async with run:
        result = await run.result()
    return result.to_wire()


async def suspended(call: Call) -> dict[str, Any]:
    """The runs that wait for a person."""
    query = call.query
    return await call.find_agent().list_suspended(
        thread=query.get("threadId"),
        resource=call.owner(query.get("resourceId")),
        page=query.get("page") or 0,
        per_page=query.get("perPage") or 100,
    )


async def send_approval(call: Call) -> dict[str, Any]:
    """Say yes or no to the call that waits in a thread; the run goes on in the background."""
    agent, body = call.find_agent(), call.body
    resource = call.owner(body["resourceId"])
    page = await agent.list_suspended(thread=body["threadId"], resource=resource)
    for run in page["runs"]:
        if any(one["toolCallId"] == body["toolCallId"] for one in run["toolCalls"]):
            break
    else:
        raise NotFound("No tool call of this thread waits for approval")
    answer: dict[str, Any] = {"resource": resource, "detached": True}
    if body.get("resumeData") is not None:
        going = agent.resume(body["resumeData"], run_id=run["runId"], tool_call_id=body["toolCallId"], **answer)
    elif body["approved"]:
        going = agent.approve(run["runId"], body["toolCallId"], **answer)
    else:
        going = agent.decline(run["runId"], body["toolCallId"], **answer)
    call.state.runs.remember(run["runId"], resource)
    async with going:
        # The first chunk proves that the answer was taken; the rest happens without us.
        await going.take()
    return {"accepted": True, "runId": run["runId"], "toolCallId": body["toolCallId"]}


_ONE = "/agents/:agentId"
ROUTES = {
    f"POST {_ONE}/generate": generate,
    f"POST {_ONE}/generate/vnext": generate,
    f"POST {_ONE}/stream": stream,
    f"POST {_ONE}/stream-until-idle": stream,
    f"POST {_ONE}/stream/vnext": stream_records,
    f"POST {_ONE}/streamVNext": stream_records,
    f"POST {_ONE}/stream/ui": stream_ui,
    f"POST {_ONE}/stream/vnext/ui": stream_ui,
    f"POST {_ONE}/observe": observe,
    f"POST {_ONE}/recover": recover,
    f"POST {_ONE}/approve-tool-call": approve,
    f"POST {_ONE}/decline-tool-call": decline,
    f"POST {_ONE}/resume-stream": resume,
    f"POST {_ONE}/resume-stream-until-idle": resume,
    f"POST {_ONE}/approve-tool-call-generate": approve_generate,
    f"POST {_ONE}/decline-tool-call-generate": decline_generate,
    f"POST {_ONE}/send-tool-approval": send_approval,
    f"GET {_ONE}/suspended-runs": suspended,
}
