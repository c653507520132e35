"""Processors: which guards there are and who uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import NotFound

if TYPE_CHECKING:
    from mastra.server.call import Call

# Method of a processor -> the phase it stands for.
PHASES = {
    "process_input": "input",
    "process_input_step": "inputStep",
    "process_output_stream": "outputStream",
    "process_output_result": "outputResult",
    "process_output_step": "outputStep",
}


def _phases(processor: Any) -> list[str]:
    """The phases whose method the class overrides."""
    if hasattr(processor, "create_run"):  # a workflow in a processor's place
        return ["input", "outputResult"]
    own: set[str] = set()
    for kind in type(processor).__mro__:
        if kind.__name__ != "Processor":
            own.update(vars(kind))
    return [phase for method, phase in PHASES.items() if method in own]


def _all(call: Call) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    def entry(processor: Any) -> dict[str, Any]:
        return found.setdefault(
            processor.id,
            {
                "id": processor.id,
                "name": getattr(processor, "name", processor.id),
                "phases": _phases(processor),
                "agentIds": [],
                "configurations": [],
                "isWorkflow": hasattr(processor, "create_run") or hasattr(processor, "workflow"),
            },
        )

    for processor in call.mastra.processors.values():
        entry(processor)
    for agent in call.mastra.agents.values():
        for kind, given in (("input", agent.input_processors), ("output", agent.output_processors)):
            if callable(given):
                continue
            for processor in given or ():
                if not hasattr(processor, "id"):
                    continue
                made = entry(processor)
                if agent.id not in made["agentIds"]:
                    made["agentIds"].append(agent.id)
                made["configurations"].append({"agentId": agent.id, "agentName": agent.name, "type": kind})
    return found


async def list_processors(call: Call) -> dict[str, Any]:
    """Every processor that is registered or used by an agent."""
    found = _all(call)
    for one in found.values():
        for use in one["configurations"]:
            use.pop("agentName", None)
    return found


async def get_processor(call: Call) -> dict[str, Any]:
    """One processor."""
    found = _all(call).get(call.params["processorId"])
    if found is None:
        raise NotFound("Processor not found")
    found.pop("agentIds")
    return found


ROUTES = {
    "GET /processors": list_processors,
    "GET /processors/:processorId": get_processor,
}
