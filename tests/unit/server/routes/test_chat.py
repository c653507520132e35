"""Chat completions as the official `openai` SDK, unmodified, reads them: our agents are its models."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.wire.wire_application import HELLO, SUNNY, make

from mastra.server.http import create_app

openai = pytest.importorskip("openai", reason="the openai SDK is missing: it was NOT tried against the server")
COLOR = {
    "type": "function",
    "function": {
        "name": "set_color",
        "description": "Set the color",
        "parameters": {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]},
    },
}


@pytest.fixture
async def client():
    mastra = make(storage="memory:")
    transport = httpx.ASGITransport(create_app(mastra))
    http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    made = openai.AsyncOpenAI(api_key="none", base_url="http://localhost/api/v1", http_client=http, max_retries=0)
    async with mastra, made:
        yield made


def said(text):
    return [{"role": "user", "content": text}]


async def test_models(client):
    assert [model.id async for model in client.models.list()] == ["assistant", "guarded"]
    assert (await client.models.retrieve("assistant")).owned_by == "mastra"


async def test_a_completion(client):
    done = await client.chat.completions.create(model="assistant", messages=said("Hello"), temperature=0.1, stop="x")
    assert done.choices[0].message.content == HELLO
    assert done.choices[0].finish_reason == "stop"
    assert done.usage.total_tokens == 15


async def test_a_streamed_completion(client):
    stream = await client.chat.completions.create(
        model="assistant", messages=said("weather?"), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SUNNY
    assert chunks[-1].usage.prompt_tokens == 20
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


async def test_a_tool_of_the_caller_runs_at_the_caller(client):
    asked = await client.chat.completions.create(model="assistant", messages=said("color please"), tools=[COLOR])
    choice = asked.choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"color": "red"}
    history = [*said("color please"), choice.message, {"role": "tool", "tool_call_id": call.id, "content": "done"}]
    answered = await client.chat.completions.create(model="assistant", messages=history, tools=[COLOR])
    assert answered.choices[0].message.content == SUNNY


async def test_a_streamed_tool_of_the_caller(client):
    stream = client.chat.completions.stream(model="assistant", messages=said("color please"), tools=[COLOR])
    async with stream as events:
        async for _ in events:
            pass
        done = await events.get_final_completion()
    assert done.choices[0].message.tool_calls[0].function.name == "set_color"
    assert done.choices[0].finish_reason == "tool_calls"


async def test_a_failure_of_the_model(client):
    with pytest.raises(openai.InternalServerError, match="mock model failure"):
        await client.chat.completions.create(model="assistant", messages=said("fail-please"))
    stream = await client.chat.completions.create(model="assistant", messages=said("fail-please"), stream=True)
    with pytest.raises(openai.APIError, match="mock model failure"):
        _ = [chunk async for chunk in stream]


async def test_what_is_wrong_is_refused(client):
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="nobody", messages=said("x"))
    for messages in ([], [{"role": "tool", "content": "x"}], said([{"type": "hologram"}])):
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="assistant", messages=messages)
