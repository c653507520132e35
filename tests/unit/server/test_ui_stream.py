"""Runs as the AI SDK reads them: every part has its type, and the stream ends as it must."""

import json

import httpx
from tests.wire.wire_application import make

from mastra.server.http import create_app


async def parts(messages, agent="assistant"):
    mastra = make(storage="memory:")
    transport = httpx.ASGITransport(create_app(mastra))
    async with mastra, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(f"/api/agents/{agent}/stream/ui", json={"messages": messages})
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert answer.text.endswith("data: [DONE]\n\n")
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


async def test_a_text():
    found = await parts([{"role": "user", "parts": [{"type": "text", "text": "Hello"}]}])
    kinds = list(dict.fromkeys(part["type"] for part in found))
    assert kinds == ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"]
    assert "".join(part["delta"] for part in found if part["type"] == "text-delta") == "Hello from the mock model."


async def test_a_tool_call():
    found = {part["type"]: part for part in await parts("weather")}
    assert found["tool-input-available"]["input"] == {"city": "Paris"}
    assert found["tool-output-available"]["output"]["tempC"] == 21


async def test_an_approval_is_asked_for():
    found = {part["type"]: part for part in await parts("the secret", agent="guarded")}
    assert found["tool-approval-request"]["toolCallId"] == found["tool-input-available"]["toolCallId"]


async def test_a_failure():
    found = {part["type"]: part for part in await parts("fail-please")}
    assert "mock model failure" in found["error"]["errorText"]
