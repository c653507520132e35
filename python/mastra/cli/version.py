"""`mastra version`: what is installed."""

from __future__ import annotations

import platform

import typer

import mastra
from mastra.cli.options import AsJson
from mastra.cli.output import emit
from mastra.native import build_info


def version(*, as_json: AsJson = False) -> None:
    """The versions of mastra, its core and Python."""
    info = build_info()
    facts = {
        "mastra": mastra.__version__,
        "core": info["version"],
        "compiler": info["compiler"],
        "architecture": info["architecture"],
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    if as_json:
        emit(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name:<13}{value}")
