"""One connection to an MCP server, owned by one long-lived task: whoever opens it also closes it, in the same task."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from mastra.errors import BadDefinition, McpError, MissingExtra

if TYPE_CHECKING:
    from mcp import Client

log = logging.getLogger("mastra.mcp")

Made = TypeVar("Made")
# JSON-RPC codes that say the connection is gone, not that the request was wrong.
_GONE = frozenset({-32000})
_BACKOFF_S = (0.0, 0.25, 1.0)


@dataclass(frozen=True, slots=True)
class StdioServer:
    """A server that is started as a child process. Of the environment it inherits only what every program needs."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    # Whether what it prints to standard error is shown; it is thrown away otherwise.
    show_errors: bool = False

    def __post_init__(self) -> None:
        args: object = self.args
        if not self.command or isinstance(args, str):
            raise BadDefinition("A server over stdio is a command and a list of arguments, never a line for a shell.")


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A server behind a URL. `auth` is anything that httpx takes, the OAuth providers of the `mcp` package among it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        scheme, _, rest = self.url.partition("://")
        if scheme not in {"http", "https"} or not rest or rest.startswith("/"):
            raise BadDefinition(f"{self.url[:100]!r} is not the http or https URL of an MCP server.")
        if "@" in rest.partition("/")[0]:
            raise BadDefinition("A URL of an MCP server holds no password.", hint="Use headers or auth.")


class Session:
    """A connection that comes back: a call on a broken one opens it again first, with growing pauses."""

    def __init__(
        self, name: str, server: StdioServer | HttpServer, *, timeout_s: float, options: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.server = server
        self.timeout_s = timeout_s
        self._options = options
        self._client: Client | None = None
        self._owner: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._lock = asyncio.Lock()
        # How often it was opened; a caller sees by it whether what it knew may be old.
        self.opened = 0

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._client is not None and self._owner is not None and not self._owner.done()

    async def open(self) -> Client:
        """The connection; opened when there is none."""
        async with self._lock:
            if self.is_open and self._client is not None:
                return self._client
            failure: Exception | None = None
            for pause in _BACKOFF_S:
                await asyncio.sleep(pause)
                try:
                    return await self._connect()
                except (OSError, TimeoutError, McpError) as error:
                    failure = error
            raise self._failed("cannot be reached", failure) from failure

    async def close(self) -> None:
        """Leave, in the task that came. A child process gets its time to end and is killed after it."""
        self._leave.set()
        owner, self._owner, self._client = self._owner, None, None
        if owner is not None and not owner.done():
            await asyncio.wait({owner}, timeout=10)
            if not owner.done():
                owner.cancel()
                await asyncio.wait({owner}, timeout=5)

    async def ask(self, request: Callable[[Client], Awaitable[Made]]) -> Made:
        """One request on the connection. A cut in the middle is an error: nobody knows whether it was carried out."""
        client = await self.open()
        working = asyncio.ensure_future(request(client))
        owner = self._owner
        waits: set[asyncio.Future[Any]] = {working} if owner is None else {working, owner}
        try:
            done, _ = await asyncio.wait(waits, timeout=self.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            working.cancel()
            raise
        if working in done:
            return self._result(working)
        working.cancel()
        await asyncio.wait({working}, timeout=1)
        if done:
            raise self._failed("closed the connection in the middle of a call", None)
        raise self._failed(f"did not answer within {self.timeout_s:g} s", None)

    def _result(self, working: asyncio.Future[Made]) -> Made:
        from mcp import MCPError  # noqa: PLC0415 - only who uses a server pays for the SDK

        try:
            return working.result()
        except MCPError as error:
            if error.code in _GONE:
                self._client = None
                self._leave.set()
            raise McpError(
                f"MCP server {self.name!r} answered: {error.message[:500]}", details={"code": error.code}
            ) from error
        except (OSError, RuntimeError, ValueError) as error:
            raise self._failed(f"gave no usable answer ({type(error).__name__})", error) from error

    async def _connect(self) -> Client:
        self._leave = asyncio.Event()
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._own(ready, self._leave), name=f"mcp:{self.name}")
        try:
            async with asyncio.timeout(self.timeout_s):
                client = await asyncio.shield(ready)
        except BaseException:
            self._owner.cancel()
            raise
        self.opened += 1
        self._client = client
        return client

    async def _own(self, ready: asyncio.Future[Client], leave: asyncio.Event) -> None:
        try:
            async with _made(self.server, self._options) as client:
                ready.set_result(client)
                await leave.wait()
        except asyncio.CancelledError:
            if not ready.done():
                ready.cancel()
            raise
        except BaseException as error:
            failure = _innermost(error)
            if isinstance(failure, (KeyboardInterrupt, SystemExit)):
                raise
            if not ready.done():
                known = isinstance(failure, (OSError, TimeoutError, MissingExtra, McpError))
                ready.set_exception(failure if known else self._failed("did not open", failure))
            else:
                log.warning("MCP server %s: the connection ended (%s)", self.name, type(failure).__name__)

    def _failed(self, what: str, cause: BaseException | None) -> McpError:
        # The cause's own words may hold a header or a URL with a key.
        why = "" if cause is None else f" ({type(cause).__name__})"
        return McpError(f"MCP server {self.name!r} {what}{why}.", retryable=False)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def _made(server: StdioServer | HttpServer, options: Mapping[str, Any]) -> Any:
    try:
        import httpx2  # noqa: PLC0415 - comes with the extra
        from mcp import Client, StdioServerParameters, stdio_client  # noqa: PLC0415 - the same
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - the same
    except ImportError as error:
        raise MissingExtra("mcp", feature="MCP clients", module="mcp") from error

    @asynccontextmanager
    async def connected() -> AsyncIterator[Client]:
        if isinstance(server, StdioServer):
            parameters = StdioServerParameters(
                command=server.command, args=list(server.args), env=dict(server.env), cwd=server.cwd
            )
            if server.show_errors:
                async with Client(stdio_client(parameters), **options) as client:
                    yield client
                return
            with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230, PTH123 - never blocks
                async with Client(stdio_client(parameters, errlog=nowhere), **options) as client:
                    yield client
            return
        http = httpx2.AsyncClient(headers=dict(server.headers), auth=server.auth, timeout=httpx2.Timeout(30, read=300))
        async with http, Client(streamable_http_client(server.url, http_client=http), **options) as client:
            yield client

    return connected()
