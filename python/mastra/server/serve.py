"""Running the application with uvicorn: one process or several, with a drain at the end."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra import logs
from mastra.errors import BadSetting
from mastra.server.configured import Following, server_options
from mastra.server.http import App, create_app
from mastra.server.loading import load_application
from mastra.server.options import ServerOptions, check_bind
from mastra.server.siblings import Siblings, answers_of
from mastra.settings import LiveSettings

if TYPE_CHECKING:
    import uvicorn

    from mastra.mastra import Mastra

# How a worker process learns what to serve: its parent sets these before it starts.
TARGET = "MASTRA_APPLICATION"
PAGE = "MASTRA_DEV_PAGE"
# Where workers find each other; only this user may enter.
FOLDER = "MASTRA_WORKERS_FOLDER"
# The longest path of a socket is about a hundred bytes.
MAX_FOLDER = 80


def settings_of(
    host: str | None = None,
    port: int | None = None,
    *,
    workers: int | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> LiveSettings:
    """The settings of a server: what is given here, then MASTRA_HOST and PORT, then the usual sources."""
    return LiveSettings(
        arguments={
            "server.host": host or os.environ.get("MASTRA_HOST") or None,
            "server.port": port or _environment_port(),
            "server.workers": workers,
            "log.level": log_level,
            "log.format": log_format,
        }
    )


def _environment_port() -> int | None:
    """The port that a platform hands over."""
    text = os.environ.get("PORT", "")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise BadSetting(f"PORT is {text!r}.", hint="Use a number from 1 to 65535.")
    return int(text)


def application() -> App:
    """The application of a worker process, as the environment names it."""
    live = settings_of()
    logs.configure(**asdict(live.current.log))
    app = _make(load_application(os.environ.get(TARGET) or None), live, page=bool(os.environ.get(PAGE)))
    folder = os.environ.get(FOLDER)
    if folder:
        app.state.siblings = Siblings(Path(folder), answers_of(app.state))
        app.companions += [app.state.siblings, Parent()]
    _settle()
    return app


def _make(mastra: Mastra, live: LiveSettings, *, page: bool) -> App:
    base: ServerOptions = mastra.server or ServerOptions()
    options = server_options(base, live.current)
    check_bind(live.current.server.host, options)
    app = create_app(mastra, replace(options, page=page or options.page))
    app.companions.append(Following(app, base, live))
    return app


class Parent:
    """A worker's watch over the process that started it: without it nobody would ever stop the worker."""

    def __init__(self, every_s: float = 1.0) -> None:
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch."""
        self._task = asyncio.get_running_loop().create_task(self._watch(os.getppid()), name="mastra-parent")

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self, parent: int) -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(self._every_s)
        signal.raise_signal(signal.SIGTERM)


def _settle() -> None:
    """Take what is loaded for good out of the garbage collector's way, and let it come by less often.

    Requests leave next to no cycles, but make many short-lived tuples and dicts; a tenth of the time went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def run(target: str | None, live: LiveSettings, *, reload: bool = False, page: bool = False) -> None:
    """Serve until a signal comes. Refuses an address that others can reach when there is no auth."""
    import uvicorn  # noqa: PLC0415 - only who serves pays for it

    settings = live.current
    logs.configure(**asdict(settings.log))
    app = _make(load_application(target), live, page=page)
    options, several = app.options, settings.server.workers > 1
    facts: dict[str, Any] = {
        "host": settings.server.host,
        "port": settings.server.port,
        "log_level": settings.log.level,
        # Longer than the minute that load balancers keep a connection: else they meet one that is just being closed.
        "timeout_keep_alive": 75,
        "server_header": False,
        "timeout_graceful_shutdown": max(1, round(options.drain_s)),
        # A worker that is busy for long is not dead.
        "timeout_worker_healthcheck": 60,
        "h11_max_incomplete_event_size": 65_536,
        "ws_max_size": options.max_body,
        "access_log": page,
        # The gate reads what a proxy says, and only where it is trusted.
        "proxy_headers": False,
    }
    if not several and not reload:
        _settle()
        uvicorn.run(app, **facts)
        return
    # Workers read the same sources; what was given to this process reaches them through the environment.
    os.environ |= {
        TARGET: target or "",
        PAGE: "1" if page else "",
        "MASTRA_HOST": settings.server.host,
        "PORT": str(settings.server.port),
        "MASTRA_LOG_LEVEL": settings.log.level,
        "MASTRA_LOG_FORMAT": settings.log.format,
    }
    folder = _workers_folder() if several and sys.platform != "win32" else None
    try:
        if folder is not None:
            os.environ[FOLDER] = folder
        named = "mastra.server.serve:application"
        if several:
            _run_workers(uvicorn.Config(named, factory=True, workers=settings.server.workers, **facts))
        else:
            uvicorn.run(named, factory=True, reload=reload, **facts)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _run_workers(config: uvicorn.Config) -> None:
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - only where there are several

    class Workers(Multiprocess):
        def terminate_all(self) -> None:
            # What would connect while the workers drain is refused, and does not wait for somebody who never comes.
            for listener in self.sockets:
                listener.close()
            super().terminate_all()

    Workers(config, sockets=[config.bind_socket()]).run()


def _workers_folder() -> str:
    folder = tempfile.mkdtemp(prefix="mastra-")
    if len(folder) <= MAX_FOLDER:
        return folder
    Path(folder).rmdir()
    return tempfile.mkdtemp(prefix="mastra-", dir="/tmp")
