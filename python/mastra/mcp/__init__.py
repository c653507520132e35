"""The Model Context Protocol: their tools as ours, ours as theirs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mastra.mcp.client import McpClient
    from mastra.mcp.content import Prompt, Resource, ResourceTemplate
    from mastra.mcp.server import McpServer
    from mastra.mcp.session import HttpServer, StdioServer
    from mastra.mcp.stdio import serve_stdio

_EXPORTS = {
    "HttpServer": "session",
    "McpClient": "client",
    "McpServer": "server",
    "Prompt": "content",
    "Resource": "content",
    "ResourceTemplate": "content",
    "StdioServer": "session",
    "serve_stdio": "stdio",
}
__all__ = [
    "HttpServer",
    "McpClient",
    "McpServer",
    "Prompt",
    "Resource",
    "ResourceTemplate",
    "StdioServer",
    "serve_stdio",
]


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - a server that speaks no MCP loads none of it

    if name not in _EXPORTS:
        raise AttributeError(f"module 'mastra.mcp' has no attribute {name!r}")
    value: object = getattr(import_module(f"mastra.mcp.{_EXPORTS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
