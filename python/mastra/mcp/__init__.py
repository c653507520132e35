"""The Model Context Protocol: their tools as ours, ours as theirs."""

from mastra.mcp.client import McpClient
from mastra.mcp.content import Prompt, Resource, ResourceTemplate
from mastra.mcp.server import McpServer
from mastra.mcp.session import HttpServer, StdioServer
from mastra.mcp.stdio import serve_stdio

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
