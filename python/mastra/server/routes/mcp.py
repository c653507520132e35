"""MCP servers: what they offer, using them by hand, and the protocol itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import BadArguments, InputError, InvalidInput, NotFound, ToolFailed
from mastra.mcp.headers import status_of
from mastra.mcp.http import exchange
from mastra.mcp.protocol import Caller, tool_entry
from mastra.mcp.protocol import call as call_tool
from mastra.runtime.signals import Suspend
from mastra.server.call import header
from mastra.server.gate import Cors
from mastra.server.problems import Refused
from mastra.server.replies import Raw, Stream
from mastra.server.routes.tools import not_valid
from mastra.server.sse import dumps
from mastra.tools.context import ToolContext
from mastra.types.ids import new_id
from mastra.types.schema import to_json

if TYPE_CHECKING:
    from mastra.mcp.server import McpServer
    from mastra.server.call import Call
    from mastra.tools.tool import Tool

_JSON = b"application/json"
_LEGACY = {"error": "Legacy SSE transport is unavailable for MCP v2 servers"}


def _server(call: Call, name: str = "serverId") -> McpServer:
    asked = call.params[name]
    found: McpServer | None = call.mastra.mcp_servers.get(asked)
    if found is None:
        raise Refused(404, {"error": f"MCP server '{asked}' not found"})
    return found


def _info(server: McpServer) -> dict[str, Any]:
    released = server.released.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    out: dict[str, Any] = {"id": server.id, "name": server.name}
    if server.description:
        out["description"] = server.description
    return {
        **out,
        "version_detail": {"version": server.version, "release_date": released, "is_latest": True},
        "transports": ["streamable-http"],
    }


def _tool_info(server: McpServer, tool: Tool) -> dict[str, Any]:
    out: dict[str, Any] = {"id": tool.id, **tool_entry(tool)}
    kind = server.kind_of(tool)
    return out if kind == "tool" else {**out, "toolType": kind}


async def list_servers(call: Call) -> dict[str, Any]:
    """The MCP servers of this application."""
    servers = [_info(server) for server in call.mastra.mcp_servers.values()]
    total, query = len(servers), call.query
    size = query.get("perPage") or query.get("limit") or total or 1
    start = query["offset"] if "offset" in query else query.get("page", 0) * size
    after = start + size
    return {
        "servers": servers[start:after],
        "total_count": total,
        "next": f"/api/mcp/v0/servers?limit={size}&offset={after}" if after < total else None,
    }


async def get_server(call: Call) -> dict[str, Any]:
    """One MCP server."""
    server = _server(call, "id")
    asked = call.query.get("version")
    if asked and asked != server.version:
        raise Refused(404, {"error": f"MCP server '{server.id}' has no version '{asked}'"})
    return _info(server)


async def list_tools(call: Call) -> dict[str, Any]:
    """The tools that a server offers; agents and workflows among them."""
    server = _server(call)
    return {"tools": [_tool_info(server, tool) for tool in server.tools.values()]}


def _tool(call: Call) -> tuple[McpServer, Tool]:
    server, asked = _server(call), call.params["toolId"]
    tool = server.tools.get(asked)
    if tool is None:
        raise Refused(404, {"error": f"Tool '{asked}' not found on MCP server '{server.id}'"})
    return server, tool


async def get_tool(call: Call) -> dict[str, Any]:
    """One tool of a server."""
    return _tool_info(*_tool(call))


async def execute_tool(call: Call) -> dict[str, Any]:
    """Run a tool by hand. One that waits says so, and goes on when `resumeData` is sent with its payload."""
    server, tool = _tool(call)
    answer, waits = call.body.get("resumeData"), call.body.get("suspendPayload")
    if answer is not None and server.kind_of(tool) == "workflow":
        if not isinstance(waits, dict):
            raise InvalidInput("To go on, send suspendPayload back as it came.")
        answer = {"data": answer, "runId": waits.get("runId"), "step": waits.get("step")}
    context = ToolContext(
        run_id=new_id(),
        tool_call_id=new_id(),
        tool_name=tool.name,
        resource_id=call.owner(None),
        request_context=call.context,
        services=call.mastra.services,
        resume_data=answer,
    )
    arguments = call.body.get("data")
    try:
        result = await call_tool(server, tool, {} if arguments is None else arguments, context)
    except BadArguments as error:
        return {"result": not_valid(tool, error)}
    except ToolFailed as error:
        # What the caller sent was wrong: that is theirs to hear, not a failure of the tool.
        if isinstance(error.__cause__, (NotFound, InputError)):
            raise error.__cause__ from error
        raise
    except Suspend as signal:
        out: dict[str, Any] = {"status": "suspended", "suspendPayload": signal.payload}
        if tool.resume_schema is not None:
            out["resumeSchema"] = tool.resume_schema.json_schema
        return out
    return {"result": to_json(result)}


async def list_resources(call: Call) -> dict[str, Any]:
    """The resources that a server offers."""
    return {"resources": [one.to_wire() for one in _server(call).resources.values()]}


async def read_resource(call: Call) -> dict[str, Any]:
    """The contents of a resource."""
    return {"contents": await _server(call).read(call.body["uri"])}


async def speak(call: Call) -> Any:
    """The protocol: one JSON-RPC message, one answer."""
    server = _server(call)
    origin = header(call.headers, b"origin")
    if origin and not Cors(call.state.options).allows(origin):
        raise Refused(403, {"error": "This origin is not allowed"})
    if call.body is None:
        return Raw(b"", _JSON, 405, ((b"allow", b"POST"),))
    _check_permission(call)
    caller = Caller(call.owner(None), call.context, call.mastra.services)
    made = await exchange(server, call.body, call.headers, caller)
    if made is None:
        return Raw(b"", _JSON, 202)
    if isinstance(made, dict):
        return Raw(dumps(made), _JSON, status_of(made))
    return Stream(made, beats=False)


def _check_permission(call: Call) -> None:
    """The protocol asks for no permission of its own; a tool called through it needs what it needs elsewhere."""
    method = call.body.get("method") if isinstance(call.body, dict) else None
    needed = "mcp:execute" if method == "tools/call" else "mcp:read"
    if call.principal is not None and not call.principal.may(needed):
        raise Refused(403, {"error": "Forbidden", "message": f"Missing required permission: {needed}"})


async def no_legacy(call: Call) -> Any:
    """The transport of 2024 is not spoken any more."""
    _server(call)
    raise Refused(404, _LEGACY)


ROUTES = {
    "GET /mcp/v0/servers": list_servers,
    "GET /mcp/v0/servers/:id": get_server,
    "GET /mcp/:serverId/tools": list_tools,
    "GET /mcp/:serverId/tools/:toolId": get_tool,
    "POST /mcp/:serverId/tools/:toolId/execute": execute_tool,
    "GET /mcp/:serverId/resources": list_resources,
    "POST /mcp/:serverId/resources/read": read_resource,
    "ALL /mcp/:serverId/mcp": speak,
    "ALL /mcp/:serverId/sse": no_legacy,
    "POST /mcp/:serverId/messages": no_legacy,
}
