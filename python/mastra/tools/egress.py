"""The egress gate: which addresses a tool may reach. Private networks are closed unless they are opened by name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from mastra.errors import AccessDenied, InvalidInput, ToolFailed

if TYPE_CHECKING:
    import httpx

_SCHEMES = frozenset({"http", "https"})


class Reply(NamedTuple):
    """What came back."""

    status: int
    url: str
    headers: dict[str, str]
    body: bytes
    truncated: bool

    @property
    def text(self) -> str:
        """The body as text."""
        kind = self.headers.get("content-type", "")
        charset = kind.partition("charset=")[2].partition(";")[0].strip().strip('"') or "utf-8"
        try:
            return self.body.decode(charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


class Egress:
    """Requests to the outside, one gate for all: hosts by name, public addresses only, sizes and times bounded.

    The address that was checked is the one that is connected to, for every redirect again.
    """

    def __init__(
        self,
        *,
        hosts: Iterable[str] | None = None,
        private_hosts: Iterable[str] = (),
        max_bytes: int = 2_000_000,
        timeout_s: float = 20.0,
        max_redirects: int = 5,
        transport: Any = None,
    ) -> None:
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._private = frozenset(host.lower() for host in private_hosts)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._max_redirects = max_redirects
        self._transport = transport

    def check_url(self, url: str) -> tuple[str, str, int]:
        """Scheme, host and port of a URL that may be asked."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower().rstrip("."), parts.port
        except ValueError as error:
            raise InvalidInput("This is not a URL.") from error
        if parts.scheme not in _SCHEMES or not host:
            raise InvalidInput(f"{url[:100]!r} is not an http or https URL.")
        if parts.username or parts.password:
            raise InvalidInput("A URL with a password is not used.")
        if self._hosts is not None and not any(host == one or host.endswith(f".{one}") for one in self._hosts):
            raise AccessDenied(f"The host {host!r} is not allowed.", hint=f"Allowed: {', '.join(sorted(self._hosts))}.")
        return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)

    async def address(self, host: str, port: int) -> str:
        """An address of the host that may be connected to."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ToolFailed(f"The host {host!r} cannot be found.") from error
        addresses = [str(one[4][0]) for one in found]
        if host not in self._private:
            for address in addresses:
                if not public(address):
                    raise AccessDenied(f"The host {host!r} leads into a private network.")
        return addresses[0]

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send a request; redirects are followed through the same gate."""
        import httpx  # noqa: PLC0415 - only tools that reach out pay for it

        async with (
            asyncio.timeout(self._timeout_s),
            httpx.AsyncClient(transport=self._transport, trust_env=False, timeout=self._timeout_s) as client,
        ):
            for _ in range(self._max_redirects + 1):
                reply = await self._once(client, method, url, headers or {}, body)
                target = reply.headers.get("location")
                if reply.status not in (301, 302, 303, 307, 308) or not target:
                    return reply
                before, url = urlsplit(url), urljoin(url, target)
                if urlsplit(url).netloc != before.netloc:
                    headers = {}  # keys are for the host they were given for
                if reply.status in (301, 302, 303):
                    method, body = "GET", None
        raise ToolFailed(f"More than {self._max_redirects} redirects.")

    async def _once(
        self, client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Reply:
        scheme, host, port = self.check_url(url)
        address = await self.address(host, port)
        parts = urlsplit(url)
        shown = f"[{address}]" if ":" in address else address
        target = parts._replace(scheme=scheme, netloc=f"{shown}:{port}", fragment="").geturl()
        default = port == (443 if scheme == "https" else 80)
        sent = {
            "user-agent": "mastra",
            "accept-encoding": "identity",
            **headers,
            "host": host if default else f"{host}:{port}",
        }
        request = client.build_request(method, target, headers=sent, content=body, extensions={"sni_hostname": host})
        response = await client.send(request, stream=True)
        try:
            data = bytearray()
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ToolFailed("The server packs its answer although it was asked not to.")
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > self._max_bytes:
                    break
        finally:
            await response.aclose()
        kept = {key.lower(): value for key, value in response.headers.items()}
        return Reply(response.status_code, url, kept, bytes(data[: self._max_bytes]), len(data) > self._max_bytes)


def public(address: str) -> bool:
    """Whether an address belongs to the public internet."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return public(str(inner))
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast
