"""What a server may be told: addresses, auth, limits, life. Defaults are safe for a developer's machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mastra.errors import BadSetting
from mastra.server.access import ROLES
from mastra.server.auth import AuthProvider
from mastra.server.limits import Rate

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options of `create_app` and `serve`."""

    prefix: str = "/api"
    auth: AuthProvider | None = None
    roles: Mapping[str, Sequence[str]] = field(default_factory=lambda: ROLES)
    # None: loopback origins only without auth, none at all with it. "*" only without auth.
    cors_origins: Sequence[str] | None = None
    # None: loopback names only without auth (against DNS rebinding), any name with it.
    allowed_hosts: Sequence[str] | None = None
    rate_per_key: Rate | None = None
    rate_per_address: Rate | None = None
    # Failed authentications by address.
    guess_rate: Rate = field(default_factory=lambda: Rate(per_second=0.2, burst=20))
    trust_proxy: bool = False
    max_body: int = 4_718_592
    max_depth: int = 100
    body_s: float = 30.0
    timeout_s: float = 180.0
    heartbeat_s: float = 15.0
    stall_s: float = 30.0
    drain_s: float = 5.0
    # OpenAPI and the page tell what there is: open without auth, else for whoever may read the system.
    openapi: bool = True
    page: bool = False
    # Models that a caller may ask for instead of an agent's own: names or patterns such as "openai/gpt-5*".
    client_models: Sequence[str] = ()
    audit: bool = False
    audit_secret: str | None = None
    # Keep the newest log records in memory, readable under /logs by administrators.
    keep_logs: bool = False
    # Starlette routes and middleware of the application's own.
    routes: Sequence[Any] = ()
    middleware: Sequence[Any] = ()

    def __post_init__(self) -> None:
        if not self.prefix.startswith("/") or self.prefix.endswith("/"):
            raise BadSetting("The prefix must start with a slash and not end with one.", hint='Such as "/api".')
        if self.auth is not None and self.cors_origins is not None and "*" in self.cors_origins:
            raise BadSetting("With auth, every origin that may send credentials must be named.")
        for name in ("max_body", "max_depth", "body_s", "timeout_s", "heartbeat_s", "stall_s"):
            if getattr(self, name) <= 0:
                raise BadSetting(f"{name} must be above zero.")


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_bind(host: str, options: ServerOptions) -> None:
    """Refuse to listen where others can reach when nobody is asked who they are."""
    if options.auth is None and not is_loopback(host):
        raise BadSetting(
            f"Without authentication the server only listens on this machine, not on {host!r}.",
            hint="Configure auth (docs/guide/auth.md), or bind to 127.0.0.1.",
        )
