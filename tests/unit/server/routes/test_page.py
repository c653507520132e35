from __future__ import annotations

import re

import httpx
import pytest

from mastra import Agent, Mastra
from mastra.server.http import create_app


async def fetch(path: str, *, page: bool) -> httpx.Response:
    async with Mastra(agents=[Agent(id="clerk", instructions="x", model="scripted/hello")]) as mastra:
        app = create_app(mastra, page=page)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
    ],
)
async def test_the_page_is_there_only_when_it_was_asked_for(path: str, kind: str) -> None:
    on, off = await fetch(path, page=True), await fetch(path, page=False)
    assert (on.status_code, on.headers["content-type"]) == (200, kind)
    assert off.status_code == 404


async def test_only_files_of_the_server_itself_may_run_in_it() -> None:
    answer = await fetch("/", page=True)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "script-src" not in policy
    assert "<script>" not in answer.text
    assert " on" not in " ".join(re.findall(r"<[^>]+>", answer.text))


async def test_every_part_that_the_script_touches_is_on_the_page() -> None:
    page, script = await fetch("/", page=True), await fetch("/page.js", page=True)
    wanted = set(re.findall(r"\$\('([a-z]+)'\)", script.text)) - {"hello"}
    assert len(wanted) > 8
    assert wanted <= set(re.findall(r'id="([a-z]+)"', page.text))
    # Whatever a model says is shown as text.
    assert "innerHTML" not in script.text
