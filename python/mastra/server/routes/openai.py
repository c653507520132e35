"""Agents under OpenAI's names: responses and conversations. Chat completions are in `chat`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, NotFound
from mastra.server.describe import DRAFT, agent_tools
from mastra.server.problems import openai_body, problem
from mastra.server.replies import Raw, Stream
from mastra.server.response_items import ResponseItems, items_of
from mastra.server.run_options import check_thread, run_options
from mastra.server.sse import dumps
from mastra.types.ids import new_id
from mastra.types.records import Delete, Put, Table

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.runtime.stream import RunStream
    from mastra.server.call import Call

RESPONSES = Table("responses", indexes=("resourceId",))


def _event(kind: str, data: dict[str, Any], number: int) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **data, "sequence_number": number}) + b"\n\n"


def _usage(usage: Any) -> dict[str, Any]:
    wire = usage.to_wire()
    return {
        "input_tokens": wire.get("inputTokens", 0),
        "output_tokens": wire.get("outputTokens", 0),
        "total_tokens": wire.get("totalTokens", 0),
        "input_tokens_details": {"cached_tokens": wire.get("cachedInputTokens", 0)},
        "output_tokens_details": {"reasoning_tokens": wire.get("reasoningTokens", 0)},
    }


def _texts(given: Any) -> list[dict[str, Any]]:
    """Input items as messages; a developer is a system."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    messages = []
    for item in given:
        content = item["content"]
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
        role = "system" if item["role"] == "developer" else item["role"]
        messages.append({"role": role, "content": content})
    return messages


class _Answer:
    """The response object while it grows."""

    def __init__(self, agent: Agent, body: dict[str, Any], tools: list[dict[str, Any]], model: str) -> None:
        self.id = f"msg_{new_id()}"
        self.agent = agent
        self.conversation: str | None = body.get("conversation_id")
        self._body = body
        self._tools = tools
        self._model = model
        self._created = int(time.time())

    def wire(self, items: list[dict[str, Any]] | None = None, usage: dict[str, Any] | None = None) -> dict[str, Any]:
        done = items is not None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if done else None,
            "model": self._model,
            "status": "completed" if done else "in_progress",
            "output": items or [],
            "usage": usage,
            "error": None,
            "incomplete_details": None,
            "instructions": self._body.get("instructions"),
            "text": self._body.get("text"),
            "previous_response_id": self._body.get("previous_response_id"),
            "conversation_id": self.conversation,
            "tools": self._tools,
            "store": bool(self._body.get("store")),
        }


async def create_response(call: Call) -> Raw | Stream:
    """Run an agent; the answer has the shape of OpenAI's Responses API."""
    body = call.body
    agent_id = body.get("agent_id")
    if not agent_id:
        # OpenAI's own SDK has no field for an agent: there, the agent is the model.
        agent_id = (body.pop("model", None) or "").removeprefix("mastra/")
    if not agent_id:
        raise InvalidInput("agent_id or model is needed: it names the agent that answers.")
    agent: Agent = call.mastra.get_agent(agent_id)
    options = run_options(call)
    for name in ("output", "detached", "context"):
        options.pop(name, None)
    conversation = body.get("conversation_id")
    earlier = body.get("previous_response_id")
    if earlier:
        row = await _stored(call, earlier)
        conversation = conversation or row["response"]["conversation_id"]
    if conversation is None and body.get("store"):
        conversation = new_id()
    if conversation is not None:
        options.update(thread=conversation, resource=call.owner(None) or conversation)
        await check_thread(call, agent, options)
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        options["output"] = form["schema"]
    plan = await agent.plan(call.context)
    tools = [
        {
            "type": "function",
            "name": name,
            "description": tool.description,
            "parameters": {"$schema": DRAFT, **tool.json_schema},
        }
        for name, tool in (await agent_tools(agent, call.context)).items()
    ]
    answer = _Answer(agent, body, tools, f"{plan.model.provider}/{plan.model.model_id}")
    answer.conversation = conversation
    run = agent.stream(_texts(body["input"]), **options)
    if body.get("stream"):
        return Stream(_response_events(call, run, answer), b"text/event-stream; charset=utf-8")
    async with run:
        result = await run.result()
    wire = answer.wire(items_of(result, answer.id), _usage(result.usage))
    await _store(call, wire)
    return Raw(dumps(wire), b"application/json")


