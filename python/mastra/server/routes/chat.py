"""Our agents as models of OpenAI's chat completions: texts, files, tools of the caller, structured answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.server.chat_messages import client_tools, read_chat
from mastra.server.problems import openai_body, problem
from mastra.server.replies import Raw, Stream
from mastra.server.sse import DONE, dumps
from mastra.server.table import Route
from mastra.types.json import dumps as json_text

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.runtime.stream import RunStream
    from mastra.server.call import Call

_SETTINGS = {
    "temperature": "temperature",
    "top_p": "topP",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "seed": "seed",
}


async def list_models(call: Call) -> dict[str, Any]:
    """Our agents, as models."""
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "mastra"} for name in call.mastra.agents]
    return {"object": "list", "data": data}


async def get_model(call: Call) -> dict[str, Any]:
    """One agent, as a model."""
    agent: Agent = call.mastra.get_agent(call.params["model"])
    return {"id": agent.id, "object": "model", "created": 0, "owned_by": "mastra"}


def _options(call: Call) -> dict[str, Any]:
    body = call.body
    options: dict[str, Any] = {"request_context": call.context, "resource": call.owner(body.get("user"))}
    settings = {ours: body[theirs] for theirs, ours in _SETTINGS.items() if body.get(theirs) is not None}
    if body.get("stop") is not None:
        settings["stopSequences"] = [body["stop"]] if isinstance(body["stop"], str) else body["stop"]
    if settings:
        options["model_settings"] = settings
    if body.get("tools"):
        options["client_tools"] = client_tools(body["tools"])
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        options["tool_choice"] = choice
    elif isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping):
        options["tool_choice"] = {"type": "tool", "toolName": choice["function"].get("name")}
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        options["output"] = form["json_schema"]["schema"]
    return options


async def chat_completions(call: Call) -> Raw | Stream:
    """Run the agent that `model` names; the answer has the shape of OpenAI's chat completions."""
    body, options = call.body, _options(call)
    agent: Agent = call.mastra.get_agent(body["model"].removeprefix("mastra/"))
    theirs = frozenset(options.get("client_tools", ()))
    if not body["messages"]:
        raise InvalidInput("There is no message.")
    run = agent.stream(read_chat(body["messages"]), **options)
    head = {"id": f"chatcmpl-{run.run_id}", "created": int(time.time()), "model": body["model"]}
    if body.get("stream"):
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return Stream(_events(run, head, theirs, with_usage=with_usage))
    async with run:
        result = await run.result()
    calls = [_call(one) for one in result.tool_calls if one["toolName"] in theirs] if theirs else []
    message: dict[str, Any] = {"role": "assistant", "content": result.text or (None if calls else ""), "refusal": None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(result.finish_reason, calls)}
    answer = {**head, "object": "chat.completion", "choices": [choice], "usage": _tokens(result.usage)}
    return Raw(dumps(answer), b"application/json")


def _call(told: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": told["toolName"], "arguments": json_text(told.get("args") or {})}
    return {"id": told["toolCallId"], "type": "function", "function": function}


def _finish(reason: str, calls: list[dict[str, Any]]) -> str:
    if calls:
        return "tool_calls"
    return {"length": "length", "content-filter": "content_filter"}.get(reason, "stop")


def _tokens(usage: Any) -> dict[str, int]:
    wire = usage.to_wire()
    asked, answered = wire.get("inputTokens") or 0, wire.get("outputTokens") or 0
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": wire.get("totalTokens") or asked + answered,
    }


async def _events(
    run: RunStream[Any], head: dict[str, Any], theirs: frozenset[str], *, with_usage: bool
) -> AsyncIterator[bytes]:
    def frame(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        data = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: " + dumps({**data, "usage": None} if with_usage else data) + b"\n\n"

    calls: list[dict[str, Any]] = []
    async with run:
        batch = await run.take()  # an early failure is still an ordinary answer
        yield frame({"role": "assistant", "content": ""})
        try:
            while batch:
                out = []
                for chunk in batch:
                    if chunk.type == "text-delta":
                        out.append(frame({"content": chunk.payload["text"]}))
                    elif chunk.type == "tool-call" and chunk.payload["toolName"] in theirs:
                        calls.append(_call(chunk.payload))
                        out.append(frame({"tool_calls": [{"index": len(calls) - 1, **calls[-1]}]}))
                if out:
                    yield b"".join(out)
                batch = await run.take()
            result = await run.result()
        except Exception as error:  # noqa: BLE001 - the stream has begun: the error goes into it
            yield b"data: " + dumps(openai_body(problem(error))) + b"\n\n" + DONE
            return
        yield frame({}, _finish(result.finish_reason, calls))
        if with_usage:
            last = {**head, "object": "chat.completion.chunk", "choices": [], "usage": _tokens(result.usage)}
            yield b"data: " + dumps(last) + b"\n\n"
        yield DONE


_FUNCTION = {"name": "string+", "description?": "string", "parameters?": "object"}
_FORMATS = [{"type": "'text'|'json_object'"}, {"type": "'json_schema'", "json_schema": {"schema": "object"}}]
_COMPLETION = {
    "model": "string+",
    "messages": [{"role": "'system'|'developer'|'user'|'assistant'|'tool'", "content?": "string|array"}],
    "stream?": "boolean",
    "stream_options?": "object",
    "user?": "string",
    "temperature?": "number",
    "top_p?": "number",
    "max_tokens?": "integer>0",
    "max_completion_tokens?": "integer>0",
    "seed?": "integer",
    "stop?": {"|": ["string", ["string"]]},
    "tools?": [{"type": "'function'", "function": _FUNCTION}],
    "tool_choice?": "string|object",
    "response_format?": {"|": _FORMATS},
}
ROUTES: dict[str, object] = {}
OWN = [
    Route(
        "GET",
        "/v1/models",
        permissions=("agents:read",),
        handler=list_models,
        response={"data": ["object"]},
        openai_errors=True,
    ),
    Route(
        "GET",
        "/v1/models/:model",
        permissions=("agents:read",),
        handler=get_model,
        response={"id": "string"},
        openai_errors=True,
    ),
    Route(
        "POST",
        "/v1/chat/completions",
        out="raw",
        permissions=("agents:execute",),
        body=_COMPLETION,
        handler=chat_completions,
        openai_errors=True,
    ),
]
