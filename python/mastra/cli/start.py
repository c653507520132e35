"""`mastra start`: serve an application in production."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra.cli.options import Host, LogsAsJson, Port, Target


def start(
    target: Target = None,
    *,
    host: Host = None,
    port: Port = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the port and the storage.", min=1, max=64)
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    as_json: LogsAsJson = False,
) -> None:
    """Serve an application. Without auth it only listens on this machine. Options win over settings (mastra.toml)."""
    from mastra.server.serve import run, settings_of  # noqa: PLC0415 - only who serves loads it

    form = "json" if as_json else None
    run(target, settings_of(host, port, workers=workers, log_level=log_level, log_format=form))
