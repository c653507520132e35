"""Runs that wait for a person: stored before they are announced, listed, and forgotten when they have ended."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mastra.agents.digests import digest
from mastra.errors import Conflict, InvalidInput
from mastra.registry import open_url
from mastra.types.records import Delete, Expect, Order, Put, Table
from mastra.types.times import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.agents.agent import Agent
    from mastra.agents.calls import Outcome
    from mastra.agents.run import Run, Step
    from mastra.ports.storage import Storage
    from mastra.runtime.services import Services
    from mastra.types.usage import Usage

log = logging.getLogger("mastra.agents")
RUNS = Table("agent_runs", ("agentId", "status", "threadId", "resourceId", "suspendedAt"))
# Who is at work on a run that was answered, and until when without a sign of life.
CLAIMS = Table("agent_claims")
# What a pending entry is called that waits for no person: a call that was begun.
CALL = "call"
# The key under which a child's suspension is kept in its parent's.
CHILD = "subAgent"
# The same for a workflow that an agent called.
WORKFLOW = "subWorkflow"
# Options that are data and hold for the rest of the run; callbacks are given again by whoever resumes.
_KEPT_OPTIONS = ("max_steps", "tool_choice", "active_tools", "require_tool_approval", "instructions", "system",
                 "model", "tool_call_concurrency", "read_only", "client_tools", "durable", "stop_when", "output",
                 "structured_output", "provider_options", "memory_options")  # fmt: skip


async def storage_of(services: Services) -> Storage:
    """The application's storage; without one, memory of this process."""
    if services.storage is None:
        services.storage = open_url("mastra.storage", "memory:")
    storage: Storage = services.storage  # pyright: ignore[reportAssignmentType]  # mypy reads it right
    await storage.open()
    return storage


# ---------------------------------------------------------------- storing


async def store_suspension(run: Run, step: Step, outcomes: list[Outcome]) -> None:
    """Write the run as it waits; it is durable when this returns."""
    storage = await storage_of(run.services)
    now = run.services.clock.now()
    ttl = run.options.approval_ttl_s
    expires = None if ttl is None else to_wire(now + timedelta(seconds=ttl))
    before = run.pending
    run.pending = {}
    for outcome in outcomes:
        if outcome.waits:
            kept = before.get(outcome.call_id)
            run.pending[outcome.call_id] = kept or {
                "type": "approval" if outcome.status == "approval" else "suspension",
                "payload": outcome.suspension(),
                "digest": digest(outcome.args),
                "expiresAt": expires,
            }
    for key, kind in (("pendingToolApprovals", "approval"), ("suspendedTools", "suspension")):
        waiting = {
            call_id: {**one["payload"], "type": kind, "runId": run.run_id}
            for call_id, one in run.pending.items()
            if one["type"] == kind
        }
        if waiting:
            run.metadata[key] = waiting
        else:
            run.metadata.pop(key, None)
    version = run.state.get("suspension", {}).get("version", 0)
    row = {**suspension_row(run, step, to_wire(now), run.pending), "version": version + 1}
    guard = Expect(RUNS, run.run_id) if version == 0 else Expect(RUNS, run.run_id, {"version": version})
    await storage.write([guard, Put(RUNS, run.run_id, row)])
    run.state["suspension"] = {**run.state.get("suspension", {}), "version": version + 1}


def suspension_row(run: Run, step: Step | None, now: str, pending: dict[str, Any]) -> dict[str, Any]:
    """The run as it stands in this step, for whoever goes on with it; its version is the writer's."""
    options = {name: getattr(run.options, name) for name in _KEPT_OPTIONS}
    budget = run.budget
    return {
        "runId": run.run_id,
        "agentId": run.agent.id,
        "status": "suspended",
        "threadId": run.thread_id,
        "resourceId": run.resource_id,
        "suspendedAt": now,
        "pending": pending,
        "input": [message.to_wire() for message in run.input],
        "context": [message.to_wire() for message in run.context],
        "answers": [message.to_wire() for message in run.answers()],
        "metadata": run.metadata,
        "step": None if step is None else _step_row(run, step),
        "usage": _usage(run.usage),
        "cost": run.cost,
        "budget": [budget.input_tokens, budget.output_tokens, budget.cost, budget.model_calls, budget.tool_calls],
        "options": {name: value for name, value in options.items() if is_data(value)},
        "requestContext": {key: value for key, value in run.request_context.to_wire().items() if is_data(value)},
    }


