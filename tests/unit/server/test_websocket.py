"""WebSockets on a real socket: chunks, errors, aborts, the window, and who is let in."""

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest
import websockets
from tests.wire.serving import serving as served
from tests.wire.wire_application import HELLO, SUNNY, make
from websockets.typing import Origin, Subprotocol

from mastra.server.auth import StaticKeys
from mastra.server.websocket import NOT_LET_IN, messages_of


@contextlib.asynccontextmanager
async def serving(**options):
    async with served(make(storage="memory:"), **options) as (app, place):
        yield app, f"ws://{place}/api"


async def answer(ws, body):
    await ws.send(body if isinstance(body, str) else json.dumps(body))
    found = []
    while True:
        text = await asyncio.wait_for(ws.recv(), 10)
        if text == "[DONE]":
            return found
        found.append(json.loads(text))
        if found[-1]["type"] == "error" and "status" in found[-1]:
            return found


def text_of(chunks):
    return "".join(chunk["payload"]["text"] for chunk in chunks if chunk["type"] == "text-delta")


def test_the_frames_of_http_become_messages():
    assert messages_of(b'data: {"a":1}\n\n: \n\nid: 4\n\ndata: {"b":"data: x"}\n\ndata: [DONE]\n\n') == [
        '{"a":1}',
        '{"b":"data: x"}',
    ]
    assert messages_of(b'{"a":1}\x1e{"b":2}\x1e') == ['{"a":1}', '{"b":2}']
    assert messages_of(b'event: x\ndata: {"c":1}\n\n') == ['{"c":1}']


async def test_requests_follow_each_other_on_one_connection():
    async with serving() as (app, url), websockets.connect(f"{url}/agents/assistant/stream") as ws:
        assert text_of(await answer(ws, {"messages": "Hello"})) == HELLO
        assert text_of(await answer(ws, {"messages": "weather"})) == SUNNY
        assert (await answer(ws, {"messages": 5}))[0]["status"] == 400
        assert (await answer(ws, "not json"))[0]["status"] == 400
        assert (await answer(ws, "[]"))[0]["status"] == 400
        assert text_of(await answer(ws, {"messages": "Hello"})) == HELLO
        assert 'method="WS",route="/agents/:agentId/stream",status="200"} 3' in app.state.metrics.text()


async def test_workflows_and_other_streams_have_sockets_too():
    async with serving() as (_, url):
        async with websockets.connect(f"{url}/workflows/echo-chain/stream?runId=w1") as ws:
            chunks = await answer(ws, {"inputData": {"message": "x"}})
            assert chunks[-1]["type"] == "workflow-finish"
        async with websockets.connect(f"{url}/agents/assistant/ag-ui") as ws:
            events = await answer(
                ws, {"threadId": "t", "runId": "r", "messages": [{"role": "user", "content": "Hello"}]}
            )
            assert events[-1]["type"] == "RUN_FINISHED"
        async with websockets.connect(f"{url}/agents/nobody/stream") as ws:
            assert (await answer(ws, {"messages": "x"}))[0]["status"] == 404


async def test_an_abort_and_a_second_request():
    async with serving() as (app, url), websockets.connect(f"{url}/agents/assistant/stream") as ws:
        await ws.send(json.dumps({"messages": "slowly"}))
        await ws.recv()
        await ws.send(json.dumps({"messages": "Hello"}))
        seen = []
        while not (seen and seen[-1].get("status") == 409):
            seen.append(json.loads(await ws.recv()))
        await ws.send(json.dumps({"abort": True}))
        while await ws.recv() != "[DONE]":
            pass
        assert text_of(await answer(ws, {"messages": "Hello"})) == HELLO
        assert 'status="499"} 1' in app.state.metrics.text()


async def test_no_more_is_sent_than_is_confirmed():
    async with serving() as (_, url), websockets.connect(f"{url}/agents/assistant/stream?window=3") as ws:
        await ws.send(json.dumps({"messages": "Hello"}))
        got = [await ws.recv() for _ in range(3)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.2)
        # Confirming what has not been sent opens nothing more than the window.
        await ws.send(json.dumps({"ack": 1_000_000}))
        got += [await ws.recv() for _ in range(3)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.2)
        while True:
            await ws.send(json.dumps({"ack": len(got)}))
            got.append(await ws.recv())
            if got[-1] == "[DONE]":
                break
    assert text_of([json.loads(one) for one in got[:-1]]) == HELLO


