"""Requests made from the route table: paths, queries and bodies that fit the shapes, with ids of one.s choice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mastra.server.shapes import Shapes
from mastra.server.table import Route

# Fields whose minimal value says too little to get anywhere.
KNOWN: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello", "threadId": "{threadId}", "resourceId": "{resourceId}"}],
    "input": "Hello",
    "model": "assistant",
    "agent_id": "assistant",
    "agentId": "assistant",
    "inputData": {"message": "x", "amount": 1},
    "resumeData": {"approved": True},
    "data": {"city": "Oslo"},
    "step": "ask-approval",
    "queryVector": [0.1, 0.2],
    "vectors": [[0.1, 0.2]],
    "dimension": 2,
    "searchQuery": "x",
    "transportId": "memory",
    "cron": "0 0 1 1 *",
    "period": "day",
    "timeRange": {"from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z"},
    "aggregation": "count",
    "interval": "1h",
    "percentiles": [50],
}
ALIASES = {
    "thread": "threadId",
    "resource": "resourceId",
    "conversation_id": "threadId",
    "conversationId": "threadId",
    "scorerId": "entityId",
    "previous_response_id": "responseId",
    "traceIds": "traceId",
    "messageIds": "messageId",
}


def fill(text: str, ids: Mapping[str, str]) -> str:
    """`{name}` in a text replaced by its id."""
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], match[0]), text)


def path_of(route: Route, ids: Mapping[str, str], prefix: str = "/api") -> str:
    """The path with every parameter filled in."""
    if route.path.startswith("//"):
        return route.path[1:]
    return prefix + re.sub(
        r":(\w+)", lambda match: ids.get(ALIASES.get(match[1], match[1]), f"some-{match[1]}"), route.path
    )


def query_of(route: Route, ids: Mapping[str, str], shapes: Shapes) -> dict[str, Any]:
    """What the query must carry, and every id that it may."""
    out = {}
    for key, shape in (route.query or {}).items():
        name = key.rstrip("?")
        value = _known(name, ids)
        if value is not None:
            out[name] = value
        elif not key.endswith("?"):
            out[name] = shapes.empty(shape) or "x"
    return {key: value for key, value in out.items() if isinstance(value, str | int | float)}


def _known(name: str, ids: Mapping[str, str]) -> Any:
    alias = ALIASES.get(name, name)
    if alias in ids:
        return [ids[alias]] if name.endswith("Ids") else ids[alias]
    if name in KNOWN:
        return _filled(KNOWN[name], ids)
    return None


def _filled(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill(value, ids)
    if isinstance(value, list):
        return [_filled(item, ids) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, ids) for key, item in value.items()}
    return value


def body_of(shape: Any, ids: Mapping[str, str], shapes: Shapes) -> Any:
    """A body with what it must have, and every id that it may have."""
    shape = shapes.resolve(shape)
    if not isinstance(shape, dict) or "|" in shape or "*" in shape:
        return shapes.empty(shape)
    out: dict[str, Any] = {}
    for key, inner in shape.items():
        name = key.rstrip("?")
        if name == "model" and key.endswith("?"):
            continue
        value = _known(name, ids)
        if name == "memory":
            value = {"thread": ids.get("threadId", "t"), "resource": ids.get("resourceId", "r")}
        if value is None and not key.endswith("?"):
            resolved = shapes.resolve(inner)
            value = body_of(inner, ids, shapes) if isinstance(resolved, dict) else shapes.empty(inner)
            if value == "":
                value = "x"
        if value is not None or not key.endswith("?"):
            out[name] = value
    return out


def is_endless(route: Route) -> bool:
    """Whether its answer goes on until somebody leaves."""
    return route.out == "sse-flush" or (route.method == "GET" and route.out == "sse")
