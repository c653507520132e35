"""WebSockets: every streaming route at its own path. A message asks, chunks come back, the reader sets the pace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from mastra.server.body import parse_json
from mastra.server.call import Call, parse_query
from mastra.server.problems import Refused, invalid, problem
from mastra.server.replies import Stream
from mastra.server.sse import dumps
from mastra.server.state import OpenStream

if TYPE_CHECKING:
    from mastra.server.gate import Gate
    from mastra.server.state import State

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROTOCOL = "mastra"
DONE = "[DONE]"
STREAMING = frozenset({"sse", "sse-flush", "records"})
MAX_WINDOW = 100_000
# Close codes: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
POLICY, TOO_BIG = 1008, 1009
NOT_LET_IN = "the key is no longer valid here"
BUSY = {"error": "A run is under way on this connection"}


def messages_of(batch: bytes) -> list[str]:
    """The chunks in what an HTTP stream would write: `data:` lines, or records ended by 0x1E."""
    if batch.endswith(b"\x1e"):
        return [record.decode() for record in batch.split(b"\x1e")[:-1]]
    found = [line[6:].decode() for line in batch.split(b"\n") if line.startswith(b"data: ")]
    return [text for text in found if text != DONE]


class Socket:
    """One connection to one route. Requests follow each other; there is one run at a time.

    The first message, and each one after an answer, is the body that a POST would carry. Chunks come as text messages,
    then `[DONE]`; a refusal is `{"type": "error", "status": ..., "error": ...}`. `{"abort": true}` stops a run. With
    `?window=N` at most N chunks are under way that the reader has not confirmed by `{"ack": count}`: pages cannot stop
    a socket from filling their memory, but they can confirm what they have dealt with.
    """

    def __init__(self, call: Call, raw_query: bytes, state: State, gate: Callable[[], Gate], send: Send) -> None:
        self._call = call
        self._raw_query = raw_query
        self._state = state
        # The gate of today: settings change while a connection is open.
        self._gate = gate
        self._send = send
        self._window = 0
        self._sent = 0
        self._confirmed = 0
        self._progress = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def serve(self, receive: Receive, window: int) -> None:
        """Read what the client sends until it leaves; leaving stops the run."""
        self._window = window
        opened = OpenStream(None)
        self._state.opened(opened)
        guard = asyncio.create_task(self._guard(), name="mastra-socket-guard")
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                text = message.get("text")
                given = message["bytes"] if text is None else text.encode()
                if len(given) > self._state.options.max_body:
                    await self._send({"type": "websocket.close", "code": TOO_BIG})
                    return
                await self._take(given)
        finally:
            guard.cancel()
            self._state.closed(opened)
            await self._stop()

    async def _guard(self) -> None:
        """Close the connection of a caller whose key is taken back, with whatever runs on it."""
        while True:
            await asyncio.sleep(self._state.options.heartbeat_s)
            if not await self._is_let_in():
                return

    async def _is_let_in(self) -> bool:
        if await self._gate().readmit(self._call, self._raw_query):
            return True
        await self._stop()
        await self._send({"type": "websocket.close", "code": POLICY, "reason": NOT_LET_IN})
        return False

    async def _take(self, given: bytes) -> None:
        try:
            value = parse_json(given, self._state.options.max_depth)
        except Refused as refused:
            await self._tell(refused.status, refused.body)
            return
        working = self._work is not None and not self._work.done()
        if isinstance(value, dict) and isinstance(value.get("ack"), int) and len(value) == 1:
            # A reader can confirm what was sent, not what is still to come.
            self._confirmed = max(self._confirmed, min(value["ack"], self._sent))
            self._progress.set()
        elif value == {"abort": True}:
            await self._stop()
        elif working:
            await self._tell(409, BUSY)
        elif await self._is_let_in():
            self._sent = self._confirmed = 0
            self._work = asyncio.create_task(self._answer(value), name="mastra-socket")

    async def _stop(self) -> None:
        work = self._work
        if work is not None and not work.done():
            work.cancel()
            await asyncio.wait({work})

    async def _answer(self, body: Any) -> None:
        first = self._call
        call = Call(first.mastra, first.state, first.route, dict(first.params), first.headers, dict(first.query))
        call.principal, call.request_id = first.principal, first.request_id
        began, status = time.perf_counter(), 500
        try:
            stream = await self._begin(call, body)
            status = 200
            async with contextlib.aclosing(stream.body) as batches:  # type: ignore[type-var]  # every body is a generator
                async for batch in batches:
                    for text in messages_of(batch):
                        await self._give(text)
            await self._text(DONE)
        except _Slow:
            self._state.metrics.refused["slow-client"] += 1
            await self._send({"type": "websocket.close", "code": POLICY, "reason": "nothing was confirmed in time"})
        except asyncio.CancelledError:
            status = 499
            await self._text(DONE)
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever happened becomes an answer
            told = problem(error)
            status = told.status
            if status >= 500:
                self._gate().report(error, call)
            await self._tell(status, {**told.body, **({"code": told.code} if told.code != "refused" else {})})
        finally:
            self._state.metrics.request("WS", call.route.path, status, time.perf_counter() - began)
            if self._state.audit is not None:
                self._state.audit.note(call, status)

    async def _begin(self, call: Call, body: Any) -> Stream:
        route = call.route
        issues: list[dict[str, str]] = []
        if route.check_body is not None:
            route.check_body(body, "", issues)
        if issues or not isinstance(body, dict):
            raise invalid("request body", issues or [{"field": "root", "message": "expected object"}])
        call.body = body
        if route.handler is None:
            raise Refused(404, {"error": "This route is not served"})
        made = await route.handler(call)
        if not isinstance(made, Stream):
            raise Refused(400, {"error": "This request does not stream"})
        return made

    async def _give(self, text: str) -> None:
        while self._window and self._sent - self._confirmed >= self._window:
            self._progress.clear()
            try:
                await asyncio.wait_for(self._progress.wait(), self._state.options.stall_s)
            except TimeoutError:
                raise _Slow from None
        self._sent += 1
        await self._text(text)

    async def _text(self, text: str) -> None:
        try:
            # The server below waits here while the connection's own buffer is full.
            async with asyncio.timeout(self._state.options.stall_s):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise _Slow from None

    async def _tell(self, status: int, body: dict[str, Any]) -> None:
        await self._text(json.dumps({"type": "error", "status": status, **body}))


class _Slow(Exception):
    """The reader has stopped reading."""


async def serve_socket(
    state: State, gate: Callable[[], Gate], path: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let a WebSocket in, or refuse it with the status an HTTP request would get."""
    await receive()
    try:
        call, window = await _admitted(state, gate(), path, scope)
    except Exception as error:  # noqa: BLE001 - the edge: whatever happened becomes a refusal
        await _deny(scope, send, error)
        return
    offered = scope.get("subprotocols") or ()
    await send({"type": "websocket.accept", "subprotocol": PROTOCOL if PROTOCOL in offered else None})
    await Socket(call, scope.get("query_string", b""), state, gate, send).serve(receive, window)


async def _admitted(state: State, gate: Gate, path: str, scope: Scope) -> tuple[Call, int]:
    raw_query: bytes = scope.get("query_string", b"")
    found = state.table.match("POST", path)
    if found is None or found[0].out not in STREAMING or found[0].handler is None:
        raise Refused(404, {"error": "There is no stream at this path"})
    route, params = found
    call = Call(state.mastra, state, route, params, scope["headers"])
    await gate.admit(call, scope, raw_query)
    issues: list[dict[str, str]] = []
    call.query = parse_query(route, state.table.shapes, raw_query, issues)
    window = str(call.query.pop("window", "0"))
    if not (window.isascii() and window.isdecimal()) or int(window) > MAX_WINDOW:
        issues.append({"field": "window", "message": f"expected a number up to {MAX_WINDOW}"})
    if issues:
        raise invalid("query parameters", issues)
    return call, int(window)


async def _deny(scope: Scope, send: Send, error: Exception) -> None:
    told = problem(error)
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": POLICY})
        return
    headers = [(b"content-type", b"application/json"), *told.headers]
    await send({"type": "websocket.http.response.start", "status": told.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": dumps(told.body), "more_body": False})
