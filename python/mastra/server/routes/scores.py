"""Scores: what judges there are, and how they judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied, InvalidInput
from mastra.evals.scores import ScoreRepo

if TYPE_CHECKING:
    from mastra.server.call import Call


def _repo(call: Call) -> ScoreRepo:
    return ScoreRepo(call.mastra.storage, call.mastra.services)


def _info(call: Call, name: str, scorer: Any) -> dict[str, Any]:
    users = [agent for agent in call.mastra.agents.values() if _uses(agent, name, scorer)]
    steps = getattr(scorer, "steps", ())
    return {
        "scorer": {
            "config": {"id": scorer.id, "name": scorer.name, "description": scorer.description},
            "steps": [{"name": getattr(one, "name", str(one)), "isPromptObject": False} for one in steps],
            "originalPromptObjects": {},
            "source": "code",
        },
        "agentIds": [agent.id for agent in users],
        "agentNames": [agent.name for agent in users],
        "workflowIds": [],
        "isRegistered": True,
        "source": "code",
    }


def _uses(agent: Any, name: str, scorer: Any) -> bool:
    given = agent.scorers
    entries = list(given.values()) if isinstance(given, dict) else list(given or ()) if not callable(given) else []
    found = [entry.get("scorer") if isinstance(entry, dict) else entry for entry in entries]
    return any(one is scorer or one in (name, scorer.id) for one in found if not callable(one) or one is scorer)


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
    if call.principal is not None and call.principal.isolated:
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


ROUTES = {
    "GET /scores/scorers": list_scorers,
    "GET /scores/scorers/:scorerId": get_scorer,
    "GET /scores/run/:runId": by_run,
    "GET /scores/scorer/:scorerId": by_scorer,
    "GET /scores/entity/:entityType/:entityId": by_entity,
    "GET /observability/traces/:traceId/:spanId/scores": by_span,
    "POST /scores": save,
}
