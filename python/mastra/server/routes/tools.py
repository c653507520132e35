"""Tools: what they are, and running them by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import BadArguments, InvalidInput
from mastra.server.describe import tool_info
from mastra.tools.call import run_tool
from mastra.tools.context import ToolContext

if TYPE_CHECKING:
    from mastra.server.call import Call
    from mastra.tools.tool import Tool


async def list_tools(call: Call) -> dict[str, Any]:
    """The tools that are registered by themselves."""
    return {name: tool_info(tool) for name, tool in call.mastra.tools.items()}


async def get_tool(call: Call) -> dict[str, Any]:
    """One tool."""
    return tool_info(call.mastra.get_tool(call.params["toolId"]))


async def execute_tool(call: Call) -> Any:
    """Run a tool with arguments that are checked like a model's."""
    return await execute(call, call.mastra.get_tool(call.params["toolId"]))


async def execute(call: Call, tool: Tool) -> Any:
    """The tool's result; arguments that do not fit are an answer, not a failure, as the protocol wants it."""
    context = ToolContext(
        tool_name=tool.name,
        run_id=call.query.get("runId") or "",
        resource_id=call.owner(None),
        request_context=call.context,
        services=call.mastra.services,
    )
    try:
        return await run_tool(tool, call.body["data"], context)
    except (BadArguments, InvalidInput) as error:
        return not_valid(tool, error)


def not_valid(tool: Tool, error: BadArguments | InvalidInput) -> dict[str, Any]:
    """What a caller is told whose arguments do not fit."""
    issues = getattr(error, "issues", None) or error.details.get("issues", [])
    fields: dict[str, Any] = {}
    for issue in issues:
        fields.setdefault(issue["field"], {"errors": []})["errors"].append(issue["message"])
    lines = "".join(f"\n- {issue['field']}: {issue['message']}" for issue in issues)
    return {
        "error": True,
        "message": f"Tool input validation failed for {tool.id}. {lines or error.message}",
        "validationErrors": {"errors": [], "fields": fields},
    }


ROUTES = {
    "GET /tools": list_tools,
    "GET /tools/:toolId": get_tool,
    "POST /tools/:toolId/execute": execute_tool,
}
