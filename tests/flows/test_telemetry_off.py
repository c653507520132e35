"""Telemetry that is off costs nothing that can be counted."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

from mastra import Agent, Mastra, Memory, Workflow, step, tool

PARTS = ("tracing.py", "telemetry.py", "span_store.py")


@tool
async def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


class Number(TypedDict):
    n: int


@step(id="double")
async def double(input: Number) -> Number:
    return {"n": input["n"] * 2}


def make(*, telemetry: bool) -> Mastra:
    model = 'scripted/call add {"a": 1, "b": 2} | three'
    agent = Agent("clerk", model=model, tools=[add], memory=Memory(last_messages=5))
    flow = Workflow("flow", input=Number, output=Number).then(double).commit()
    return Mastra(agents=[agent], workflows=[flow], telemetry=telemetry)


async def calls(mastra: Mastra) -> tuple[int, Counter[str]]:
    """How many Python calls a run of an agent and of a workflow take, and which of them belong to telemetry."""
    every, own = 0, Counter[str]()

    def note(frame: FrameType, event: str, _: Any) -> None:
        nonlocal every
        if event == "call":
            every += 1
            file = Path(frame.f_code.co_filename)
            if file.name in PARTS and file.parent.name == "runtime":
                own[f"{file.name}:{frame.f_code.co_name}"] += 1

    async with mastra:
        for _ in range(2):
            await mastra.get_agent("clerk").generate("x", thread="t", resource="u")
        await (await mastra.get_workflow("flow").create_run()).start({"n": 1})
        sys.setprofile(note)
        try:
            await mastra.get_agent("clerk").generate("x", thread="t", resource="u")
            await (await mastra.get_workflow("flow").create_run()).start({"n": 1})
        finally:
            sys.setprofile(None)
    return every, own


async def test_a_run_that_nobody_traces_makes_no_span() -> None:
    every, own = await calls(make(telemetry=False))
    # What is left asks whether there is a tracer, and enters and leaves the span that does nothing.
    idle = {"span", "__enter__", "__exit__", "set", "set_output", "current_span"}
    assert {name.removeprefix("tracing.py:") for name in own} <= idle
    assert own.total() * 100 < every, (own, every)


async def test_the_same_run_traced_makes_spans() -> None:
    _, own = await calls(make(telemetry=True))
    assert own["tracing.py:record"] >= 4
