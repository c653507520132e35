"""The one HTTP client of every provider: pools, time limits, byte limits, and every failure as a typed error."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
import weakref
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import httpx

from mastra import __version__
from mastra.errors import (
    BadDefinition,
    BadModelRequest,
    MissingExtra,
    ModelTimeout,
    ModelUnavailable,
    ResponseMalformed,
    StreamBroken,
)
from mastra.platform import here

if TYPE_CHECKING:
    from mastra.providers.http11 import Answer, PooledTransport

USER_AGENT = f"mastra/{__version__}"
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for what, in seconds. A request's own deadline always wins when it is nearer."""

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 30.0
    total_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("connect_s", "first_byte_s", "idle_s", "total_s"):
            if not getattr(self, name) > 0:
                raise BadDefinition(f"{name} must be more than 0 seconds.")


@dataclass(frozen=True, eq=False, kw_only=True)
class HttpOptions:
    """How connections are made. `transport` puts any httpx transport under it: ASGI, mock, aiohttp- or Rust-backed."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    proxy: str | None = None
    # A path of CA certificates or an ssl.SSLContext; True is the usual set, False switches the check off.
    verify: Any = True
    http2: bool = False
    # As many as the platform allows: a telephone closes idle sockets and counts open ones.
    max_connections: int = field(default_factory=lambda: here().max_connections)
    max_idle_connections: int = field(default_factory=lambda: here().max_idle_connections)
    idle_connection_s: float = 30.0
    max_response_bytes: int = 512 * MEBIBYTE
    max_event_bytes: int = 64 * MEBIBYTE
    transport: Any = None
    # Read HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE from the environment.
    trust_env: bool = True

    def __repr__(self) -> str:
        # A proxy URL may carry a password.
        return f"HttpOptions(timeouts={self.timeouts!r}, http2={self.http2}, proxy={'...' if self.proxy else None})"


DEFAULT_OPTIONS = HttpOptions()


def _usual_certificates(*, trust_env: bool) -> Any:
    named = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) if trust_env else None
    return _certificates(named)


@cache
def _certificates(named: tuple[str | None, str | None] | None) -> Any:
    # Reading the certificates takes 20 ms: once a process, not once a client.
    return httpx.create_ssl_context(trust_env=named is not None)


@cache
def _prepare() -> None:
    """Load what the first request would load otherwise, in the middle of the event loop's work."""
    for name in ("mastra.providers.http11", "httpcore", "certifi", "anyio.streams.tls", "anyio._backends._asyncio"):
        try:
            import_module(name)
        except ImportError:
            continue  # another version of the client, with other parts
    _usual_certificates(trust_env=True)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    # Reading a URL takes as long as writing the request.
    return httpx.URL(url)


class _Lease:
    """A client and how many exchanges use it; it is closed when nobody wants it any more.

    `plain` is our own transport where the client has it: it is asked directly. What the client would add (redirects,
    cookies, event hooks) is not wanted, and costs a fifth of a request to an agent.
    """

    __slots__ = ("active", "client", "plain", "retired")

    def __init__(self, client: httpx.AsyncClient, plain: PooledTransport | None) -> None:
        self.client = client
        self.plain = plain
        self.active = 0
        self.retired = False

    def sending(
        self, method: str, text: str, content: bytes, headers: Mapping[str, str], connect_s: float
    ) -> Coroutine[Any, Any, httpx.Response | Answer]:
        """What sends a request and waits for the head of its answer."""
        url = _parsed(text)
        if not 0 < (url.port or 1) < 65536:
            raise httpx.InvalidURL("there is no such port")
        # The client makes a header of a name and a password in the URL.
        if self.plain is not None and not url.userinfo:
            return self.plain.ask(method, url, headers, content, connect_s)
        timeout = httpx.Timeout(None, connect=connect_s)
        request = self.client.build_request(method, url, content=content, headers=headers, timeout=timeout)
        return self.client.send(request, stream=True)

    async def release(self) -> None:
        self.active -= 1
        if self.retired and self.active == 0:
            await self.client.aclose()


