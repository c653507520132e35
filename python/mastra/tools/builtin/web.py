"""The web: fetch a page, fetch JSON, search through an API. Everything goes through the egress gate."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from mastra.errors import MissingKey, ToolFailed
from mastra.tools.builtin.data import plain_text
from mastra.tools.egress import Egress, Reply
from mastra.tools.tool import Tool, tool
from mastra.types.json import dumps, loads


def web_tools(egress: Egress | None = None) -> list[Tool]:
    """Tools that read pages and JSON from public hosts (or only from those that the gate allows)."""
    gate = egress or Egress()

    @tool(timeout_s=30)
    async def fetch_page(url: str, maximum_characters: int = 20_000) -> dict[str, Any]:
        """Read a web page as text: its URL after redirects, status, and text."""
        reply = _good(await gate.request("GET", url))
        html = "html" in reply.headers.get("content-type", "html")
        text = plain_text(reply.text) if html else reply.text
        return {"url": reply.url, "status": reply.status, "text": text[: max(0, maximum_characters)]}

    @tool(timeout_s=30)
    async def fetch_json(url: str) -> Any:
        """Read JSON from a URL."""
        reply = _good(await gate.request("GET", url, headers={"accept": "application/json"}))
        try:
            return loads(reply.body)
        except ValueError as error:
            raise ToolFailed("The answer is not JSON.") from error

    @tool(timeout_s=30)
    async def check_url(url: str) -> dict[str, Any]:
        """Whether a URL answers: status, content type and size, without reading its text."""
        reply = await gate.request("HEAD", url)
        kept = {key: reply.headers.get(key) for key in ("content-type", "content-length", "last-modified")}
        return {"url": reply.url, "status": reply.status, **kept}

    return [fetch_page, fetch_json, check_url]


def search_tool(
    *, api_key: str, url: str = "https://api.search.brave.com/res/v1/web/search", egress: Egress | None = None
) -> Tool:
    """Web search through an API that answers like Brave's: `GET ?q=...`, key in a header."""
    if not api_key:
        raise MissingKey("Web search needs an API key.", hint="Give search_tool(api_key=...).")
    gate = egress or Egress()

    @tool(timeout_s=30)
    async def web_search(query: str, count: int = 5) -> list[dict[str, Any]]:
        """Search the web: title, url and description of the best results."""
        asked = f"{url}?{urlencode({'q': query, 'count': max(1, min(count, 20))})}"
        headers = {"x-subscription-token": api_key, "accept": "application/json"}
        answer = loads(_good(await gate.request("GET", asked, headers=headers)).body)
        found = answer.get("web", {}).get("results", [])
        return [{key: one.get(key, "") for key in ("title", "url", "description")} for one in found[:count]]

    return web_search


def post_tool(name: str, url: str, *, description: str, headers: dict[str, str] | None = None,
              egress: Egress | None = None, require_approval: bool = True) -> Tool:  # fmt: skip
    """A tool that posts JSON to one fixed URL, after a person has agreed."""
    gate = egress or Egress()
    gate.check_url(url)

    @tool(id=name, description=description, timeout_s=30, require_approval=require_approval)
    async def post(body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON."""
        sent = {"content-type": "application/json", **(headers or {})}
        reply = await gate.request("POST", url, headers=sent, body=dumps(body).encode())
        return {"status": reply.status, "text": reply.text[:10_000]}

    return post


def _good(reply: Reply) -> Reply:
    if reply.status >= 400:
        raise ToolFailed(f"The server answered {reply.status}.", retryable=reply.status >= 500)
    return reply
