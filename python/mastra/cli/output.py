"""How the verbs talk: JSON or words, colours only on a terminal, errors with their hints, and the exit codes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterator, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


class Exit(IntEnum):
    """What the exit codes of `mastra` mean."""

    OK = 0
    ERROR = 1
    USAGE = 2
    FINDINGS = 3
    INTERRUPTED = 130


def console() -> Console:
    """A console: plain where the output is no terminal, or where NO_COLOR is set."""
    from rich.console import Console  # noqa: PLC0415 - verbs that print JSON do not need it

    return Console(highlight=False, soft_wrap=True)


def emit(value: Any) -> None:
    """A value as JSON on standard output, one document."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None, default=str))


def emit_line(value: Any) -> None:
    """A value as one line of JSON, for streams of them."""
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def progress(things: Sequence[T], what: str, *, show: bool = True) -> Iterator[T]:
    """The things one by one, with a bar on standard error while that takes; nothing where that is no terminal."""
    if not show or not sys.stderr.isatty():
        yield from things
        return
    from rich.console import Console  # noqa: PLC0415 - only where it is seen
    from rich.progress import track  # noqa: PLC0415 - the same

    yield from track(things, what, console=Console(stderr=True), transient=True)


def fail(message: str, hint: str = "", code: Exit = Exit.ERROR) -> typer.Exit:
    """Say what is wrong on standard error; raise what it returns."""
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"  {hint}", err=True)
    return typer.Exit(int(code))


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(work)