class Http:
    """One pool of connections for each event loop that asks."""

    def __init__(self, options: HttpOptions = DEFAULT_OPTIONS) -> None:
        if options.transport is None:
            _prepare()
        self.options = options
        self._leases: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Lease] = weakref.WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"Http({self.options!r})"

    def _lease(self) -> _Lease:
        loop = asyncio.get_running_loop()
        lease = self._leases.get(loop)
        if lease is None:
            lease = self._leases[loop] = self._new_lease()
        return lease

    def _new_lease(self) -> _Lease:
        options = self.options
        verify = options.verify
        if verify is True and not options.transport:
            verify = _usual_certificates(trust_env=options.trust_env)
        elif isinstance(verify, str):
            import ssl  # noqa: PLC0415 - httpx has loaded it

            verify = ssl.create_default_context(cafile=verify)
        transport, plain = options.transport, None
        limits = httpx.Limits(
            max_connections=options.max_connections,
            max_keepalive_connections=options.max_idle_connections,
            keepalive_expiry=options.idle_connection_s,
        )
        if transport is None and self._is_plain():
            from mastra.providers.http11 import PooledTransport  # noqa: PLC0415 - only the first request needs it

            transport = plain = PooledTransport(verify, limits)
        try:
            client = httpx.AsyncClient(
                transport=transport,
                verify=verify,
                http2=options.http2,
                proxy=options.proxy,
                trust_env=options.trust_env and transport is None,
                # Our own timers cover connect, first byte and silence, whatever the transport.
                timeout=None,  # noqa: S113
                follow_redirects=False,
                limits=limits,
            )
        except ImportError as error:
            raise MissingExtra("http2", feature="HTTP/2", module="h2") from error
        return _Lease(client, plain)

    def _is_plain(self) -> bool:
        """Whether our own HTTP/1.1 will do: no HTTP/2 and no proxy, neither given nor in the environment."""
        options = self.options
        if options.http2 or options.proxy is not None:
            return False
        return not (options.trust_env and urllib.request.getproxies())

    async def close(self) -> None:
        """Close the connections of this event loop as soon as nobody uses them; the next request opens new ones."""
        lease = self._leases.pop(asyncio.get_running_loop(), None)
        if lease is not None:
            lease.retired = True
            if lease.active == 0:
                await lease.client.aclose()

    async def send(
        self,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        provider: str,
        timeouts: Timeouts | None = None,
        deadline: float | None = None,
        method: str = "POST",
    ) -> Exchange:
        """Send a request and wait for the head of its answer, whatever its status."""
        limits = timeouts or self.options.timeouts
        end = time.monotonic() + limits.total_s
        if deadline is not None and deadline < end:
            end = deadline
        left = end - time.monotonic()
        if left <= 0:
            raise ModelTimeout("The run's deadline has passed.", adapter=provider, retryable=False)
        lease = self._lease()
        try:
            sending = lease.sending(method, url, content, headers, limits.connect_s)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadDefinition(f"The URL of {provider!r} cannot be used: {url[:200]!r}.") from error
        lease.active += 1
        try:
            async with asyncio.timeout(min(limits.connect_s + limits.first_byte_s, left)):
                response = await sending
        except BaseException as error:
            await lease.release()
            if isinstance(error, httpx.HTTPError | TimeoutError | OSError):
                raise _before_answer(error, provider, near_deadline=left <= limits.first_byte_s) from error
            raise
        return Exchange(response, lease, provider, limits, end, self.options)


def _before_answer(error: Exception, provider: str, *, near_deadline: bool) -> Exception:
    if isinstance(error, httpx.ConnectTimeout):
        return ModelTimeout(f"{provider} could not be reached in time.", adapter=provider, details={"phase": "connect"})
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return ModelTimeout(
            f"{provider} did not begin to answer in time.",
            adapter=provider,
            retryable=not near_deadline,
            details={"phase": "first-byte"},
        )
    if isinstance(error, httpx.UnsupportedProtocol):
        return BadDefinition(f"The URL of {provider!r} must begin with http:// or https://.")
    if isinstance(error, httpx.LocalProtocolError):
        return BadModelRequest(
            f"The request to {provider} cannot be sent: {error}.",
            adapter=provider,
            hint="Look at the headers of the model and of model_settings.",
        )
    if isinstance(error, httpx.ProxyError):
        # It says why with a status: what it forbids, it will forbid again.
        answered = str(error)[:100]
        return ModelUnavailable(
            f"The proxy before {provider} made no connection: {answered}.",
            adapter=provider,
            retryable=not answered.startswith(("401", "403", "407")),
            hint="Check the proxy and its password.",
        )
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ModelUnavailable(
            f"The certificate of {provider} is not trusted.",
            adapter=provider,
            retryable=False,
            hint="Name its authority in HttpOptions(verify=...) or SSL_CERT_FILE, and check the host's name.",
        )
    kind = "could not be reached" if isinstance(error, httpx.ConnectError) else "closed the connection unanswered"
    return ModelUnavailable(f"{provider} {kind}.", adapter=provider, details={"cause": type(error).__name__})


