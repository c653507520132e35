"""`mastra migrate`: bring the storage's schema to the version of this release."""

from __future__ import annotations

import typer

from mastra.cli.options import App, AsJson
from mastra.cli.output import emit, wait


def migrate(*, app: App = None, as_json: AsJson = False) -> None:
    """Open the storage once, which brings its schema forward in one transaction, and close it again."""
    from mastra.server.loading import load_application  # noqa: PLC0415 - loads the application

    async def work() -> str:
        mastra = load_application(app)
        async with mastra:
            return type(mastra.storage).__name__

    name = wait(work())
    if as_json:
        emit({"storage": name, "migrated": True})
    else:
        typer.echo(f"{name}: the schema is up to date")
