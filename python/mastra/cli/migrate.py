"""`mastra migrate`: bring the storage's schema to the version of this release."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mastra.cli.options import App, AsJson
from mastra.cli.output import emit, wait

if TYPE_CHECKING:
    from mastra.types.records import Layout

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")]


def migrate(*, app: App = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Open the storage once, which brings its schema forward in one transaction, and close it again."""
    from mastra.errors import Unsupported  # noqa: PLC0415 - loaded with the application
    from mastra.ports.storage import SupportsLayout  # noqa: PLC0415 - loaded with the application
    from mastra.server.loading import load_application  # noqa: PLC0415 - loads the application

    async def work() -> tuple[str, Layout | None]:
        mastra = load_application(app)
        storage = mastra.storage
        before = None
        if isinstance(storage, SupportsLayout):
            with suppress(Unsupported):  # large values beside a storage without a layout
                before = await storage.layout()
        if not dry_run:
            async with mastra:
                pass
        return type(storage).__name__, before

    name, layout = wait(work())
    if as_json:
        told: dict[str, Any] = {"storage": name, "migrated": not dry_run}
        if layout is not None:
            told |= {"layout": layout.found, "newest": layout.known}
        emit(told)
    elif dry_run:
        typer.echo(f"{name}: {_planned(layout)}")
    else:
        typer.echo(f"{name}: the schema is up to date")


def _planned(layout: Layout | None) -> str:
    if layout is None:
        return "has no layout; there is nothing to migrate"
    if layout.found == 0:
        return f"nothing is there yet; layout {layout.known} would be made"
    if layout.found == layout.known:
        return f"layout {layout.found} is the newest; nothing would be done"
    return f"layout {layout.found} would be brought to {layout.known}"
