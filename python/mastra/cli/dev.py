"""`mastra dev`: serve an application while it is written: reload, request log, and a page to try it."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra.cli.options import Host, LogsAsJson, Port, Target
from mastra.cli.output import emit_line


def dev(
    target: Target = None,
    *,
    host: Host = None,
    port: Port = None,
    reload: Annotated[bool, typer.Option(help="Start again when a file changes.")] = True,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: LogsAsJson = False,
) -> None:
    """Serve an application with reload, a request log and a page to chat and to see its runs."""
    from mastra.server.serve import run, settings_of  # noqa: PLC0415 - only who serves loads it

    live = settings_of(host, port, workers=1, log_format="json" if as_json else None)
    address, number = live.current.server.host, live.current.server.port
    url = f"http://{'localhost' if address == '127.0.0.1' else address}:{number}"
    if as_json:
        emit_line({"page": url, "api": f"{url}/api", "openapi": f"{url}/api/openapi.json"})
    else:
        typer.echo(f"mastra dev: {url} (page), {url}/api (API), {url}/api/openapi.json")
    if open_page:
        import webbrowser  # noqa: PLC0415

        webbrowser.open(url)
    run(target, live, reload=reload, page=True)
