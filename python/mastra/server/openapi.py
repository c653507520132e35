"""OpenAPI 3.1, made from the route table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import mastra

if TYPE_CHECKING:
    from mastra.server.table import Route, Table

_PARAMETER = re.compile(r":([A-Za-z]+)")
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_MEDIA = {"json": "application/json", "sse": "text/event-stream", "sse-flush": "text/event-stream",
          "records": "text/plain", "raw": "*/*", "mcp-http": "application/json",
          "mcp-sse": "text/event-stream"}  # fmt: skip


def openapi(table: Table, *, prefix: str = "/api", served_only: bool = False) -> dict[str, Any]:
    """The description of all routes, or of those that somebody serves."""
    paths: dict[str, Any] = {}
    for route in table:
        if served_only and route.is_open:
            continue
        outside = route.path.startswith("//")
        path = _PARAMETER.sub(r"{\1}", route.path[1:] if outside else f"{prefix}{route.path}")
        method = "post" if route.method == "ALL" else route.method.lower()
        paths.setdefault(path, {})[method] = _operation(route, table)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mastra",
            "version": mastra.__version__,
            "description": "Agents and workflows.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**table.shapes.components(), "Error": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, table: Table) -> dict[str, Any]:
    shapes = table.shapes
    noun = route.path.strip("/").split("/")[0]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    for name, shape in (route.query or {}).items():
        required = not name.endswith("?")
        entry = {"name": name.rstrip("?"), "in": "query", "required": required}
        parameters.append({**entry, **_query_schema(shapes.resolve(shape), shapes.json_schema(shape))})
    answer: dict[str, Any] = {"description": "The answer"}
    schema = shapes.json_schema(route.response) if route.response is not None else {}
    if route.handler is not None or route.out != "json":
        # Answers hold more fields than the description lists: extensions are allowed everywhere.
        answer["content"] = {_MEDIA[route.out]: {"schema": schema if route.out == "json" else {}}}
    problem = {"schema": {"$ref": "#/components/schemas/Error"}}
    error = {"description": "Refused", "content": {"application/json": problem}}
    out: dict[str, Any] = {
        "operationId": re.sub(r"[^a-zA-Z0-9]+", "_", route.key.lower()).strip("_"),
        "tags": [noun],
        "parameters": parameters,
        "responses": {"200": answer, "4XX": error, "5XX": error},
    }
    if route.body is not None:
        body_schema = shapes.json_schema(route.body)
        out["requestBody"] = {"required": True, "content": {"application/json": {"schema": body_schema}}}
    if not route.public:
        out["security"] = [{"bearer": []}, {}]
        out["x-permissions"] = list(route.permissions)
    if route.is_open:
        out["x-open"] = True
    return out


def _query_schema(shape: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """Objects travel in a query as JSON text, everything else as it is."""
    if isinstance(shape, dict) or (isinstance(shape, str) and shape.startswith("object")):
        return {"content": {"application/json": {"schema": schema}}}
    return {"schema": schema}
