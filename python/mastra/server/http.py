"""The ASGI application, and the only file that knows the web framework.

Our own routes are answered straight from the table; custom routes and unknown paths go through Starlette.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mastra.runtime.tracing import Entry, continued, parse_traceparent
from mastra.server.answers import answer_open, invalid_query, speaks_queries
from mastra.server.audit import AuditLog
from mastra.server.body import read_body
from mastra.server.call import Call, header, parse_query
from mastra.server.gate import Gate
from mastra.server.log_ring import LogRing
from mastra.server.options import ServerOptions
from mastra.server.problems import invalid, openai_body, problem
from mastra.server.replies import Raw, Stream
from mastra.server.sse import HEARTBEAT, dumps, first
from mastra.server.state import OpenStream, State
from mastra.server.table import Route, load
from mastra.server.websocket import serve_socket
from mastra.types.ids import new_id

if TYPE_CHECKING:
    from mastra.mastra import Mastra

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_TYPE = (b"content-type", b"application/json")
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"connection", b"keep-alive"), (b"x-accel-buffering", b"no"))
_NOT_FOUND = b"404 Not Found"


def _custom(routes: Sequence[Any], otherwise: Application) -> Application:
    """The application's own routes, and what answers where none of them does."""
    # The framework takes an eighth of the time to start, and most applications have no routes of their own.
    from starlette.applications import Starlette  # noqa: PLC0415

    app = Starlette(routes=list(routes), lifespan=None)
    app.router.default = otherwise
    return app


class Companion(Protocol):
    """Something that stands beside a server."""

    async def start(self) -> None:
        """The server is open."""
        ...

    async def stop(self) -> None:
        """The server has closed."""
        ...


