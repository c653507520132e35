"""`mastra start`: serve an application in production."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra.cli.options import Host, Port, Target


def start(
    target: Target = None,
    *,
    host: Host = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(help="Processes that share the port and the storage.", min=1, max=64)] = 1,
    log_level: Annotated[str, typer.Option(help="critical, error, warning, info or debug.")] = "warning",
) -> None:
    """Serve an application. Without auth it only listens on this machine."""
    from mastra.server.serve import default_host, default_port, run  # noqa: PLC0415 - only who serves loads it

    run(target, host=host or default_host(), port=port or default_port(), workers=workers, log_level=log_level)
