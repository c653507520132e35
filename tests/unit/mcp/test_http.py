"""One exchange: an answer, a stream when there is something to tell, and an end when the caller leaves."""

from __future__ import annotations

import asyncio
import json

import pytest

from mastra import tool
from mastra.mcp import McpServer, http
from mastra.mcp.protocol import MODERN, Caller
from mastra.tools.context import ToolContext

ENDED = asyncio.Event()


@tool
async def work(steps: int, pause: float, context: ToolContext) -> str:
    """Work a while."""
    ENDED.clear()
    try:
        for one in range(steps):
            await context.write(f"step {one}")
        await asyncio.sleep(pause)
    finally:
        ENDED.set()
    return "done"


def asked(steps, pause=0.0, **meta):
    envelope = {"io.modelcontextprotocol/protocolVersion": MODERN, **meta}
    params = {"name": "work", "arguments": {"steps": steps, "pause": pause}, "_meta": envelope}
    headers = [(b"mcp-protocol-version", MODERN.encode()), (b"mcp-method", b"tools/call"), (b"mcp-name", b"work")]
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers


async def exchanged(steps, pause=0.0, **meta):
    message, headers = asked(steps, pause, **meta)
    return await http.exchange(McpServer("x", tools=[work]), message, headers, Caller())


async def test_a_quick_answer_is_plain():
    made = await exchanged(3)
    assert isinstance(made, dict)
    assert made["result"]["content"][0]["text"] == "done"


async def test_progress_makes_it_a_stream():
    made = await exchanged(200, progressToken="t")
    assert not isinstance(made, dict)
    assert made is not None
    events = [json.loads(part.split(b"data: ")[1]) async for part in made]
    assert [one["params"]["message"] for one in events[:-1]] == [f"step {one}" for one in range(200)]
    assert events[-1]["result"]["content"][0]["text"] == "done"


async def test_a_long_silence_makes_it_a_stream(monkeypatch):
    monkeypatch.setattr(http, "QUIET_S", 0.02)
    made = await exchanged(0, 0.1)
    assert not isinstance(made, dict)
    assert made is not None
    parts = [part async for part in made]
    assert parts[0] == b": open\n\n"
    assert b": ping\n\n" in parts
    assert b"done" in parts[-1]


async def test_who_leaves_ends_the_call():
    made = await exchanged(5, 60.0, progressToken="t")
    assert not isinstance(made, dict)
    assert made is not None
    await anext(made)
    await made.aclose()  # type: ignore[attr-defined]
    await asyncio.wait_for(ENDED.wait(), 5)
    task = asyncio.create_task(exchanged(0, 60.0))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ENDED.wait(), 5)
