"""Running the application with uvicorn: one process or several, with a drain at the end."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from typing import Any

from mastra.errors import BadSetting
from mastra.server.http import App, create_app
from mastra.server.loading import load_application
from mastra.server.options import ServerOptions, check_bind

DEFAULT_PORT = 4111
# How a worker process learns what to serve: its parent sets these before it starts.
TARGET = "MASTRA_APPLICATION"
PAGE = "MASTRA_DEV_PAGE"


def default_host() -> str:
    """The address to listen on when none is given."""
    return os.environ.get("MASTRA_HOST") or "127.0.0.1"


def default_port() -> int:
    """The port to listen on when none is given."""
    text = os.environ.get("PORT", "")
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise BadSetting(f"PORT is {text!r}.", hint="Use a number from 1 to 65535.")
    return int(text)


def application() -> App:
    """The application of a worker process, as the environment names it."""
    mastra = load_application(os.environ.get(TARGET) or None)
    options: ServerOptions = mastra.server or ServerOptions()
    _settle()
    return create_app(mastra, replace(options, page=True) if os.environ.get(PAGE) else options)


def _settle() -> None:
    """Take what is loaded for good out of the garbage collector's way, and let it come by less often.

    Requests leave next to no cycles, but make many short-lived tuples and dicts; a tenth of the time went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def run(
    target: str | None,
    *,
    host: str,
    port: int,
    workers: int = 1,
    reload: bool = False,
    page: bool = False,
    log_level: str = "info",
) -> None:
    """Serve until a signal comes. Refuses an address that others can reach when there is no auth."""
    import uvicorn  # noqa: PLC0415 - only who serves pays for it

    mastra = load_application(target)
    options: ServerOptions = mastra.server or ServerOptions()
    check_bind(host, options)
    facts: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_level": log_level,
        # Longer than the minute that load balancers keep a connection: else they meet one that is just being closed.
        "timeout_keep_alive": 75,
        "server_header": False,
        "timeout_graceful_shutdown": max(1, round(options.drain_s)),
        "h11_max_incomplete_event_size": 65_536,
        "ws_max_size": options.max_body,
        "access_log": page,
        # The gate reads what a proxy says, and only where it is trusted.
        "proxy_headers": False,
    }
    if workers == 1 and not reload:
        _settle()
        uvicorn.run(create_app(mastra, replace(options, page=page)), **facts)
        return
    os.environ[TARGET] = target or ""
    if page:
        os.environ[PAGE] = "1"
    uvicorn.run("mastra.server.serve:application", factory=True, workers=workers, reload=reload, **facts)
