"""One request put to an ASGI application, and an answer that always comes: an endless stream is left after a while."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import httpx


class NoAnswer(AssertionError):
    """The application neither answered nor let its caller go."""


@dataclass
class Answered:
    """What came. `whole` is false where the caller left a stream that had gone quiet."""

    status_code: int = 0
    whole: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


async def ask(
    app: Any,
    method: str,
    path: str,
    *,
    params: Any = None,
    content: str | None = None,
    quiet_s: float = 0.2,
    at_most_s: float = 30,
) -> Answered:
    """Ask and read. A stream that says nothing for `quiet_s` is left as a closed browser tab leaves it; an application
    that then does not end, or that never begins to answer, is an error after `at_most_s`."""
    request = httpx.Request(method, f"http://localhost{path}", params=params, content=content)
    given = [{"type": "http.request", "body": request.read(), "more_body": False}]
    left, news, answer = asyncio.Event(), asyncio.Event(), Answered()

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status_code = message["status"]
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")
            answer.whole = not message.get("more_body", False)
        news.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    work = asyncio.create_task(app(scope, receive, send))
    try:
        async with asyncio.timeout(at_most_s):
            while not work.done():
                waiting = asyncio.create_task(news.wait())
                done, _ = await asyncio.wait({work, waiting}, timeout=quiet_s, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                news.clear()
                if not done and answer.body:
                    left.set()
        await work
    except TimeoutError:
        said = f"{answer.status_code} {answer.text[:200]!r}" if answer.status_code else "nothing"
        raise NoAnswer(f"{method} {path}: {said} after {at_most_s} s") from None
    finally:
        left.set()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({work}, timeout=5)
    return answer
