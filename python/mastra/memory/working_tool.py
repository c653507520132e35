"""The tool by which a model rewrites its working memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.memory.options import WorkingMemory
from mastra.tools.tool import Tool

if TYPE_CHECKING:
    from mastra.memory.memory import Memory
    from mastra.tools.context import ToolContext

NAME = "updateWorkingMemory"


def make_tool(memory: Memory, options: WorkingMemory) -> Tool:
    """The tool of `memory`: a whole new page, or with a schema the fields that change."""
    if options.schema is None:
        described = "the whole page as Markdown; what you leave out is forgotten"
        field: dict[str, Any] = {"type": "string", "description": described}
    else:
        described = "the fields that change: objects are merged, null removes a field, lists are replaced"
        field = {"type": "object", "description": described, "additionalProperties": True}
    parameters = {
        "type": "object",
        "properties": {"memory": field},
        "required": ["memory"],
        "additionalProperties": False,
    }

    async def execute(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        if context.thread_id is None:
            raise InvalidInput("There is no thread to remember for.")
        await memory.update_working_memory(
            arguments["memory"], thread_id=context.thread_id, resource_id=context.resource_id
        )
        return {"success": True}

    return Tool(
        NAME,
        description="Write down what is worth knowing in later conversations.",
        input=parameters,
        execute=execute,
        sequential=True,
    )
