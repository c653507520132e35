"""Logs: the newest records of this process. Only callers who are bound to no resource may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied
from mastra.server.log_ring import TRANSPORT

if TYPE_CHECKING:
    from mastra.server.call import Call


def _allowed(call: Call) -> None:
    if call.bound is not None:
        raise AccessDenied("Access denied: logs belong to everybody; ask an administrator")


async def transports(call: Call) -> dict[str, list[str]]:
    """Where logs can be read from."""
    return {"transports": [TRANSPORT] if call.state.logs is not None else []}


async def list_logs(call: Call) -> dict[str, Any]:
    """Records, newest first. The page of the answer counts from one."""
    _allowed(call)
    query = call.query
    page, per_page = max(1, int(query.get("page") or 1)), int(query.get("perPage") or 100)
    rows: list[dict[str, Any]] = []
    if call.state.logs is not None and query["transportId"] == TRANSPORT:
        given = query.get("filters") or []
        pairs = [item.partition(":") for item in ([given] if isinstance(given, str) else given)]
        rows = await call.state.find_logs(
            run_id=call.params.get("runId"),
            level=query.get("logLevel"),
            start=query.get("fromDate"),
            end=query.get("toDate"),
            filters={key: value for key, _, value in pairs if key},
        )
    shown = rows[(page - 1) * per_page : page * per_page]
    total = len(rows)
    return {"logs": shown, "total": total, "page": page, "perPage": per_page, "hasMore": page * per_page < total}


ROUTES = {
    "GET /logs/transports": transports,
    "GET /logs": list_logs,
    "GET /logs/:runId": list_logs,
}
