"""`mastra keys`: make API keys, and the hashes that a server keeps of them."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra.cli.options import AsJson
from mastra.cli.output import Exit, emit, fail

keys = typer.Typer(no_args_is_help=True, help="Make and check API keys.")


@keys.command()
def new(
    pepper: Annotated[str, typer.Option(envvar="MASTRA_KEY_PEPPER", help="The server's pepper, when it has one.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once; the server needs its hash only."""
    from mastra.server.auth import hash_key, new_key  # noqa: PLC0415 - loads the server's parts

    token, key_id = new_key()
    hashed = f"sha256:{hash_key(token, pepper)}"
    if as_json:
        emit({"key": token, "id": key_id, "hash": hashed})
        return
    typer.echo(f"key   {token}\nhash  {hashed}\n\nGive the key to its user; put the hash into StaticKeys.")


@keys.command(name="hash")
def hash_(
    pepper: Annotated[str, typer.Option(envvar="MASTRA_KEY_PEPPER", help="The server's pepper, when it has one.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Read a key from standard input and print its hash."""
    from mastra.server.auth import hash_key  # noqa: PLC0415 - the same

    token = typer.get_text_stream("stdin").readline().strip()
    if not token:
        raise fail("There is no key on standard input.", "Write: mastra keys hash < file", Exit.USAGE)
    hashed = f"sha256:{hash_key(token, pepper)}"
    if as_json:
        emit({"hash": hashed})
    else:
        typer.echo(hashed)


@keys.command()
def check(*, as_json: AsJson = False) -> None:
    """Read a key from standard input and say whether it is well formed."""
    from mastra.server.auth import well_formed  # noqa: PLC0415 - the same

    token = typer.get_text_stream("stdin").readline().strip()
    good = well_formed(token)
    if as_json:
        emit({"wellFormed": good})
        raise typer.Exit(int(Exit.OK if good else Exit.FINDINGS))
    if not good:
        raise fail("This is not a key of ours, or it is mistyped.", code=Exit.FINDINGS)
    typer.echo("well formed")
