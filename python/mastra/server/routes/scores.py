"""Scores: what judges there are, and how they judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied, InvalidInput, NotFound
from mastra.evals.scores import ScoreRepo
from mastra.server.routes.observability import trace_of

if TYPE_CHECKING:
    from mastra.evals.scorer import Scorer
    from mastra.server.call import Call

MAX_TARGETS = 1_000


def _repo(call: Call) -> ScoreRepo:
    return ScoreRepo(call.mastra.storage, call.mastra.services)


def _info(call: Call, name: str, scorer: Any) -> dict[str, Any]:
    users = {agent.id: (agent, entry) for agent in call.mastra.agents.values() for entry in _uses(agent, name, scorer)}
    sampling = next((entry["sampling"] for _, entry in users.values() if entry.get("sampling") is not None), None)
    told = {
        "scorer": scorer.to_wire(),
        "agentIds": list(users),
        "agentNames": [agent.name for agent, _ in users.values()],
        "workflowIds": [],
        "isRegistered": True,
        "source": "code",
    }
    return told if sampling is None else {**told, "sampling": sampling}


def _uses(agent: Any, name: str, scorer: Scorer) -> list[dict[str, Any]]:
    """The entries by which an agent is judged by this scorer."""
    given = agent.scorers
    listed = [] if callable(given) else list(given.values() if isinstance(given, Mapping) else given or ())
    entries = [entry if isinstance(entry, dict) else {"scorer": entry} for entry in listed]
    return [entry for entry in entries if entry.get("scorer") is scorer or entry.get("scorer") in (name, scorer.id)]


async def list_scorers(call: Call) -> dict[str, Any]:
    """Every registered scorer."""
    return {name: _info(call, name, scorer) for name, scorer in call.mastra.scorers.items()}


async def get_scorer(call: Call) -> dict[str, Any]:
    """One scorer."""
    wanted = call.params["scorerId"]
    return _info(call, wanted, call.mastra.get_scorer(wanted))


async def _list(call: Call, **which: Any) -> dict[str, Any]:
    query = call.query
    return await _repo(call).list(page=query.get("page") or 0, per_page=query.get("perPage") or 10, **which)


def _everybodys(call: Call) -> None:
    if call.bound is not None:
        raise AccessDenied("Access denied: scores belong to everybody; ask an administrator")


async def by_run(call: Call) -> dict[str, Any]:
    """The scores of a run."""
    _everybodys(call)
    return await _list(call, run_id=call.params["runId"])


async def by_scorer(call: Call) -> dict[str, Any]:
    """The scores that a scorer gave."""
    _everybodys(call)
    query = call.query
    return await _list(
        call,
        scorer_id=call.params["scorerId"],
        entity_id=query.get("entityId"),
        entity_type=query.get("entityType"),
    )


async def by_entity(call: Call) -> dict[str, Any]:
    """The scores of an agent or a workflow."""
    _everybodys(call)
    return await _list(call, entity_type=call.params["entityType"], entity_id=call.params["entityId"])


async def by_span(call: Call) -> dict[str, Any]:
    """The scores of a span."""
    _everybodys(call)
    return await _list(call, trace_id=call.params["traceId"], span_id=call.params["spanId"])


async def save(call: Call) -> dict[str, Any]:
    """Keep a score that was made elsewhere."""
    score = call.body["score"]
    if not isinstance(score, dict):
        raise InvalidInput("A score is an object.")
    return {"score": await _repo(call).save(score)}


async def score_traces(call: Call) -> dict[str, Any]:
    """Let a scorer judge what is stored of traces, or of single spans; it does so in the background."""
    scorer, targets = call.mastra.get_scorer(call.body["scorerName"]), call.body["targets"]
    if len(targets) > MAX_TARGETS:
        raise InvalidInput(f"At most {MAX_TARGETS} traces can be scored at once.")
    background = call.mastra.services.background
    for target in targets:
        background.spawn(_score(call, scorer, target["traceId"], target.get("spanId")), f"score-{scorer.id}")
    count = len(targets)
    message = f"Scoring started for {count} trace{'' if count == 1 else 's'}"
    return {"status": "success", "message": message, "traceCount": count}


async def _score(call: Call, scorer: Scorer, trace_id: str, span_id: str | None) -> None:
    rows = await trace_of(call, trace_id)
    wanted = [row for row in rows if (row["spanId"] == span_id if span_id is not None else row["root"])]
    if not wanted:
        raise NotFound(f"Span with ID '{span_id}' not found in trace '{trace_id}'")
    row = wanted[0]
    given, made = row["input"], row["output"]
    if row["spanType"] == "agent_run":
        # As a scorer of agents is given it; what the model remembered is not in the trace.
        given = {"inputMessages": given or [], "rememberedMessages": [], "systemMessages": []}
        text = (made or {}).get("text") or ""
        made = [{"role": "assistant", "content": {"format": 2, "parts": [{"type": "text", "text": text}]}}]
    await scorer.score_run(
        input=given,
        output=made,
        run_id=row["runId"] or trace_id,
        entity={"id": row["entityId"], "name": row["entityName"]},
        entity_type=(row["entityType"] or row["spanType"]).upper(),
        source="TEST",
        thread_id=row["threadId"],
        resource_id=row["resourceId"],
        trace_id=trace_id,
        span_id=row["spanId"],
        services=call.mastra.services,
    )


ROUTES = {
    "GET /scores/scorers": list_scorers,
    "GET /scores/scorers/:scorerId": get_scorer,
    "GET /scores/run/:runId": by_run,
    "GET /scores/scorer/:scorerId": by_scorer,
    "GET /scores/entity/:entityType/:entityId": by_entity,
    "GET /observability/traces/:traceId/:spanId/scores": by_span,
    "POST /observability/traces/score": score_traces,
    "POST /scores": save,
}
