"""`mastra bench`: how fast this machine runs agents and workflows, without a network."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from mastra.cli.options import AsJson
from mastra.cli.output import emit, wait


def bench(
    *,
    seconds: Annotated[float, typer.Option(help="How long each measurement takes.", min=0.05, max=60)] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Measure a text run, a streamed delta and a ten-step workflow with a scripted model."""
    rows = wait(_measure(seconds))
    if as_json:
        emit(rows)
        return
    for name, value in rows.items():
        typer.echo(f"{name:<28}{value:>10.1f} µs")


async def _measure(seconds: float) -> dict[str, float]:
    from mastra import Agent, Workflow, step  # noqa: PLC0415 - what is measured
    from mastra.runtime.models import resolve_model  # noqa: PLC0415 - the same

    short = Agent("short", model=resolve_model("scripted/Hello."))
    long = Agent("long", model=resolve_model("scripted/" + "word " * 200))
    flow: Any = Workflow("flow", input=dict, output=dict)
    for number in range(10):

        @step(id=f"s{number}")
        async def same(input: dict[str, Any]) -> dict[str, Any]:
            return input

        flow = flow.then(same)
    flow = flow.commit()

    async def text() -> None:
        await short.generate("Hello")

    async def stream() -> None:
        async with long.stream("Hello") as going:
            async for _ in going:
                pass

    async def steps() -> None:
        await (await flow.create_run()).start({})

    per_stream = await _time(stream, seconds)
    return {
        "agent run, text": await _time(text, seconds),
        "one streamed delta": per_stream / 200,
        "workflow, 10 steps": await _time(steps, seconds),
    }


async def _time(work: Callable[[], Awaitable[None]], seconds: float) -> float:
    """Microseconds of one call, the best of five rounds."""
    await work()
    best = float("inf")
    for _ in range(5):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds / 5:
            await work()
            count += 1
        best = min(best, (time.perf_counter() - began) / count)
    return best * 1e6
