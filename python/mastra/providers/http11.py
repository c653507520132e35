"""HTTP/1.1 for the shared client: one protocol object per connection, parsed in C, kept alive in a small pool.

It stands where httpx would put its own transport, and costs a third of it. Proxies and HTTP/2 stay with httpx.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httptools
import httpx

Origin = tuple[str, str, int]
MAX_HEAD = 262_144
HIGH_WATER = 1_048_576
_CONNECT_ERRORS = (OSError, ssl.SSLError)
# What ends a line or a text for some reader: in a header it would begin another header or another request.
_BREAKS = re.compile(rb"[\r\n\0]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def _head(method: str, url: httpx.URL, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The request line and the headers; refused when a part of them could be read as another line."""
    line = b"%b %b HTTP/1.1" % (method.encode("ascii", "replace"), url.raw_path)
    if _BREAKS.search(line) or line.count(b" ") != 2:
        raise httpx.LocalProtocolError("the method or the path holds a character that HTTP does not allow")
    lines = [line]
    for name, value in headers:
        if not _NAME.fullmatch(name) or _BREAKS.search(value):
            # The value is not shown: headers carry keys.
            raise httpx.LocalProtocolError(f"the header {name!r} holds a character that HTTP does not allow")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


class Connection(asyncio.Protocol):
    """One connection: writes a request, and gathers the answer to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self.closed = False
        self.idle_since = 0.0
        self._start("")

    def _start(self, method: str) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._method = method
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.head_done = False
        self.complete = False
        self.heard = False
        self._keeps_alive = False
        self._surplus = False
        self._framed = False
        self._head_size = 0
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._paused = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # ------------------------------------------------------------ asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = transport  # type: ignore[assignment]  # a stream transport

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer, or bytes that nobody asked for."""
        self.heard = True
        if self.complete or not self._method:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError) as error:
            self._fail(httpx.RemoteProtocolError(f"the answer is not HTTP: {type(error).__name__}"))
            self.abort()
        self._wake()

    def eof_received(self) -> bool:
        """The peer closed its side; so do we."""
        return False

    def connection_lost(self, error: Exception | None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # mypy reads it right
        """The end: a whole answer when nothing but the end says so, else a broken one."""
        self.closed = True
        if self._method and not self.complete:
            if self.head_done and not self._framed and error is None:
                self.complete = True
            elif error is not None:
                self._fail(httpx.ReadError(str(error)))
            else:
                self._fail(httpx.RemoteProtocolError("the peer closed the connection before the end of its answer"))
        self._wake()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    # ------------------------------------------------------------ the parser's calls

    def on_message_begin(self) -> None:
        """An answer begins; one that follows the whole answer in the same bytes belongs to nobody."""
        self._surplus = self._surplus or self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD:
            raise ValueError("the head of the answer is too large")
        if not self.head_done:
            self.headers.append((name, value))
            lower = name.lower()
            if lower == b"content-length" or (lower == b"transfer-encoding" and b"chunked" in value.lower()):
                self._framed = True

    def on_headers_complete(self) -> None:
        """The head is whole; an interim answer is forgotten."""
        if self._surplus:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self.headers.clear()
            self._framed = False
            return
        self.status = status
        self.head_done = True
        if self._method == "HEAD":
            self.complete = True

    def on_body(self, body: bytes) -> None:
        """A part of the body; a slow reader slows the peer down."""
        if self._surplus:
            return
        self._parts.append(body)
        self._buffered += len(body)
        if self._buffered > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self.head_done and not self._surplus:
            self.complete = True
            self._keeps_alive = self._parser.should_keep_alive()

    # ------------------------------------------------------------ one exchange

    async def send(self, method: str, head: bytes, body: bytes) -> None:
        """Write a request and wait for the head of its answer."""
        self._start(method)
        if self.closed or self._transport is None:
            raise httpx.RemoteProtocolError("the peer closed the connection")
        self._transport.write(head + body if body else head)
        while not self.head_done:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def _wait(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    async def read(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        while True:
            if self._parts:
                data = self._parts.popleft() if len(self._parts) == 1 else b"".join(self._parts)
                self._parts.clear()
                self._buffered = 0
                if self._paused and self._transport is not None and not self.closed:
                    self._paused = False
                    self._transport.resume_reading()
                yield data
            elif self.complete:
                return
            elif self._error is not None:
                raise self._error
            else:
                await self._wait()

    @property
    def at_hand(self) -> bool:
        """Whether `read` goes on without waiting."""
        return bool(self._parts) or self.complete or self._error is not None

    @property
    def reusable(self) -> bool:
        """Whether another request may go over it."""
        return self.complete and not self.closed and self._framed and self._keeps_alive and not self._surplus

    def abort(self) -> None:
        """Close at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()


class Body(httpx.AsyncByteStream):
    """The body of an answer; closing it gives the connection back, or closes it when it was not read to its end."""

    def __init__(self, pool: PooledTransport, origin: Origin, connection: Connection) -> None:
        self._pool = pool
        self._origin = origin
        self._connection: Connection | None = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._connection is None:
            raise httpx.StreamClosed
        return self._connection.read()

    async def aclose(self) -> None:
        """Give the connection back. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._origin, connection)


class Answer:
    """An answer while it is read: as much of httpx's response as is used of it."""

    __slots__ = ("_connection", "_stream", "headers", "status_code")
    # httpx's responses may have been read already.
    is_stream_consumed = False

    def __init__(self, connection: Connection, stream: Body) -> None:
        self._connection = connection
        self._stream = stream
        self.status_code = connection.status
        # A name that comes twice is one list.
        self.headers: dict[str, str] = {}
        for raw, value in connection.headers:
            name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]}, {text}" if name in self.headers else text

    @property
    def at_hand(self) -> bool:
        """Whether the next piece, or the end, is there without waiting."""
        return self._connection.at_hand

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The bytes as they come."""
        return aiter(self._stream)

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The bytes without their content encoding."""
        whole = httpx.Response(self.status_code, headers=self._connection.headers, stream=self._stream)
        return whole.aiter_bytes()

    async def aclose(self) -> None:
        """Give the connection back. Idempotent."""
        await self._stream.aclose()


