"""System: health, readiness, metrics, packages, OpenAPI, and what the server can do."""

from __future__ import annotations

import asyncio
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mastra.errors import MastraError
from mastra.server.openapi import openapi
from mastra.server.problems import Refused
from mastra.server.replies import Raw
from mastra.server.sse import dumps
from mastra.server.table import Route
from mastra.types.records import Table

if TYPE_CHECKING:
    from mastra.server.call import Call

# Any table will do: what is asked is whether the storage answers.
_PROBE = Table("audit_head")
READY_S = 2.0


async def health(call: Call) -> dict[str, bool]:
    """The process lives. Never touches the storage."""
    del call
    return {"success": True}


async def ready(call: Call) -> dict[str, Any]:
    """Whether requests can be served: the storage answers and the server is not stopping."""
    state = call.state
    if state.stopping:
        raise Refused(503, {"ready": False, "reason": "stopping"})
    try:
        async with asyncio.timeout(READY_S):
            await call.mastra.storage.get(_PROBE, "ready")
    except (MastraError, TimeoutError, OSError):
        raise Refused(503, {"ready": False, "reason": "the storage does not answer"}) from None
    return {"ready": True, "uptimeSeconds": round(time.monotonic() - state.started, 1)}


async def metrics(call: Call) -> Raw:
    """Counters and histograms for Prometheus; with exemplars when OpenMetrics is asked for."""
    modern = "application/openmetrics-text" in call.header(b"accept")
    text = (await call.state.all_metrics()).text(exemplars=modern)
    kind = b"application/openmetrics-text; version=1.0.0" if modern else b"text/plain; version=0.0.4"
    return Raw(text.encode(), kind + b"; charset=utf-8")


async def packages(call: Call) -> dict[str, Any]:
    """What is installed and switched on."""
    mastra = call.mastra
    storage = type(mastra.storage).__name__
    try:
        version = metadata.version("mastra")
    except metadata.PackageNotFoundError:
        version = "0"
    return {
        "packages": [{"name": "mastra", "version": version}],
        "isDev": call.state.options.page,
        "cmsEnabled": False,
        "liveKitConnectionRouteEnabled": False,
        "observabilityEnabled": mastra.services.tracer is not None,
        "storageType": storage,
        "observabilityStorageType": storage,
    }


async def api_schema(call: Call) -> dict[str, Any]:
    """The routes, as data."""
    rows = [
        {"method": route.method, "path": route.path, "responseType": route.out, "permissions": list(route.permissions)}
        for route in call.state.table
    ]
    return {"version": "1", "routes": rows}


async def openapi_json(call: Call) -> Raw:
    """The OpenAPI 3.1 description of this server."""
    if not call.state.options.openapi:
        raise Refused(404, {"error": "OpenAPI is switched off"})
    return Raw(dumps(openapi(call.state.table, prefix=call.state.options.prefix)), b"application/json")


ROUTES = {
    "GET /system/packages": packages,
    "GET /system/api-schema": api_schema,
}
# A path with two slashes stands outside the prefix.
OWN = [
    Route("GET", "//health", public=True, handler=health, response={"success": "boolean"}),
    Route("GET", "//livez", public=True, handler=health, response={"success": "boolean"}),
    Route("GET", "//readyz", public=True, handler=ready, response={"ready": "boolean", "uptimeSeconds": "number"}),
    Route("GET", "//metrics", out="raw", permissions=("system:read",), handler=metrics),
    Route("GET", "/openapi.json", out="raw", permissions=("system:read",), handler=openapi_json),
]
