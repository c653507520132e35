"""Handoff: an agent gives the conversation to another one, which goes on with it in the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, ToolFailed
from mastra.tools.context import ToolContext
from mastra.tools.tool import Tool
from mastra.types.prompt import SystemMessage

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.agents.run import Run

_INPUT = {
    "type": "object",
    "properties": {"reason": {"type": "string", "description": "Why the other one is better suited"}},
    "required": ["reason"],
    "additionalProperties": False,
}


def handoff(agent: Agent, *, name: str | None = None, description: str | None = None) -> Tool:
    """A tool that gives the conversation to `agent`: its instructions, model and tools take over.

    The thread, the budget and the memory stay those of the run.
    """
    said = description or getattr(agent, "description", "")
    if not said:
        raise BadDefinition(f"Agent {agent.id!r} has no description.", hint="Say when to hand over to it.")

    async def execute(arguments: dict[str, Any], context: ToolContext) -> Any:
        run: Run | None = context.run
        if run is None:
            raise ToolFailed("A handoff needs a run.")
        plan = await agent.plan(run.request_context)
        run.plan = plan._replace(memory=run.plan.memory, scorers=run.plan.scorers)
        rest = [message for message in run.prompt if not isinstance(message, SystemMessage)]
        run.prompt = [*plan.system, *rest]
        run.tool_choice = "auto"
        await context.custom("data-handoff", {"to": agent.id, "reason": arguments["reason"]}, transient=True)
        return f"{agent.name} has taken over."

    return Tool(
        name or f"handoff-{agent.id}", description=f"Hand over to {agent.name}: {said}", input=_INPUT,
        execute=execute, sequential=True,
    )  # fmt: skip
