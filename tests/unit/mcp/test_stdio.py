"""Lines in, lines out: order, cancellation, broken lines, and an output that is nobody else's."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import textwrap

from mastra import tool
from mastra.mcp import McpServer, serve_stdio
from mastra.mcp.protocol import PARSE_ERROR

CANCELLED = asyncio.Event()


@tool
async def wait() -> str:
    """Wait for ever."""
    CANCELLED.clear()
    try:
        await asyncio.sleep(60)
    finally:
        CANCELLED.set()
    return ""


def line(method, id=None, **params):
    return (json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}) + "\n").encode()


async def talk(*lines: bytes) -> list[dict]:
    out = io.BytesIO()
    server = McpServer("x", name="X", tools=[wait])
    await asyncio.wait_for(serve_stdio(server, stdin=io.BytesIO(b"".join(lines)), stdout=out), 20)
    return [json.loads(one) for one in out.getvalue().splitlines()]


async def test_requests_are_answered_and_notices_are_not():
    answers = await talk(line("initialize", 1, protocolVersion="2025-06-18"), line("notifications/initialized"),
                         b"\n", line("ping", "two"), line("tools/list", 3))  # fmt: skip
    assert sorted(str(one["id"]) for one in answers) == ["1", "3", "two"]


async def test_broken_lines_are_said_and_passed_over():
    answers = await talk(
        b"{\n", b"\xff\xfe\n", b"NaN\n", b"[" * 100_000 + b"\n", b"x" * 16_000_002 + b"\n", line("ping", 1)
    )
    assert [one["error"]["code"] for one in answers[:4]] == [PARSE_ERROR] * 4
    assert "longer than" in answers[4]["error"]["message"]
    assert answers[5]["result"] == {}


async def test_a_call_can_be_cancelled_and_its_id_is_not_a_trap():
    answers = await talk(
        line("tools/call", 7, name="wait"),
        line("notifications/cancelled", requestId=99),
        line("notifications/cancelled", requestId={"not": "an id"}),
        line("notifications/cancelled", requestId=7),
        line("ping", 8),
    )
    assert [one["id"] for one in answers] == [8]


def test_the_output_is_nobody_elses(tmp_path):
    program = tmp_path / "server.py"
    program.write_text(
        textwrap.dedent("""
        import asyncio, os, subprocess, sys
        from mastra import tool
        from mastra.mcp import McpServer, serve_stdio

        @tool
        async def noisy() -> str:
            "Make noise in every way."
            print("print")
            os.write(1, b"write")
            subprocess.run([sys.executable, "-c", "print('child')"])
            return "quiet"

        asyncio.run(serve_stdio(McpServer("x", tools=[noisy])))
        """)
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        input=line("tools/call", 1, name="noisy"),
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert [json.loads(one)["id"] for one in done.stdout.splitlines()] == [1]
    for noise in (b"print", b"write", b"child"):
        assert noise in done.stderr
