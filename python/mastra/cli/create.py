"""`mastra create` and `mastra init`: a new application from a template."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from mastra.cli.options import AsJson
from mastra.cli.output import Exit, emit, fail

# Template -> what it is, and the command that tries it out.
TEMPLATES = {
    "assistant": ("an assistant with a tool and a memory", 'mastra run "Hello!"'),
    "mcp": ("tools for other people's agents over MCP, and an assistant that uses them", 'mastra run "Hello!"'),
    "rag": ("an assistant that looks things up in your texts", 'mastra run "How long is the warranty?"'),
    "workflow": ("a workflow that waits for a person", "mastra run orders --input '{\"amount\": 20}'"),
}
Template = Annotated[str | None, typer.Option(help="assistant, mcp, rag or workflow.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")]


def create(
    name: Annotated[str | None, typer.Argument(help="The name of the application and its folder.")] = None,
    *,
    template: Template = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make a new application in a folder of its own."""
    chosen = name or ("my-app" if yes else typer.prompt("Name", default="my-app"))
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", chosen):
        raise fail(
            f"{chosen!r} is no name for an application.", "Use lower-case letters, digits and dashes.", Exit.USAGE
        )
    _make(Path.cwd() / chosen, chosen, template, yes=yes, as_json=as_json)


def init(*, template: Template = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Make a new application in this folder. Files that are there are never replaced."""
    here = Path.cwd()
    name = re.sub(r"[^a-z0-9-]+", "-", here.name.lower()).strip("-") or "app"
    _make(here, name, template, yes=yes, as_json=as_json)


def _make(folder: Path, name: str, template: str | None, *, yes: bool, as_json: bool) -> None:
    kind = template or ("assistant" if yes else typer.prompt(f"Template ({', '.join(TEMPLATES)})", default="assistant"))
    if kind not in TEMPLATES:
        raise fail(f"There is no template {kind!r}.", f"Known: {', '.join(TEMPLATES)}.", Exit.USAGE)
    texts = template_files(kind, name)
    taken = [file for file in texts if (folder / file).exists()]
    if taken:
        raise fail(
            f"These files are there already: {', '.join(taken)}.", "Choose an empty folder; nothing was written."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    if as_json:
        emit({"folder": str(folder), "template": kind, "files": sorted(texts)})
        return
    typer.echo(f"{folder.name}: {TEMPLATES[kind][0]}, {len(texts)} files")
    if folder != Path.cwd():
        typer.echo(f"\n  cd {folder.name}")
    typer.echo(f"  {TEMPLATES[kind][1]}\n  mastra dev")


def template_files(kind: str, name: str) -> dict[str, str]:
    """The files of a template with their texts."""
    texts = {}
    for part in ("shared", kind):
        for entry in resources.files("mastra.cli").joinpath("templates", part).iterdir():
            if entry.name.endswith(".tmpl"):
                text = entry.read_text(encoding="utf-8")
                made = text.format(name=name, template=kind, try_it=TEMPLATES[kind][1])
                texts[entry.name.removesuffix(".tmpl")] = made
    return texts
