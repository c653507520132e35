"""The page of the documentation that tells every verb's help: made from the verbs, never written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from mastra.cli.main import make_app

HEAD = """# Every verb

Made from the help texts; a test keeps it true. What they are for stands in [Command line](cli.md).
"""


def verbs(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every verb with its command, those of groups too."""
    whole: Any = get_command(make_app()) if group is None else group
    for name, one in whole.commands.items():
        if hasattr(one, "commands"):
            yield from verbs(one, (*path, name))
        else:
            yield " ".join((*path, name)), one


def reference() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for name, verb in sorted(verbs(), key=lambda one: one[0]):
        told = " ".join(str(verb.help).split())
        parts += [f"## mastra {name}", "", told, "", "| argument or option | means |", "|---|---|"]
        parts += [f"| {_names(one)} | {_means(one)} |" for one in verb.params]
        parts.append("")
    return "\n".join(parts)


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _means(parameter: Any) -> str:
    return " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
