"""The gate in front of every handler: hosts, origins, rates, who asks, and whether they may."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from mastra.errors import MastraError
from mastra.server.call import header
from mastra.server.options import LOOPBACK_NAMES, ServerOptions, is_loopback
from mastra.server.problems import Refused

if TYPE_CHECKING:
    from mastra.server.access import Principal
    from mastra.server.call import Call
    from mastra.server.limits import Limiter
    from mastra.server.state import State
    from mastra.server.table import Route

Headers = Sequence[tuple[bytes, bytes]]
log = logging.getLogger("mastra.server")
ALLOWED_HEADERS = (
    b"Content-Type,Authorization,A2A-Version,Last-Event-ID,X-Request-Id,traceparent,"
    b"x-mastra-client-type,x-mastra-dev-playground"
)
INVALID_TOKEN = {"error": "Invalid or expired token"}


class Gate:
    """Lets a call through, or refuses it with the protocol's answer."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.options: ServerOptions = state.options
        self.cors = Cors(self.options)
        hosts = self.options.allowed_hosts
        if hosts is None:
            hosts = None if self.options.auth is not None else tuple(LOOPBACK_NAMES)
        self._hosts = None if hosts is None or "*" in hosts else frozenset(hosts)

    async def admit(self, call: Call, scope: MutableMapping[str, Any], raw_query: bytes) -> None:
        """Everything that is checked before a request is parsed."""
        self.check_host(call.headers)
        if self.options.auth is None and call.route.method != "GET":
            self.check_origin(call.headers)
        address = self.address(scope)
        self._take(self.state.addresses, address, "address-rate")
        if self.options.auth is None:
            return
        if call.route.public:
            # A public route still knows who asks when a good token comes along.
            call.principal = await self._principal(call.headers, raw_query)
            return
        call.principal = await self.identify(call.headers, raw_query, address)
        self._take(self.state.keys, call.principal.key_id or call.principal.id, "key-rate")
        self.check_permission(call.route, call.principal)

    async def readmit(self, call: Call, raw_query: bytes) -> bool:
        """Whether the caller of an open connection would be let in today: keys are taken back, tokens run out."""
        if self.options.auth is None or call.route.public:
            return True
        try:
            principal = await self._principal(call.headers, raw_query)
        except MastraError:
            log.exception("the auth provider failed; the connection is closed")
            return False
        wanted = call.route.permissions
        if principal is None or (wanted and not any(principal.may(permission) for permission in wanted)):
            return False
        call.principal = principal
        return True

    async def identify(self, headers: Headers, raw_query: bytes, address: str) -> Principal:
        """Who asks; 401 when that is nobody, 429 when too many wrong tokens came from the address."""
        guesses = self.state.guesses
        if guesses.wait(address):
            self.state.metrics.refused["guesses"] += 1
            raise _too_many(guesses.wait(address))
        principal = await self._principal(headers, raw_query)
        if principal is None:
            guesses.take(address)
            self.state.metrics.refused["unauthenticated"] += 1
            raise Refused(401, INVALID_TOKEN, headers=((b"www-authenticate", b"Bearer"),))
        return principal

    async def _principal(self, headers: Headers, raw_query: bytes) -> Principal | None:
        token = token_of(headers, raw_query)
        if not token or len(token) > 8192 or self.options.auth is None:
            return None
        try:
            return await self.options.auth.authenticate(token)
        except MastraError:
            raise
        except Exception:
            # A guard that fails is a refusal, never a pass.
            log.exception("the auth provider failed; the request is refused")
            return None

    def check_permission(self, route: Route, principal: Principal) -> None:
        """403 unless one of the route's permissions is held."""
        if route.permissions and not any(principal.may(permission) for permission in route.permissions):
            self.state.metrics.refused["forbidden"] += 1
            wanted = " or ".join(route.permissions)
            raise Refused(403, {"error": "Forbidden", "message": f"Missing required permission: {wanted}"})

    def check_host(self, headers: Headers) -> None:
        """403 for a host name that is not ours: a page elsewhere may not reach a local server by its own name."""
        if self._hosts is None:
            return
        host = header(headers, b"host")
        name = host if host.startswith("[") and host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host
        if name not in self._hosts:
            self.state.metrics.refused["host"] += 1
            raise Refused(403, {"error": "Access denied"})

    def check_origin(self, headers: Headers) -> None:
        """403 for a write from a page of a foreign origin: without tokens, nothing else tells it from the user."""
        origin = header(headers, b"origin")
        if origin and not self.cors.allows(origin):
            self.state.metrics.refused["origin"] += 1
            raise Refused(403, {"error": "Access denied"})

    def address(self, scope: MutableMapping[str, Any]) -> str:
        """Where the request comes from; a proxy's word counts only when it is trusted."""
        if self.options.trust_proxy:
            forwarded = header(scope["headers"], b"x-forwarded-for")
            if forwarded:
                return forwarded.rsplit(",", 1)[-1].strip()
        client = scope.get("client")
        return client[0] if client else ""

    def _take(self, limiter: Limiter | None, name: str, reason: str) -> None:
        if limiter is None:
            return
        wait = limiter.take(name)
        if wait:
            self.state.metrics.refused[reason] += 1
            raise _too_many(wait)

    def report(self, error: Exception, call: Call) -> None:
        """Put a failure into the log, where its details belong; one of our own needs no stack."""
        foreign = not isinstance(error, MastraError)
        log.log(
            logging.ERROR if foreign else logging.WARNING,
            "%s %s failed (request %s): %s",
            call.route.method,
            call.route.path,
            call.request_id,
            error,
            exc_info=error if foreign else None,
        )


