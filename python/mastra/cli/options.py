"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

Target = Annotated[
    str | None,
    typer.Argument(help="The application, as module:attribute or file.py:attribute. Without it: app.py or main.py."),
]
App = Annotated[
    str | None,
    typer.Option("--app", help="The application, as module:attribute. Without it: app.py or main.py."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
LogsAsJson = Annotated[bool, typer.Option("--json", help="Write the log as JSON, one object a line (log.format).")]
Host = Annotated[str | None, typer.Option(help="The address to listen on (MASTRA_HOST, else server.host).")]
Port = Annotated[int | None, typer.Option(help="The port to listen on (PORT, else server.port).", min=1, max=65535)]