class PooledTransport(httpx.AsyncBaseTransport):
    """An httpx transport over plain asyncio. It belongs to one event loop."""

    def __init__(self, verify: Any, limits: httpx.Limits) -> None:
        self._verify = verify
        self._keep = limits.max_keepalive_connections or 0
        self._keep_s = limits.keepalive_expiry or 5.0
        self._slots = asyncio.Semaphore(limits.max_connections or 1_000)
        self._idle: dict[Origin, deque[Connection]] = {}
        self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of httpx; the answer's head is there on return."""
        try:
            body = request.content
        except httpx.RequestNotRead:
            body = await request.aread()
        head = _head(request.method, request.url, request.headers.raw)
        seconds = request.extensions.get("timeout", {}).get("connect")
        connection, stream = await self._exchange(request.method, request.url, head, body, seconds)
        return httpx.Response(connection.status, headers=connection.headers, stream=stream, request=request)

    async def ask(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes, connect_s: float | None
    ) -> Answer:
        """The same without httpx's request and response around it, which take as long as the exchange itself."""
        pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        whole = ((b"host", url.netloc), *pairs, (b"content-length", b"%d" % len(body)))
        connection, stream = await self._exchange(method, url, _head(method, url, whole), body, connect_s)
        return Answer(connection, stream)

    async def _exchange(
        self, method: str, url: httpx.URL, head: bytes, body: bytes, connect_s: float | None
    ) -> tuple[Connection, Body]:
        if url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol(f"{url.scheme!r} is not a scheme of HTTP")
        origin = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        await self._slots.acquire()
        connection: Connection | None = None
        try:
            while True:
                connection = self._take(origin)
                reused = connection is not None
                if connection is None:
                    connection = await self._connect(origin, connect_s)
                try:
                    await connection.send(method, head, body)
                    break
                except httpx.TransportError:
                    if not reused or connection.heard:
                        raise
                    # A kept connection that the peer had closed already: nothing of the request was seen.
                    connection.abort()
        except BaseException:
            if connection is not None:
                connection.abort()
            self._slots.release()
            raise
        return connection, Body(self, origin, connection)

    async def _connect(self, origin: Origin, seconds: float | None) -> Connection:
        scheme, host, port = origin
        loop = asyncio.get_running_loop()
        facts: dict[str, Any] = {}
        if scheme == "https":
            context = self._verify
            if not isinstance(context, ssl.SSLContext):
                context = httpx.create_ssl_context(verify=bool(context))
            facts = {"ssl": context, "server_hostname": host}
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(lambda: Connection(loop), host, port, **facts)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("connecting took too long") from error
        except _CONNECT_ERRORS as error:
            raise httpx.ConnectError(str(error)) from error
        return connection

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        if not idle:
            return None
        oldest = asyncio.get_running_loop().time() - self._keep_s
        while idle:
            connection = idle.pop()
            self._count -= 1
            if connection.closed:
                continue
            if connection.idle_since < oldest:
                connection.abort()
                continue
            return connection
        return None

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """The answer is done with: keep the connection for the next request, or close it."""
        self._slots.release()
        if connection.reusable and self._count < self._keep:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.setdefault(origin, deque()).append(connection)
            self._count += 1
        else:
            connection.abort()

    async def aclose(self) -> None:
        """Close what is kept."""
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
        self._count = 0