async def test_who_confirms_nothing_is_let_go():
    async with serving(stall_s=0.2) as (app, url), websockets.connect(f"{url}/agents/assistant/stream?window=1") as ws:
        await ws.send(json.dumps({"messages": "Hello"}))
        with contextlib.suppress(websockets.ConnectionClosed):
            _ = [text async for text in ws]
        assert ws.close_code == 1008
        assert app.state.metrics.refused["slow-client"] == 1


async def test_leaving_stops_the_run():
    async with serving() as (app, url):
        async with websockets.connect(f"{url}/agents/assistant/stream") as ws:
            await ws.send(json.dumps({"messages": "slowly"}))
            await ws.recv()
        for _ in range(100):
            if not app.state.streams:
                break
            await asyncio.sleep(0.02)
        assert app.state.streams == set()
        assert 'status="499"} 1' in app.state.metrics.text()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/agents/assistant/stream", {}, 401),
        ("/agents/assistant/stream?apiKey=wrong", {}, 401),
        ("/agents/assistant/stream?apiKey=viewer", {}, 403),
        ("/agents/assistant/stream?apiKey=member&window=x", {}, 400),
        ("/agents/assistant/generate?apiKey=member", {}, 404),
        ("/nowhere?apiKey=member", {}, 404),
    ],
)
async def test_who_is_refused(path, headers, status):
    keys = StaticKeys({"member": {"id": "m"}, "viewer": {"id": "v", "roles": ["viewer"]}})
    async with serving(auth=keys) as (_, url):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"{url}{path}", additional_headers=headers)
        assert refused.value.response.status_code == status


async def test_a_page_hands_its_token_over_as_a_subprotocol():
    async with serving(auth=StaticKeys({"member": {"id": "m"}})) as (_, url):
        path = f"{url}/agents/assistant/stream"
        async with websockets.connect(path, subprotocols=[Subprotocol("mastra"), Subprotocol("bearer.member")]) as ws:
            assert ws.subprotocol == "mastra"
            assert text_of(await answer(ws, {"messages": "Hello"})) == HELLO


async def test_without_tokens_no_page_of_another_origin_gets_in():
    async with serving() as (_, url):
        path = f"{url}/agents/assistant/stream"
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(path, origin=Origin("https://evil.example"))
        async with websockets.connect(path, origin=Origin("http://localhost:3000")) as ws:
            assert text_of(await answer(ws, {"messages": "Hello"})) == HELLO


async def test_a_message_that_is_too_large_ends_the_connection():
    async with serving(max_body=1_000) as (_, url), websockets.connect(f"{url}/agents/assistant/stream") as ws:
        await ws.send(json.dumps({"messages": "x" * 2_000}))
        with contextlib.suppress(websockets.ConnectionClosed):
            _ = [text async for text in ws]
        assert ws.close_code == 1009


@pytest.mark.parametrize("asks", [True, False])
async def test_a_connection_ends_with_its_key(asks):
    """At its next request at the latest; without one, at the next look."""
    keys = {name: {"id": name, "roles": ["owner"]} for name in ("old-key", "new-key")}
    heart = 30 if asks else 0.05
    async with serving(auth=StaticKeys(keys), heartbeat_s=heart) as (app, url):

        def connect(key):
            return websockets.connect(f"{url}/agents/assistant/stream", additional_headers={"authorization": key})

        async with connect("Bearer old-key") as old, connect("Bearer new-key") as new:
            assert text_of(await answer(old, {"messages": "Hello"})) == HELLO
            if not asks:
                await old.send(json.dumps({"messages": "slowly"}))
            app.reconfigure(replace(app.options, auth=StaticKeys({"new-key": keys["new-key"]})))
            if asks:
                await old.send(json.dumps({"messages": "Hello"}))
            await asyncio.wait_for(old.wait_closed(), 30)
            assert (old.close_code, old.close_reason) == (1008, NOT_LET_IN)
            assert text_of(await answer(new, {"messages": "Hello"})) == HELLO
