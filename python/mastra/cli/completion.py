"""`mastra completion`: the script that completes verbs in a shell."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra.cli.options import AsJson
from mastra.cli.output import Exit, emit, fail

SHELLS = ("bash", "zsh", "fish", "powershell")


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh, fish or powershell.")], *, as_json: AsJson = False
) -> None:
    """Print the completion script of a shell. Such as: mastra completion bash >> ~/.bashrc."""
    if shell not in SHELLS:
        raise fail(f"There is no completion for {shell!r}.", f"Known: {', '.join(SHELLS)}.", Exit.USAGE)
    from typer.completion import (  # type: ignore[attr-defined]  # noqa: PLC0415 - only this verb needs it
        get_completion_script,  # pyright: ignore[reportPrivateImportUsage]  # typer re-exports it without saying so
    )

    script = get_completion_script(prog_name="mastra", complete_var="_MASTRA_COMPLETE", shell=shell)
    if as_json:
        emit({"shell": shell, "script": script})
    else:
        typer.echo(script)
