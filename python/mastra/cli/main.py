"""The command `mastra`: its verbs, one file each, and how errors are shown."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

import mastra
from mastra.errors import MastraError

# verb -> the function (or typer.Typer for a group of them) behind it.
VERBS = {
    "audit": "mastra.cli.audit:audit",
    "build": "mastra.cli.build:build",
    "deploy": "mastra.cli.deploy:deploy",
    "bench": "mastra.cli.bench:bench",
    "chat": "mastra.cli.chat:chat",
    "completion": "mastra.cli.completion:completion",
    "create": "mastra.cli.create:create",
    "demo": "mastra.cli.demo:demo",
    "dev": "mastra.cli.dev:dev",
    "doctor": "mastra.cli.doctor:doctor",
    "init": "mastra.cli.create:init",
    "keys": "mastra.cli.keys:keys",
    "migrate": "mastra.cli.migrate:migrate",
    "run": "mastra.cli.run:run",
    "start": "mastra.cli.start:start",
    "version": "mastra.cli.version:version",
}


def make_app(verb: str | None = None) -> typer.Typer:
    """The command line. With `verb` only that verb's module is loaded; a text that is no verb loads them all."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="AI agents, tools and durable workflows.",
    )
    app.callback()(options)
    for name in [verb] if verb in VERBS else VERBS:
        module, _, attribute = VERBS[name].partition(":")
        target = getattr(import_module(module), attribute)
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name)
        else:
            app.command(name)(target)
    return app


def show_version(wanted: bool) -> None:  # noqa: FBT001 - typer hands it over so
    """Print the version and stop."""
    if wanted:
        typer.echo(f"mastra {mastra.__version__}")
        raise typer.Exit


def options(
    *,
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Show the version."),
) -> None:
    """AI agents, tools and durable workflows."""
    del version


def main() -> None:
    """The entry point of the command: an error of ours is two lines on stderr and exit code 1."""
    try:
        make_app(sys.argv[1] if len(sys.argv) > 1 else None)()
    except MastraError as error:
        typer.echo(f"error[{error.code}]: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