def _step_row(run: Run, step: Step) -> dict[str, Any]:
    response = step.response
    return {
        "number": step.number + run.carried,
        "text": step.text,
        "reasoning": step.reasoning,
        "calls": [call._asdict() for call in step.calls],
        "partCount": len(step.parts),
        "usage": _usage(step.usage),
        "finishReason": step.finish_reason,
        "rawReason": step.raw_reason,
        "metadata": step.metadata,
        "response": None if response is None else [response.id, response.model_id, response.headers],
    }


def _usage(usage: Usage) -> list[Any]:
    return [*usage[:5], None]


def is_data(value: Any) -> bool:
    """Whether a value can be kept as JSON."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_data(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(is_data(item) for item in value)
    return value is None or isinstance(value, str | int | float | bool)


async def forget_suspension(run: Run) -> None:
    """The run has ended: nothing waits any more."""
    storage = await storage_of(run.services)
    mine = Expect(RUNS, run.run_id, {"version": run.state["suspension"]["version"]})
    try:
        await storage.write([mine, Delete(RUNS, run.run_id), Delete(CLAIMS, run.run_id)])
    except Conflict:
        log.warning("run %s was taken up by another process, which will end it", run.run_id)


# ---------------------------------------------------------------- listing


async def list_suspended(
    agent: Agent, *, thread: str | None, resource: str | None, page: int, per_page: int
) -> dict[str, Any]:
    """The runs that wait, newest first, as the wire shows them."""
    if page < 0 or per_page < 1:
        raise InvalidInput("page is zero or more and per_page at least one.")
    storage = await storage_of(agent.services)
    await _free_abandoned(agent, storage)
    where: dict[str, Any] = {"agentId": agent.id, "status": "suspended"}
    if thread is not None:
        where["threadId"] = thread
    if resource is not None:
        where["resourceId"] = resource
    total = await storage.count(RUNS, where)
    newest = Order("suspendedAt", descending=True)
    found = await storage.scan(RUNS, where, order=newest, limit=(page + 1) * per_page)
    runs = [
        {
            "runId": row["runId"],
            "status": "suspended",
            "threadId": row["threadId"],
            "resourceId": row["resourceId"],
            "suspendedAt": row["suspendedAt"],
            "toolCalls": [_listed(entry) for entry in row["pending"].values()],
        }
        for _, row in found.records[page * per_page :]
    ]
    return {"runs": runs, "total": total}


async def is_held(services: Services, storage: Storage, run_id: str) -> bool:
    """Whether a process is at work on the run."""
    claim = await storage.get(CLAIMS, run_id)
    return claim is not None and services.clock.now() < from_wire(claim["until"])


def is_recoverable(row: Mapping[str, Any]) -> bool:
    """Whether a run goes on by itself, when somebody takes it up: nobody was asked anything."""
    return bool(row["options"].get("durable")) and all(entry["type"] == CALL for entry in row["pending"].values())


async def list_interrupted(agent: Agent, *, resource: str | None) -> list[dict[str, Any]]:
    """The durable runs whose process gives no sign of life, the oldest first."""
    storage = await storage_of(agent.services)
    where = {"agentId": agent.id, "status": "running"}
    if resource is not None:
        where["resourceId"] = resource
    found = await storage.scan(RUNS, where, order=Order("suspendedAt"), limit=1000)
    return [
        {"runId": run_id, "threadId": row["threadId"], "resourceId": row["resourceId"], "at": row["suspendedAt"]}
        for run_id, row in found.records
        if is_recoverable(row) and not await is_held(agent.services, storage, run_id)
    ]


async def _free_abandoned(agent: Agent, storage: Storage) -> None:
    """Runs whose holder died wait again, with what is known of the call that was answered."""
    found = await storage.scan(RUNS, {"agentId": agent.id, "status": "running"}, limit=1000)
    for run_id, row in found.records:
        if is_recoverable(row) or await is_held(agent.services, storage, run_id):
            continue
        freed = {**row, "status": "suspended", "version": row["version"] + 1}
        try:
            await storage.write(
                [Expect(RUNS, run_id, {"version": row["version"]}), Put(RUNS, run_id, freed), Delete(CLAIMS, run_id)]
            )
        except Conflict:
            continue  # somebody took it up meanwhile


def _listed(entry: Mapping[str, Any]) -> dict[str, Any]:
    payload = entry["payload"]
    out = {key: payload[key] for key in ("toolCallId", "toolName", "args")}
    out["requiresApproval"] = entry["type"] == "approval"
    if "suspendPayload" in payload:
        out["suspendPayload"] = payload["suspendPayload"]
    return out
