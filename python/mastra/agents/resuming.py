"""Going on with a run that waited: one caller wins, the answer is used once, finished siblings never run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.agents.calls import Outcome, resume_call, settle_call
from mastra.agents.claims import claim_run, note
from mastra.agents.digests import digest
from mastra.agents.endings import suspend_run
from mastra.agents.journal import Journal
from mastra.agents.loop import build_prompt
from mastra.agents.payloads import remember_wire
from mastra.agents.recording import record
from mastra.agents.run import Run, Step
from mastra.agents.traced import memory_span
from mastra.agents.waiting import CALL, CHILD, RUNS, WORKFLOW, is_held, is_recoverable, storage_of
from mastra.errors import ApprovalInvalid, InvalidInput, ToolFailed, near_miss
from mastra.runtime.request_context import RequestContext
from mastra.types.ids import new_id
from mastra.types.message_prompt import assistant_prompt, to_prompt
from mastra.types.messages import Message
from mastra.types.model import ResponseStart, ToolCall
from mastra.types.schema import to_json
from mastra.types.times import from_wire
from mastra.types.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mastra.agents.agent import Agent
    from mastra.ports.storage import Storage
    from mastra.runtime.stream import Emit

NOT_APPROVED = "Tool call was not approved by the user"


async def load_run(
    agent: Agent,
    run_id: str,
    tool_call_id: str | None,
    answer: Mapping[str, Any],
    options: Mapping[str, Any],
    emit: Emit | None,
) -> Run:
    """Take the run that waits, as the only one; `ApprovalInvalid` when there is nothing (more) to answer."""
    storage = await storage_of(agent.services)
    row = await _stored(agent, storage, run_id, options)
    call_id = _which(row, tool_call_id, answer)
    if tool_call_id is not None and tool_call_id != call_id:
        answer = {**answer, "call_id": tool_call_id}
    entry = row["pending"][call_id]
    _check_entry(agent, row, call_id, entry)
    _check_data(agent, entry, answer)
    holder = await claim_run(agent.services, storage, row)
    run = await _restore(agent, row, holder, options, emit)
    run.resume = lambda: _go_on(run, lambda step: _answer(run, step, call_id, answer))
    return run


async def recover_run(agent: Agent, run_id: str, options: Mapping[str, Any], emit: Emit | None) -> Run:
    """Take up a durable run whose process has died; `ApprovalInvalid` when it is at work, or waits for a person."""
    storage = await storage_of(agent.services)
    row = await _stored(agent, storage, run_id, options)
    if row["status"] != "running" or not is_recoverable(row):
        raise ApprovalInvalid(
            f"Run {run_id} waits for an answer.", run_id=run_id, hint="Approve, decline or resume it."
        )
    holder = await claim_run(agent.services, storage, row)
    run = await _restore(agent, row, holder, options, emit)
    if run.steps:
        run.resume = lambda: _go_on(run, lambda step: _settle_left(run, step))
    return run


async def _stored(agent: Agent, storage: Storage, run_id: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a run that nobody is at work on."""
    row = await storage.get(RUNS, run_id)
    if row is None or row["agentId"] != agent.id:
        raise ApprovalInvalid(
            f"No run {run_id} of agent {agent.id} waits for an answer.",
            run_id=run_id,
            hint="It was answered already, or never suspended.",
        )
    _check_owner(row, options)
    if row["status"] == "running" and await is_held(agent.services, storage, run_id):
        raise ApprovalInvalid(
            f"Run {run_id} is at work.",
            run_id=run_id,
            hint="Another process may take it up when this one gives no sign of life.",
        )
    return row


