"""Where a connection may lead, and how it comes back; the client's tests hold the rest against real servers."""

from __future__ import annotations

import sys
import textwrap

import pytest

from mastra.errors import BadDefinition, McpError
from mastra.mcp import HttpServer, StdioServer
from mastra.mcp.session import Session


@pytest.mark.parametrize("url", ["ftp://x/mcp", "http:///mcp", "file:///etc/passwd", "x", "http://me:pw@x/mcp"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(BadDefinition) as caught:
        HttpServer(url)
    assert "pw" not in caught.value.message


def test_a_command_is_never_a_line_for_a_shell():
    with pytest.raises(BadDefinition, match="never a line for a shell"):
        StdioServer("sh", "-c 'rm -rf x'")  # type: ignore[arg-type]


async def test_a_connection_opens_once_and_closes_twice(tmp_path):
    pytest.importorskip("mcp", reason="the extra `mcp` is not installed")
    path = tmp_path / "server.py"
    path.write_text(
        textwrap.dedent("""
        import asyncio
        from mastra.mcp import McpServer, serve_stdio
        asyncio.run(serve_stdio(McpServer("x")))
        """)
    )
    session = Session("x", StdioServer(sys.executable, (str(path),)), timeout_s=20, options={})
    first, second = await session.open(), await session.open()
    assert first is second
    assert (session.is_open, session.opened) == (True, 1)
    await session.close()
    assert not session.is_open
    await session.close()
    assert (await session.ask(lambda client: client.list_tools())).tools == []
    assert session.opened == 2
    await session.close()


async def test_what_is_not_there_is_said_without_its_secrets():
    pytest.importorskip("mcp", reason="the extra `mcp` is not installed")
    server = StdioServer("/nowhere/mcp-server", ("--key", "canary-51ab"), {"TOKEN": "canary-51ab"})
    with pytest.raises(McpError) as caught:
        await Session("x", server, timeout_s=5, options={}).open()
    assert "canary" not in str(caught.value) + repr(caught.value.details)
    assert "canary" not in repr(StdioServer("x", env={"TOKEN": "canary-51ab"}))
