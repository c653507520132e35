"""Clients that do not do as they should: stalled readers, broken HTTP, sudden leavers, and thousands at once."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import pytest
from tests.wire.serving import serving
from tests.wire.wire_application import make

from mastra import Agent, Mastra
from mastra.providers.scripted import Answer, ScriptedModel

LINGER = struct.pack("ii", 1, 0)


def post(path, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def ask(place, raw, *, wait=5.0, half_close=False):
    """What the server says to these bytes until it closes, or until it is quiet."""
    host, port = place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    got = b""
    try:
        writer.write(raw)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(wait):
            while piece := await reader.read(65_536):
                got += piece
                if got.endswith((b"0\r\n\r\n", b"}")):
                    break
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return got


async def alive(place):
    got = await ask(place, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return b'{"success":true}' in got


GENERATE = b"POST /api/agents/assistant/generate HTTP/1.1\r\nHost: localhost\r\n"
WATCH = b"GET /api/agents/assistant/stream HTTP/1.1\r\nHost: localhost\r\n"
BROKEN = [
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X-Y: z\r\n" * 20_000 + b"\r\n",
    b"GET /health HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    b"GET /api/agents/%zz%00%ff/../.. HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
    GENERATE + b"Content-Length: -5\r\n\r\n",
    GENERATE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    GENERATE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    GENERATE + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n",
    GENERATE + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    GENERATE + b"Expect: nonsense\r\nContent-Length: 2\r\n\r\n{}",
    WATCH + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    WATCH + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
]
JSON = [
    b"", b"{", b"}", b"nul", b'{"messages":', b'{"messages": "x",}', b"{'messages': 'x'}", b'{"messages": NaN}',
    b"\xff\xfe{}",
    b'{"messages": 1e999}', b'\xef\xbb\xbf{"messages": "x"}', b'{"messages": "\\ud800"}', b"[" * 100_000,
    b'{"a":' * 5_000,
    b'"x"', b"5", b"null", b"[]", b'{"messages": "\x01"}', b'{"messages": ["\\u0000"]}', b"9" * 100_000,
]  # fmt: skip


async def test_broken_http_hurts_nobody_else():
    async with serving(make(storage="memory:")) as (_, place):
        for raw in BROKEN:
            got = await ask(place, raw, wait=0.5)
            assert b" 500 " not in got[:20], (raw[:80], got[:200])
            assert b"Traceback" not in got
        assert await alive(place)


async def test_broken_json_is_a_400():
    async with serving(make(storage="memory:")) as (_, place):
        for path in ("/api/agents/assistant/generate", "/api/agents/assistant/stream", "/api/v1/chat/completions"):
            for body in JSON:
                got = await ask(place, post(path, body))
                status = got.split(b" ", 2)[1]
                assert status in {b"400", b"200"}, (path, body[:60], got[:300])
                assert (status == b"200") == (body == b'{"messages": ["\\u0000"]}' and "chat" not in path), (
                    path,
                    body[:60],
                )
        assert await alive(place)


async def test_a_body_that_never_ends_is_given_up():
    async with serving(make(storage="memory:"), body_s=0.3) as (_, place):
        slow = GENERATE + b"Content-Length: 50\r\n\r\n{"
        assert b" 408 " in await ask(place, slow)
        large = GENERATE + b"Content-Length: 99999999999\r\n\r\n{"
        assert b" 413 " in await ask(place, large)


async def test_a_reader_that_stops_reading_is_let_go():
    endless = ScriptedModel([Answer(text="word " * 400_000)], per_run=True)
    mastra = Mastra(agents=[Agent("talker", model=endless)])
    async with serving(mastra, stall_s=0.5) as (app, place):
        host, port = place.split(":")
        with socket.socket() as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            rude.connect((host, int(port)))
            rude.sendall(post("/api/agents/talker/stream", {"messages": "x"}))
            for _ in range(100):
                await asyncio.sleep(0.1)
                if app.state.metrics.refused["slow-client"]:
                    break
        assert app.state.metrics.refused["slow-client"] == 1
        assert app.state.streams == set()
        assert await alive(place)


async def leave(place, raw, read):
    """Ask, read a little, and break the connection off without a farewell."""
    host, port = place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    if read:
        await reader.read(200)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    writer.transport.abort()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
async def test_sudden_leavers_leave_nothing_behind(count):
    async with serving(make(storage="memory:")) as (app, place):
        raws = [
            (post("/api/agents/assistant/stream", {"messages": "slowly please"}), True),
            (post("/api/agents/assistant/stream", {"messages": "Hello"}), False),
            (post("/api/agents/assistant/generate", {"messages": "slowly please"}), False),
            (post("/api/workflows/echo-chain/stream?runId={}", {"inputData": {"message": "x"}}), True),
            (post("/api/agents/assistant/generate", {"messages": "x"})[:-5], False),
        ]
        for start in range(0, count, 100):
            batch = []
            for number in range(start, min(start + 100, count)):
                raw, read = raws[number % len(raws)]
                batch.append(leave(place, raw.replace(b"{}", b"r%d" % number), read))
            await asyncio.gather(*batch)
        async with asyncio.timeout(20):
            while app.state.streams or app.state.metrics.in_flight:  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.05)
        mine = [task for task in asyncio.all_tasks() if task.get_name().startswith("mastra-run")]
        assert mine == []
        assert await alive(place)