def _check_owner(row: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    resource = options.get("resource")
    if resource is not None and row["resourceId"] is not None and resource != row["resourceId"]:
        raise ApprovalInvalid(f"No run {row['runId']} of this resource waits for an answer.", run_id=str(row["runId"]))


def _which(row: Mapping[str, Any], tool_call_id: str | None, answer: Mapping[str, Any]) -> str:
    pending: dict[str, Any] = row["pending"]
    if tool_call_id is not None:
        if tool_call_id in pending:
            return tool_call_id
        for call_id, entry in pending.items():
            waits = entry["payload"].get("suspendPayload")
            child = waits.get(CHILD) if isinstance(waits, dict) else None
            if child is not None and any(one["toolCallId"] == tool_call_id for one in child["pending"]):
                return call_id  # a call of a sub-agent: its parent's call waits for it
        raise ApprovalInvalid(
            f"No call {tool_call_id[:80]!r} of run {row['runId']} waits for an answer.",
            run_id=row["runId"],
            hint=near_miss(tool_call_id, pending) or f"Waiting: {', '.join(pending) or 'none'}.",
        )
    if all(entry["type"] == CALL for entry in pending.values()):
        return next(iter(pending))  # nobody is asked: the process that ran them has died
    kind = "suspension" if "data" in answer else "approval"
    fitting = [call_id for call_id, entry in pending.items() if entry["type"] == kind] or list(pending)
    if len(fitting) == 1:
        return fitting[0]
    raise ApprovalInvalid(
        f"{len(fitting)} calls of run {row['runId']} wait for an answer.",
        run_id=row["runId"],
        hint=f"Say which one: {', '.join(fitting)}." if fitting else "",
    )


def _check_entry(agent: Agent, row: Mapping[str, Any], call_id: str, entry: Mapping[str, Any]) -> None:
    # What was begun was answered in time.
    if (
        "started" not in entry
        and entry["expiresAt"] is not None
        and agent.services.clock.now() >= from_wire(entry["expiresAt"])
    ):
        raise ApprovalInvalid(f"The request for call {call_id} expired at {entry['expiresAt']}.", run_id=row["runId"])
    call = next(call for call in row["step"]["calls"] if call["call_id"] == call_id)
    if digest(call["arguments"]) != entry["digest"]:
        raise ApprovalInvalid(
            f"The arguments of call {call_id} are not those that were asked about.", run_id=row["runId"]
        )


def _check_data(agent: Agent, entry: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Data for a tool that waits must fit its schema before the run is taken: a mistake can be mended."""
    if "data" not in answer or entry["type"] == CALL:
        return
    if entry["type"] == "approval":
        data = answer["data"]
        if not isinstance(data, dict) or not isinstance(data.get("approved"), bool):
            raise InvalidInput("This call waits for an approval.", hint='Answer {"approved": true} or false.')
        return
    waits = entry["payload"].get("suspendPayload")
    if isinstance(waits, dict) and (CHILD in waits or WORKFLOW in waits):
        return  # the sub-agent or the workflow checks what is for its own tool or step
    plan = agent._plan  # noqa: SLF001 - the compiled tools of the same package
    tool = None if plan is None else plan.tools.get(entry["payload"]["toolName"])
    if tool is not None and tool.resume_schema is not None:
        tool.resume_schema.validate(answer["data"])


async def _restore(
    agent: Agent,
    row: Mapping[str, Any],
    holder: str,
    options: Mapping[str, Any],
    emit: Emit | None,
) -> Run:
    given = {**row["options"], **options, "run_id": row["runId"], "resource": row["resourceId"]}
    if row["threadId"] is not None:
        given["thread"] = row["threadId"]
    context = given.get("request_context")
    if not isinstance(context, RequestContext):
        given["request_context"] = RequestContext({**row["requestContext"], **(context or {})})
    messages = [Message.from_wire(message) for message in row["input"]]
    run = await agent.begin(messages, given, emit=emit)
    run.state["suspension"] = {"version": row["version"] + 1, "holder": holder}
    run.journal = Journal()
    run.context = [Message.from_wire(message) for message in row["context"]]
    if row["step"] is None:  # nothing was done yet
        return run
    run.responses = [Message.from_wire(message) for message in row["answers"]]
    run.usage = Usage(*row["usage"])
    run.cost = row["cost"]
    budget = run.budget
    budget.input_tokens, budget.output_tokens, budget.cost, budget.model_calls, budget.tool_calls = row["budget"]
    run.metadata = {
        key: value for key, value in row["metadata"].items() if key not in ("pendingToolApprovals", "suspendedTools")
    }
    run.pending = {key: dict(value) for key, value in row["pending"].items()}
    run.message_id = new_id()
    run.resumed = True
    step = _restore_step(run, row)
    run.steps = [step]
    run.carried = row["step"]["number"]
    return run


async def _go_on(run: Run, answer: Callable[[Step], Awaitable[bool]]) -> bool:
    """Remember what the model was told, then answer the calls of the step that was left."""
    step = run.steps[0]
    memory = run.plan.memory
    if memory is not None and run.thread_id is not None:
        with memory_span("recall"):
            recall = await memory.recall(thread_id=run.thread_id, resource_id=run.resource_id, query=None)
        own = {message.id for message in (*run.input, *run.responses)}
        run.recalled = [message for message in recall.messages if message.id not in own]
        run.remembered_system = tuple(recall.system)
        run.keep_pinned(recall)
    run.prompt = build_prompt(run)
    run.prompt.extend(to_prompt(run.responses[:-1]))
    earlier = run.responses[-1].parts[: len(run.responses[-1].parts) - len(step.parts)]
    run.prompt.extend(assistant_prompt(earlier))
    return await answer(step)


def _restore_step(run: Run, row: Mapping[str, Any]) -> Step:
    kept = row["step"]
    step = Step(kept["number"], run.plan.model)
    last = run.responses[-1]
    count = kept["partCount"]
    # The same objects as in the stored answer: what settles a call shows in both.
    step.parts = list(last.parts[len(last.parts) - count :]) if count else []
    step.stored = True
    step.text, step.reasoning = kept["text"], kept["reasoning"]
    step.calls = [ToolCall(**call) for call in kept["calls"]]
    step.usage = Usage(*kept["usage"])
    step.finish_reason, step.raw_reason = kept["finishReason"], kept["rawReason"]
    step.metadata = kept["metadata"]
    if kept["response"] is not None:
        step.response = ResponseStart(*kept["response"])
    remember_wire(run, step)
    return step


async def _answer(run: Run, step: Step, call_id: str, answer: Mapping[str, Any]) -> bool:
    """Give the answer to the call; whether all calls of the step are settled now."""
    if run.pending[call_id]["type"] == CALL:
        return await _settle_left(run, step)
    call = next(call for call in step.calls if call.call_id == call_id)
    entry = run.pending.pop(call_id)
    approval = entry["type"] == "approval"
    if approval and "data" in answer:
        answer = answer["data"]
    part = next(part for part in step.parts if part.get("toolInvocation", {}).get("toolCallId") == call_id)
    if "settled" in entry:
        outcome = _settled(run, call, entry["settled"], part["toolInvocation"])
        settle_call(run, step, outcome)
    elif entry.get("started") and not _may_repeat(run, call, entry):
        outcome = _abandoned(run, call)
        settle_call(run, step, outcome)
    elif approval and not answer["approved"]:
        outcome = Outcome(call, run.plan.tools.get(call.name), "denied")
        outcome.approval = {"id": call_id, "approved": False, "reason": answer.get("reason") or NOT_APPROVED}
        settle_call(run, step, outcome)
    else:
        given = None if approval else _given(entry, call_id, answer)
        await note(run, call_id, started=True)
        outcome = await resume_call(run, step, call, given)
        if approval:
            part["toolInvocation"]["approval"] = {"id": call_id, "approved": True}
    if not outcome.waits and "settled" not in entry:
        await note(run, call_id, settled=outcome.status)
    waiting = [_waiting(run, step, other) for other in run.pending]
    if outcome.waits:
        waiting.append(outcome)
    if waiting:
        await suspend_run(run, step, waiting)
        return False
    metadata = dict(run.responses[-1].extra.get("metadata", {}))
    for key in ("pendingToolApprovals", "suspendedTools"):
        metadata.pop(key, None)
    run.responses[-1].extra["metadata"] = {**metadata, "mastra": {"responseBoundary": True}}
    await record(run)
    return True


def _abandoned(run: Run, call: ToolCall) -> Outcome:
    outcome = Outcome(call, run.plan.tools.get(call.name), "failed")
    outcome.error = ToolFailed(
        "The process that ran this call stopped before it had a result. The call may have had its effect; "
        "it was not run again.",
        run_id=run.run_id,
    )
    return outcome


async def _settle_left(run: Run, step: Step) -> bool:
    """Calls of a later step, begun by a process that died: what is over stays, the others run only if they may."""
    waiting: list[Outcome] = []
    for call_id, entry in list(run.pending.items()):
        call = next(call for call in step.calls if call.call_id == call_id)
        part = next(part for part in step.parts if part.get("toolInvocation", {}).get("toolCallId") == call_id)
        if "settled" in entry:
            settle_call(run, step, _settled(run, call, entry["settled"], part["toolInvocation"]))
        elif _may_repeat(run, call, entry):
            outcome = await resume_call(run, step, call, None)
            if outcome.waits:
                waiting.append(outcome)
                continue
            await note(run, call_id, settled=outcome.status)
        else:
            settle_call(run, step, _abandoned(run, call))
            await note(run, call_id, settled="failed")
        del run.pending[call_id]
    if waiting:
        run.pending = {}
        await suspend_run(run, step, waiting)
        return False
    await record(run)
    return True


def _may_repeat(run: Run, call: ToolCall, entry: Mapping[str, Any]) -> bool:
    """Whether a call that was begun may be run again: it says so, or what it calls keeps count itself."""
    waits = entry["payload"].get("suspendPayload")
    if isinstance(waits, dict) and (CHILD in waits or WORKFLOW in waits):
        return True
    tool = run.plan.tools.get(call.name)
    return tool is not None and tool.idempotent


def _settled(run: Run, call: ToolCall, status: str, invocation: Mapping[str, Any]) -> Outcome:
    """The outcome of a call that was over when the process stopped."""
    outcome = Outcome(call, run.plan.tools.get(call.name), status)
    outcome.result = outcome.model_output = invocation.get("result")
    outcome.approval = invocation.get("approval")
    if status == "failed":
        outcome.error = ToolFailed(str(outcome.result), run_id=run.run_id)
    return outcome


def _given(entry: Mapping[str, Any], asked: str, answer: Mapping[str, Any]) -> Any:
    """What the waiting tool receives: the data, or for a sub-agent which of its calls is answered how."""
    waits = entry["payload"].get("suspendPayload")
    if isinstance(waits, dict) and WORKFLOW in waits:
        return {WORKFLOW: waits[WORKFLOW], "data": to_json(answer.get("data"))}
    child = waits.get(CHILD) if isinstance(waits, dict) else None
    if child is None:
        return to_json(answer.get("data"))
    chosen = answer.get("call_id", asked)
    known = [one["toolCallId"] for one in child["pending"]]
    return {CHILD: {"runId": child["runId"], "toolCallId": chosen if chosen in known else None}, "answer": answer}


def _waiting(run: Run, step: Step, call_id: str) -> Outcome:
    entry = run.pending[call_id]
    call = next(call for call in step.calls if call.call_id == call_id)
    outcome = Outcome(call, run.plan.tools.get(call.name), "approval" if entry["type"] == "approval" else "suspended")
    outcome.suspend_payload = entry["payload"].get("suspendPayload")
    return outcome