class Exchange:
    """The answer to one request while it is read."""

    __slots__ = ("_closed", "_end", "_lease", "_limits", "_options", "_whole", "headers", "provider", "response",
                 "status")  # fmt: skip

    def __init__(
        self,
        response: httpx.Response | Answer,
        lease: _Lease,
        provider: str,
        limits: Timeouts,
        end: float,
        options: HttpOptions,
    ) -> None:
        self.response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.provider = provider
        self._lease = lease
        self._limits = limits
        self._end = end
        self._options = options
        self._closed = False
        self._whole = False

    async def chunks(self, limit: int | None = None) -> AsyncIterator[bytes]:
        """The body as it arrives; silence, a reset or too many bytes raise."""
        response = self.response
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        # A mock transport may hand over a response that has been read already.
        source = response.aiter_bytes() if encoded or response.is_stream_consumed else response.aiter_raw()
        idle = self._limits.first_byte_s
        most = self._options.max_response_bytes if limit is None else limit
        read = 0
        while True:
            left = self._end - time.monotonic()
            wait = min(left, idle)
            if wait <= 0:
                raise self._too_late(total=True)
            try:
                if self.at_hand:
                    chunk = await source.__anext__()
                else:
                    async with asyncio.timeout(wait):
                        chunk = await source.__anext__()
            except StopAsyncIteration:
                self._whole = True
                return
            except TimeoutError as error:
                raise self._too_late(total=left <= idle) from error
            except (httpx.HTTPError, OSError, httpx.StreamError) as error:
                raise self._broken(error) from error
            read += len(chunk)
            if read > most:
                raise ResponseMalformed(
                    f"{self.provider} sent more than {most} bytes.",
                    hint="Raise HttpOptions.max_response_bytes if that is meant.",
                    adapter=self.provider,
                )
            idle = self._limits.idle_s
            yield chunk

    @property
    def at_hand(self) -> bool:
        """Whether the next piece, or the end, is surely there: then no timer is needed, which takes longer than it."""
        return getattr(self.response, "at_hand", False)

    def _too_late(self, *, total: bool) -> ModelTimeout:
        if total:
            return ModelTimeout(
                f"{self.provider} did not finish in time.",
                adapter=self.provider,
                retryable=False,
                details={"phase": "total"},
            )
        return ModelTimeout(
            f"{self.provider} went silent in the middle of its answer.",
            adapter=self.provider,
            details={"phase": "idle", "idle_s": self._limits.idle_s},
        )

    def _broken(self, error: Exception) -> Exception:
        if isinstance(error, httpx.DecodingError):
            return ResponseMalformed(f"The compressed answer of {self.provider} is damaged.", adapter=self.provider)
        return StreamBroken(
            f"The connection to {self.provider} broke in the middle of its answer.",
            adapter=self.provider,
            details={"cause": type(error).__name__},
        )

    async def body(self, limit: int) -> bytes:
        """The whole body, at most `limit` bytes of it."""
        parts: list[bytes] = []
        chunks = self.chunks(limit)
        try:
            async for chunk in chunks:
                parts.append(chunk)  # noqa: PERF401 - what came before an error counts
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]  # an async generator
        return b"".join(parts)

    async def error_body(self) -> bytes:
        """What can be had of the body of a failed request: never an error, never more than a mebibyte."""
        parts: list[bytes] = []
        chunks = self.chunks(MEBIBYTE)
        try:
            async for chunk in chunks:
                parts.append(chunk)  # noqa: PERF401 - what came before an error counts
        except (ModelTimeout, StreamBroken, ResponseMalformed):
            pass
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]  # an async generator
        return b"".join(parts)[:MEBIBYTE]

    async def drain(self, chunks: AsyncIterator[bytes], wait_s: float = 0.2) -> None:
        """Read what follows the terminal event, so that the connection can be used again."""
        try:
            if self.at_hand:
                await anext(chunks, None)
            if self._whole:
                return
            async with asyncio.timeout(wait_s):
                async for _ in chunks:
                    pass
        except (TimeoutError, ModelTimeout, StreamBroken, ResponseMalformed):
            return

    async def close(self) -> None:
        """Give the connection back, or close it when the answer was not read to its end."""
        if not self._closed:
            self._closed = True
            try:
                response = self.response
                if self._options.http2 and not self._whole and isinstance(response, httpx.Response):
                    from mastra.providers.http2 import cancel  # noqa: PLC0415 - few speak it

                    await cancel(response)
                await response.aclose()
            finally:
                await self._lease.release()


_SHARED: dict[str, Http] = {}


def shared_http(provider: str) -> Http:
    """The pool that all models of a provider share when they bring no options of their own."""
    http = _SHARED.get(provider)
    if http is None:
        http = _SHARED[provider] = Http()
    return http


def with_timeout(timeouts: Timeouts, total_s: float | None) -> Timeouts:
    """The limits with another total."""
    return timeouts if total_s is None else replace(timeouts, total_s=total_s)
