"""`mastra audit`: read the audit log and prove that nobody touched it."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra.cli.options import App, AsJson
from mastra.cli.output import Exit, emit, emit_line, wait

audit = typer.Typer(no_args_is_help=True, help="Read and verify the audit log.")


@audit.command()
def verify(*, app: App = None, as_json: AsJson = False) -> None:
    """Check every link of the chain (the secret is in MASTRA_AUDIT_SECRET). Exit code 3: it does not hold."""
    from mastra.server.audit import AuditLog, Broken  # noqa: PLC0415 - loads the server's parts
    from mastra.server.loading import load_application  # noqa: PLC0415 - the same

    async def work() -> tuple[int, Broken | None]:
        mastra = load_application(app)
        async with mastra:
            return await AuditLog(mastra.storage).verify()

    count, broken = wait(work())
    if as_json:
        emit({"rows": count, "holds": broken is None, "broken": broken._asdict() if broken else None})
    elif broken is None:
        typer.echo(f"{count} rows, the chain holds")
    else:
        typer.echo(f"{count} rows hold; at row {broken.number}: {broken.reason}", err=True)
    if broken is not None:
        raise typer.Exit(int(Exit.FINDINGS))


@audit.command(name="list")
def list_(
    *,
    app: App = None,
    limit: Annotated[int, typer.Option(help="How many rows.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest rows, one JSON object a line; with --json one list of them."""
    from mastra.server.audit import recent  # noqa: PLC0415 - the same
    from mastra.server.loading import load_application  # noqa: PLC0415 - the same

    async def work() -> None:
        mastra = load_application(app)
        async with mastra:
            rows = await recent(mastra.storage, limit=limit)
        if as_json:
            emit(rows)
            return
        for row in rows:
            emit_line(row)

    wait(work())
