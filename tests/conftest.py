"""What every test gets: no keys in the environment, no network but this machine, one Hypothesis profile."""

from __future__ import annotations

import ipaddress
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("mastra", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mastra")

_KEY_ENDINGS = ("_API_KEY", "_AUTH_TOKEN", "_SECRET_KEY")


def _refuse_foreign_network(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # a Unix socket
    host = str(address[0])
    if host in {"localhost", ""}:
        return
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        raise PermissionError(f"A test tried to reach {host!r}; tests stay on this machine.") from None
    if not (parsed.is_loopback or parsed.is_unspecified or parsed.is_private or parsed.is_link_local):
        raise PermissionError(f"A test tried to reach {host}; tests stay on this machine.")


sys.addaudithook(_refuse_foreign_network)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a developer's shell must not turn a test into a paid call."""
    for name in list(os.environ):
        if name.endswith(_KEY_ENDINGS):
            monkeypatch.delenv(name)
