"""What a route answers while its feature is not configured: an empty list, "not found", or a refusal by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.server.problems import Refused

if TYPE_CHECKING:
    from mastra.server.call import Call
    from mastra.server.shapes import Issues
    from mastra.server.table import Route

# First part of the path -> what is missing, in the words a client shows.
FEATURES = {
    "stored": "Editor is not configured",
    "editor": "Editor is not configured",
    "tool-providers": "Editor is not configured",
    "agent-builder": "Agent builder is not configured",
    "agent-controller": "Agent controller is not configured",
    "channels": "Channels are not configured",
    "workspaces": "Workspaces are not configured",
    "datasets": "Datasets are not configured",
    "experiments": "Datasets are not configured",
    "a2a": "A2A is not configured",
    "mcp": "MCP is not configured",
    "observability": "Observability is not configured",
    "auth": "This login is not configured",
}
# What a route names in the singular, for "X not found".
NOUNS = {
    "agents": "Agent",
    "agent-builder": "Agent builder action",
    "agent-controller": "Agent controller",
    "channels": "Channel",
    "datasets": "Dataset",
    "experiments": "Experiment",
    "mcp": "MCP server",
    "stored": "Stored entity",
    "tool-providers": "Tool provider",
    "workspaces": "Workspace",
    "workflows": "Workflow",
}
# "Nothing" where the shape alone cannot tell.
EMPTY: dict[str, Any] = {
    "/auth/capabilities": {"enabled": False, "login": None},
    "/auth/me": None,
    "/editor/builder/settings": {"enabled": False},
    "/editor/workflow-builder/settings": {"enabled": False},
}


# Queries with a language of their own.
_QUERIES = ("/observability/traces/query", "/observability/threads/query")


def speaks_queries(route: Route) -> bool:
    """Whether a route takes a query in the language of traces; its refusals have a shape of their own."""
    return route.path.startswith(_QUERIES)


def invalid_query(issues: Issues) -> Refused:
    """What such a route says of a body that is no query."""
    told = [
        {"code": "invalid_request", "path": one["field"].split(".") if one["field"] else [], "message": one["message"]}
        for one in issues
    ]
    return Refused(422, {"code": "TRACE_QUERY_INVALID", "message": "The trace query is invalid", "issues": told})


def answer_open(call: Call) -> Any:
    """The answer of a route that nobody serves."""
    route = call.route
    top = route.path.split("/")[1]
    if route.path in EMPTY:
        return EMPTY[route.path]
    if route.method == "GET" and not call.params and route.out == "json" and route.response is not None:
        return _empty(call)
    if route.method == "GET" and route.out == "json":
        raise Refused(404, {"error": f"{NOUNS.get(top, 'Resource')} not found"})
    raise Refused(500, {"error": FEATURES.get(top, "This feature is not configured")})


def _empty(call: Call) -> Any:
    """An empty list, with the paging that was asked for."""
    value = call.state.table.shapes.empty(call.route.response)
    if not isinstance(value, dict):
        return value
    page, per_page = call.query.get("page", 0), call.query.get("perPage", 100)
    for holder in (value, value.get("pagination")):
        if isinstance(holder, dict) and "perPage" in holder:
            holder.update(page=page, perPage=per_page)
    return value
