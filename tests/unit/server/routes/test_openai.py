"""Responses and conversations, through the official `openai` SDK where it has a word for them."""

from __future__ import annotations

import httpx
import pytest
from tests.wire.wire_application import HELLO, SUNNY, make

from mastra.server.auth import StaticKeys
from mastra.server.http import create_app

openai = pytest.importorskip("openai", reason="the openai SDK is missing: it was NOT tried against the server")


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


async def test_a_response(client):
    made = await client.responses.create(model="assistant", input="Hello")
    assert made.output_text == HELLO
    assert made.status == "completed"
    assert made.usage.total_tokens == 15


async def test_a_streamed_response(client):
    stream = await client.responses.create(model="assistant", input=said("Hello"), stream=True)
    events = [event async for event in stream]
    assert events[0].type == "response.created"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == HELLO
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == HELLO
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))


async def test_a_streamed_response_that_breaks(client):
    stream = await client.responses.create(model="assistant", input="fail-please", stream=True)
    with pytest.raises(openai.APIError, match="mock model failure"):
        _ = [event async for event in stream]


async def test_responses_are_kept_and_continued(client):
    first = await client.responses.create(model="assistant", input="Hello", store=True)
    again = await client.responses.retrieve(first.id)
    assert again.output_text == HELLO
    second = await client.responses.create(model="assistant", input="weather?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.output_text == SUNNY
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)


async def test_a_response_of_another_resource_is_not_there():
    keys = StaticKeys({"ka": {"id": "ann"}, "kb": {"id": "bob"}})
    mastra = make(storage="memory:")
    app = create_app(mastra, auth=keys)
    async with mastra:
        made = {}
        for name in ("ka", "kb"):
            http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
            made[name] = openai.AsyncOpenAI(
                api_key=name, base_url="http://localhost/api/v1", http_client=http, max_retries=0
            )
        kept = await made["ka"].responses.create(model="assistant", input="Hello", store=True)
        assert (await made["ka"].responses.retrieve(kept.id)).id == kept.id
        with pytest.raises(openai.NotFoundError):
            await made["kb"].responses.retrieve(kept.id)
        with pytest.raises(openai.APIStatusError):
            await made["kb"].responses.create(model="assistant", input="x", previous_response_id=kept.id)


async def test_conversations_are_threads():
    mastra = make(storage="memory:")
    transport = httpx.ASGITransport(create_app(mastra, auth=StaticKeys({"ka": {"id": "ann"}, "kb": {"id": "bob"}})))
    async with mastra, httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v1") as http:
        ann, bob = {"authorization": "Bearer ka"}, {"authorization": "Bearer kb"}
        body = {"agent_id": "assistant", "title": "Trip", "resource_id": "bob"}
        made = (await http.post("/conversations", json=body, headers=ann)).json()
        assert made["object"] == "conversation"
        assert made["thread"]["resourceId"] == "ann"  # the owner comes from the token
        asked = {"agent_id": "assistant", "input": "Hello", "conversation_id": made["id"]}
        assert (await http.post("/responses", json=asked, headers=ann)).json()["conversation_id"] == made["id"]
        assert (await http.post("/responses", json=asked, headers=bob)).status_code == 403
        items = (await http.get(f"/conversations/{made['id']}/items", headers=ann)).json()
        assert [(one["role"], one["content"][0]["text"]) for one in items["data"]] == [
            ("user", "Hello"), ("assistant", HELLO)]  # fmt: skip
        assert (items["first_id"], items["last_id"]) == (items["data"][0]["id"], items["data"][1]["id"])
        for method, path in (("GET", ""), ("GET", "/items"), ("DELETE", "")):
            refused = await http.request(method, f"/conversations/{made['id']}{path}", headers=bob)
            assert refused.status_code == 404
        gone = await http.delete(f"/conversations/{made['id']}", headers=ann)
        assert gone.json() == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
        assert (await http.get(f"/conversations/{made['id']}", headers=ann)).status_code == 404
