from __future__ import annotations

import typer
from typer.testing import CliRunner

from mastra.cli.options import App, AsJson, Host, Port, Target


def ask(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()

    @app.command()
    def verb(
        target: Target = None, *, app: App = None, as_json: AsJson = False, host: Host = None, port: Port = None
    ) -> None:
        typer.echo((target, app, as_json, host, port))

    done = CliRunner().invoke(app, [*arguments])
    return done.exit_code, done.stdout.strip()


def test_what_verbs_share_has_the_same_names_and_needs_not_be_said() -> None:
    assert ask() == (0, "(None, None, False, None, None)")
    said = ask("a.py:b", "--app", "c:d", "--json", "--host", "::1", "--port", "65535")
    assert said == (0, "('a.py:b', 'c:d', True, '::1', 65535)")


def test_a_port_that_is_none_is_refused() -> None:
    assert [ask("--port", port)[0] for port in ("0", "65536", "x")] == [2, 2, 2]