async def _response_events(call: Call, run: RunStream[Any], answer: _Answer) -> AsyncIterator[bytes]:
    number = 0

    def event(kind: str, data: dict[str, Any]) -> bytes:
        nonlocal number
        number += 1
        return _event(f"response.{kind}", data, number)

    items = ResponseItems(answer.id)
    async with run:
        batch = await run.take()  # an early failure is still an ordinary answer
        begun = {"response": answer.wire()}
        yield event("created", begun) + event("in_progress", begun)
        try:
            while batch:
                if told := b"".join(event(*one) for chunk in batch for one in items.take(chunk)):
                    yield told
                batch = await run.take()
            result = await run.result()
            last = b"".join(event(*one) for one in items.finish())
            wire = answer.wire(items.items, _usage(result.usage))
            await _store(call, wire)
        except Exception as error:  # noqa: BLE001 - the stream has begun: the error goes into it
            told_error = openai_body(problem(error))["error"]
            reason = {"code": told_error["code"], "message": told_error["message"]}
            failed = {**answer.wire(), "status": "failed", "error": reason}
            head = event("failed", {"response": failed})
            yield head + _event("error", {**told_error, "error": told_error}, number + 1)
            return
        yield last + event("completed", {"response": wire})


async def _store(call: Call, wire: dict[str, Any]) -> None:
    if wire["store"]:
        row = {"response": wire, "resourceId": call.owner(None)}
        await call.mastra.storage.write([Put(RESPONSES, wire["id"], row)])


async def _stored(call: Call, response_id: str) -> dict[str, Any]:
    row = await call.mastra.storage.get(RESPONSES, response_id)
    if row is None or not call.mine(row.get("resourceId")):
        raise NotFound(f"Response {response_id} not found")
    return row


async def get_response(call: Call) -> dict[str, Any]:
    """A stored response."""
    row = await _stored(call, call.params["responseId"])
    found: dict[str, Any] = row["response"]
    return found


async def delete_response(call: Call) -> dict[str, Any]:
    """Forget a stored response."""
    response_id = call.params["responseId"]
    await _stored(call, response_id)
    await call.mastra.storage.write([Delete(RESPONSES, response_id)])
    return {"id": response_id, "object": "response", "deleted": True}


# ---------------------------------------------------------------- conversations


async def create_conversation(call: Call) -> dict[str, Any]:
    """A thread under another name."""
    body = call.body
    call.mastra.get_agent(body["agent_id"])
    name = body.get("conversation_id") or new_id()
    thread = await call.state.memory.create_thread(
        resource_id=call.owner(body.get("resource_id")) or name,
        thread_id=name,
        title=body.get("title") or "",
        metadata=body.get("metadata"),
    )
    return {"id": thread.id, "object": "conversation", "thread": thread.to_wire()}


async def _conversation(call: Call) -> Any:
    thread = await call.state.memory.get_thread(call.params["conversationId"])
    if thread is None or not call.mine(thread.resource_id):
        raise NotFound(f"Conversation {call.params['conversationId']} was not found")
    return thread


async def get_conversation(call: Call) -> dict[str, Any]:
    """One conversation."""
    thread = await _conversation(call)
    return {"id": thread.id, "object": "conversation", "thread": thread.to_wire()}


async def list_items(call: Call) -> dict[str, Any]:
    """The messages of a conversation as items."""
    thread = await _conversation(call)
    page = await call.state.memory.list_messages(thread.id, per_page=100)
    data = [
        {
            "id": message.id,
            "type": "message",
            "role": message.role,
            "status": "completed",
            "content": [{"type": "input_text" if message.role == "user" else "output_text", "text": message.text}],
        }
        for message in page.messages
    ]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": page.has_more}


async def delete_conversation(call: Call) -> dict[str, Any]:
    """Remove a conversation with its messages."""
    thread = await _conversation(call)
    await call.state.memory.delete_thread(thread.id)
    return {"id": thread.id, "object": "conversation.deleted", "deleted": True}


ROUTES = {
    "POST /v1/responses": create_response,
    "GET /v1/responses/:responseId": get_response,
    "DELETE /v1/responses/:responseId": delete_response,
    "POST /v1/conversations": create_conversation,
    "GET /v1/conversations/:conversationId": get_conversation,
    "GET /v1/conversations/:conversationId/items": list_items,
    "DELETE /v1/conversations/:conversationId": delete_conversation,
}
