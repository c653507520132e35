"""From the body of an agent request to the options of a run; what the token says wins over what the body says."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from mastra.memory.recall_options import read_recall_options
from mastra.server.problems import Refused

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.server.call import Call

# Field of the body -> option of the run, where the value goes over as it is.
_SAME = {
    "instructions": "instructions",
    "system": "system",
    "context": "context",
    "runId": "run_id",
    "modelSettings": "model_settings",
    "providerOptions": "provider_options",
    "activeTools": "active_tools",
    "clientTools": "client_tools",
    "toolChoice": "tool_choice",
    "requireToolApproval": "require_tool_approval",
    "returnScorerData": "return_scorer_data",
    "tracingOptions": "tracing_options",
    "structuredOutput": "structured_output",
    "output": "output",
    "detached": "detached",
}
MAX_STEPS = 100


def run_options(call: Call, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """The options of `generate` and `stream`: those of the body, or `given` in a part of it."""
    body: dict[str, Any] = call.body if given is None else given
    options: dict[str, Any] = {}
    idle = body.get("untilIdle")
    if idle or call.route.path.endswith("-until-idle"):
        most = idle.get("maxIdleMs") if isinstance(idle, dict) else body.get("maxIdleMs")
        options["until_idle"] = True if most is None else most / 1000
    if len(body) > 1 or given:
        for field, option in _SAME.items():
            value = body.get(field)
            if value is not None:
                options[option] = value
        if body.get("model") is not None:
            options["model"] = chosen_model(call, body["model"])
        shape = body.get("structuredOutput")
        if isinstance(shape, dict) and shape.get("model") is not None:
            # The model that shapes the answer is a choice like the other; a mapping could even name an address.
            options["structured_output"] = {**shape, "model": chosen_model(call, shape["model"])}
        steps = body.get("maxSteps")
        if steps is not None:
            options["max_steps"] = max(1, min(int(steps), MAX_STEPS))
        memory = body.get("memory")
        if memory is not None:
            _place(options, memory)
    if call.principal is not None:
        resource = call.owner(options.get("resource"))
        if resource is not None:
            options["resource"] = resource
        options["request_context"] = call.context
    elif body.get("requestContext"):
        options["request_context"] = call.context
    return options


def chosen_model(call: Call, model: Any) -> str:
    """A model that the caller asks for: only one that the server's options name, since somebody pays for it."""
    allowed = call.state.options.client_models
    if isinstance(model, str) and any(fnmatchcase(model, pattern) for pattern in allowed):
        return model
    known = [{"provider": name.partition("/")[0], "modelId": name.partition("/")[2]} for name in allowed]
    told = {
        "code": "MODEL_NOT_ALLOWED",
        "message": "This server does not let callers choose this model",
        "allowed": known,
        "attempted": model if isinstance(model, str) else None,
        "offendingLabel": "model",
    }
    raise Refused(422, {"error": told})


def _place(options: dict[str, Any], memory: dict[str, Any]) -> None:
    options["thread"] = memory.get("thread")
    if memory.get("resource") is not None:
        options["resource"] = memory["resource"]
    asked = memory.get("options")
    if isinstance(asked, dict) and "readOnly" in asked:
        asked = dict(asked)
        options["read_only"] = bool(asked.pop("readOnly"))
    if asked:
        options["memory_options"] = asked
    if memory.get("readOnly"):
        options["read_only"] = True


async def spare_memory(call: Call, agent: Agent, options: dict[str, Any]) -> None:
    """What is asked of a memory that the agent does not have is checked and left out: clients ask all agents alike."""
    if options.get("memory_options") and (await agent.plan(call.context)).memory is None:
        read_recall_options(options.pop("memory_options"))


async def check_thread(call: Call, agent: Agent, options: dict[str, Any]) -> None:
    """403 for a thread of somebody else, before anything runs."""
    thread = options.get("thread")
    if call.bound is None or thread is None:
        return
    thread_id = thread.get("id") if isinstance(thread, dict) else thread
    memory = (await agent.plan(call.context)).memory
    if memory is None or not isinstance(thread_id, str):
        return
    found = await memory.get_thread(thread_id)
    if found is not None:
        call.guard(found.resource_id)