class App:
    """The ASGI application of one `Mastra`. Mount it anywhere, or run it with `mastra start`."""

    def __init__(self, mastra: Mastra, options: ServerOptions) -> None:
        self.mastra = mastra
        self.options = options
        audit = AuditLog(mastra.storage, secret=options.audit_secret) if options.audit else None
        self.state = State(mastra, options, load(), audit)
        self.gate = Gate(self.state)
        self.cors = self.gate.cors
        self._prefix = f"{options.prefix}/"
        self._plain = {route.path: route for route in self.state.table if route.path.startswith("//")}
        self._rest = _custom(options.routes, self._unknown) if options.routes else self._unknown
        self._entry: Application = self._http
        for layer in reversed(options.middleware):
            self._entry = layer.cls(self._entry, *layer.args, **layer.kwargs)
        self._owns_life = False
        # What lives as long as the server and is not its own: started once it is open, stopped last.
        self.companions: list[Companion] = []

    def reconfigure(self, options: ServerOptions) -> None:
        """Serve with these options from the next request on; connections that are open keep theirs.

        Prefix, routes, middleware, audit and logs are made once, at the start.
        """
        self.options = options
        self.state.reconfigure(options)
        self.gate = Gate(self.state)
        self.cors = self.gate.cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: HTTP, WebSocket and lifespan."""
        kind = scope["type"]
        if kind == "http":
            await self._entry(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._lifespan(receive, send)

    # ---------------------------------------------------------------- life

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.startup()
        except Exception as error:  # noqa: BLE001 - the server prints the reason and stops
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shutdown()
        await send({"type": "lifespan.shutdown.complete"})

    async def startup(self) -> None:
        """Open the application unless somebody else has."""
        if self.options.keep_logs and self.state.logs is None:
            self.state.logs = LogRing()
            logging.getLogger("mastra").addHandler(self.state.logs)
        self._owns_life = not self.mastra.is_open
        if self._owns_life:
            await self.mastra.open()
        for companion in self.companions:
            await companion.start()

    async def shutdown(self) -> None:
        """Let runs finish, give back what was opened. Idempotent."""
        self.state.stopping = True
        await self.state.stop()
        if self.state.audit is not None:
            await self.state.audit.flush()
        if self.state.logs is not None:
            logging.getLogger("mastra").removeHandler(self.state.logs)
        if self._owns_life:
            await self.mastra.close(drain_s=self.options.drain_s)
        # Last: another worker may be following a run that has just been drained.
        for companion in self.companions:
            await companion.stop()

    # ---------------------------------------------------------------- requests

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        if not path.startswith(self._prefix):
            await self._rest(scope, receive, send)
            return
        await serve_socket(self.state, lambda: self.gate, path[len(self._prefix) :], scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        method: str = scope["method"]
        if path.startswith(self._prefix):
            found = self.state.table.match(method, path[len(self._prefix) :])
        else:
            route = self._plain.get(f"/{path}")
            if route is None or route.method != method:
                await self._rest(scope, receive, send)
                return
            found = route, {}
        if self.mastra.telemetry is None:
            await self._answer(scope, receive, send, found)
            return
        # A caller who sends `traceparent` finds what it started in its own trace.
        with continued(parse_traceparent(header(scope["headers"], b"traceparent"))) as entry:
            await self._answer(scope, receive, send, found, entry)

    async def _unknown(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await _respond(send, 404, _NOT_FOUND, ((b"content-type", b"text/plain; charset=UTF-8"), *SECURITY))

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        found: tuple[Route, dict[str, str]] | None,
        entry: Entry | None = None,
    ) -> None:
        headers = scope["headers"]
        began = time.perf_counter()
        request_id = _request_id(header(headers, b"x-request-id"))
        base = (*SECURITY, (b"x-request-id", request_id.encode()), *self.cors.headers(headers))
        if found is None:
            if scope["method"] == "OPTIONS" and self.cors.is_preflight(headers):
                await _respond(send, 204, b"", (*base, *self.cors.preflight(headers)))
                return
            await _respond(send, 404, _NOT_FOUND, ((b"content-type", b"text/plain; charset=UTF-8"), *base))
            return
        route, params = found
        state = self.state
        call = Call(state.mastra, state, route, params, headers, request_id=request_id)
        metrics = state.metrics
        metrics.in_flight += 1
        status = 500
        try:
            try:
                result = await self._handle(call, scope, receive)
                if isinstance(result, Stream):
                    status = 200
                    await self._stream(result, call, receive, send, base)
                elif isinstance(result, Raw):
                    status = result.status
                    kind = (b"content-type", result.content_type)
                    await _respond(send, status, result.body, (kind, *result.headers, *base))
                else:
                    status = 200
                    await _respond(send, 200, dumps(result), (JSON_TYPE, *base))
            except _Gone:
                status = 499
            except Exception as error:  # noqa: BLE001 - the edge: whatever happened becomes an answer
                status = await self._fail(error, call, send, base)
        finally:
            metrics.in_flight -= 1
            trace_id = "" if entry is None else entry.trace_id
            metrics.request(route.method, route.path, status, time.perf_counter() - began, trace_id)
            if state.audit is not None:
                state.audit.note(call, status)

    async def _fail(self, error: Exception, call: Call, send: Send, base: tuple[tuple[bytes, bytes], ...]) -> int:
        told = problem(error)
        if told.status >= 500:
            self.gate.report(error, call)
        extra = told.headers
        if told.code and told.code != "refused":
            extra = (*extra, (b"x-error-code", told.code.encode()))
        body = openai_body(told) if call.route.openai_errors else told.body
        await _respond(send, told.status, dumps(body), (JSON_TYPE, *extra, *base))
        return told.status

    async def _handle(self, call: Call, scope: Scope, receive: Receive) -> Any:
        route, options = call.route, self.options
        raw_query: bytes = scope.get("query_string", b"")
        # Nothing of the request is parsed before it is known who asks.
        await self.gate.admit(call, scope, raw_query)
        issues: list[dict[str, str]] = []
        try:
            call.query = parse_query(route, self.state.table.shapes, raw_query, issues)
        except ValueError as error:
            raise invalid("query parameters", [{"field": "root", "message": str(error)}]) from None
        if issues:
            raise invalid("query parameters", issues)
        if route.handler is None:
            return answer_open(call)
        if route.method != "GET":
            limit = min(options.max_body, route.max_body or options.max_body)
            call.body = await read_body(receive, call.headers, limit, options, files=route.files)
            if route.check_body is not None:
                route.check_body({} if call.body is None else call.body, "", issues)
                if issues:
                    raise invalid_query(issues) if speaks_queries(route) else invalid("request body", issues)
                if call.body is None:
                    call.body = {}
        if route.out != "json" or not route.watched:
            return await route.handler(call)
        return await _watched(route.handler(call), receive, options.timeout_s)

    async def _stream(
        self, stream: Stream, call: Call, receive: Receive, send: Send, base: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        head, body = await first(stream.body)
        kind = (b"content-type", stream.content_type)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [kind, *STREAM_HEADERS, *stream.headers, *base]}
        )
        current = asyncio.current_task()
        watcher = asyncio.create_task(_until_gone(receive))
        gone = False

        def leave(task: asyncio.Task[None]) -> None:
            nonlocal gone
            if not task.cancelled() and current is not None:
                gone = True
                current.cancel()

        watcher.add_done_callback(leave)
        opened = OpenStream(_beat(send) if stream.beats else None, current)
        self.state.opened(opened)
        try:
            await send({"type": "http.response.body", "body": head, "more_body": True})
            async for part in body:
                # A client that stops reading is let go; its run is cancelled like that of one who left.
                opened.writing = time.monotonic()
                await send({"type": "http.response.body", "body": part, "more_body": True})
                opened.last, opened.writing = opened.writing, 0.0
            watcher.remove_done_callback(leave)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not gone and not opened.stalled:
                raise
            if opened.stalled:
                self.state.metrics.refused["slow-client"] += 1
            if current is not None:
                current.uncancel()
        except OSError:
            pass  # the connection broke; the run ends with it
        except Exception as error:  # noqa: BLE001 - the answer has begun: it can only be cut off
            # Without its last piece the reader knows that the answer is not whole.
            self.gate.report(error, call)
        finally:
            watcher.remove_done_callback(leave)
            watcher.cancel()
            self.state.closed(opened)
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()


class _Gone(BaseException):
    """The client left before the answer was ready."""


def _beat(send: Send) -> Callable[[], Awaitable[None]]:
    async def beat() -> None:
        await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})

    return beat


async def _until_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


async def _watched(work: Awaitable[Any], receive: Receive, timeout_s: float) -> Any:
    """The result of `work`; it is cancelled when the client leaves or the time is up."""
    current = asyncio.current_task()
    watcher = asyncio.create_task(_until_gone(receive))
    gone = False

    def leave(task: asyncio.Task[None]) -> None:
        nonlocal gone
        if not task.cancelled() and current is not None:
            gone = True
            current.cancel()

    watcher.add_done_callback(leave)
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except asyncio.CancelledError:
        if gone and current is not None:
            current.uncancel()
            raise _Gone from None
        raise
    finally:
        watcher.remove_done_callback(leave)
        watcher.cancel()


async def _respond(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _path(scope: Scope) -> str:
    """The path without the place where another application has mounted us."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path


def _request_id(given: str) -> str:
    if given and len(given) <= 128 and given.isascii() and given.replace("-", "").replace("_", "").isalnum():
        return given
    return new_id()


def create_app(mastra: Mastra, options: ServerOptions | None = None, **facts: Any) -> App:
    """The ASGI application that serves `mastra`. Options come as an object, or as keywords of `ServerOptions`."""
    chosen = options or mastra.server or ServerOptions()
    return App(mastra, replace(chosen, **facts) if facts else chosen)