def _too_many(wait: float) -> Refused:
    seconds = max(1, int(wait + 0.999))
    return Refused(429, {"error": "Too many requests"}, headers=((b"retry-after", b"%d" % seconds),))


def token_of(headers: Headers, raw_query: bytes) -> str:
    """The token of a request: the authorization header, else the `apiKey` of the query.

    A page cannot set headers of a WebSocket: there it offers the subprotocols `mastra` and `bearer.<token>`.
    """
    given = header(headers, b"authorization")
    if given:
        return given[7:].strip() if given[:7].lower() == "bearer " else given.strip()
    for offered in header(headers, b"sec-websocket-protocol").split(","):
        if offered.strip().startswith("bearer."):
            return offered.strip()[7:]
    if b"apiKey=" in raw_query:
        return parse_qs(raw_query.decode("latin-1")).get("apiKey", [""])[-1]
    return ""


class Cors:
    """Which pages of other origins may read our answers."""

    def __init__(self, options: ServerOptions) -> None:
        self._origins = options.cors_origins
        self._loopback = options.cors_origins is None and options.auth is None
        self._credentials = options.auth is not None

    def headers(self, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
        """The headers of an answer to this request; none when it comes from no page, or from a refused one."""
        origin = header(headers, b"origin")
        if not origin or not self.allows(origin):
            return ()
        expose = (b"access-control-expose-headers", b"Content-Length,X-Requested-With,X-Request-Id,X-Error-Code")
        if self._origins is not None and "*" in self._origins:
            return (b"access-control-allow-origin", b"*"), expose
        out = ((b"access-control-allow-origin", origin.encode("latin-1")), expose, (b"vary", b"Origin"))
        return (*out, (b"access-control-allow-credentials", b"true")) if self._credentials else out

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may ask."""
        if self._loopback:
            return is_loopback(urlsplit(origin).hostname or "")
        return self._origins is not None and ("*" in self._origins or origin in self._origins)

    def is_preflight(self, headers: Headers) -> bool:
        """Whether a browser asks what it may send."""
        return bool(header(headers, b"origin") and header(headers, b"access-control-request-method"))

    def preflight(self, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
        """What a browser may send, when the origin is allowed."""
        if not self.allows(header(headers, b"origin")):
            return ()
        return (
            (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,OPTIONS"),
            (
                b"access-control-allow-headers",
                ALLOWED_HEADERS,
            ),
            (b"access-control-max-age", b"3600"),
        )
