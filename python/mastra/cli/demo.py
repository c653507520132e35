"""`mastra demo`: a guided run through what mastra does, without a key or a network."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from mastra.native import build_info
from mastra.runtime.models import resolve_model
from mastra.types.model import ModelRequest, TextDelta
from mastra.types.prompt import TextPart, UserMessage

SCRIPT = "scripted/Hello! I am a scripted model: the same code runs with a real one."


def demo(
    model: Annotated[str, typer.Option(help="Use a real model, such as openai/gpt-5-mini or ollama/qwen3.")] = SCRIPT,
) -> None:
    """See it work, in a few seconds, without a key or a network."""
    asyncio.run(_tour(model))


async def _tour(model: str) -> None:
    began = time.perf_counter()
    info = build_info()
    typer.echo(f"mastra {info['version']}, core built by {info['compiler']} for {info['architecture']}")
    typer.echo("\n1. A model streams its answer")
    request = ModelRequest(messages=(UserMessage((TextPart("Hello! Who are you?"),)),))
    async for delta in resolve_model(model).stream(request):
        if isinstance(delta, TextDelta):
            typer.echo(delta.text, nl=False)
    typer.echo(f"\n\nDone in {time.perf_counter() - began:.1f} s.")
