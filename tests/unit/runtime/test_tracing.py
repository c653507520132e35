from __future__ import annotations

import asyncio

import pytest

from mastra.runtime.tracing import NO_SPAN, Tracer, current_span, span
from mastra.types.spans import SpanRecord


async def test_spans_nest_and_join_one_trace() -> None:
    finished: list[SpanRecord] = []
    tracer = Tracer(finished.append)
    with span(tracer, "run", "agent_run", run_id="r1") as outer:
        outer.set(model="m")

        async def call(name: str) -> None:
            with span(tracer, name, "tool_call") as inner:
                inner.set_output({"n": name})
                await asyncio.sleep(0)

        await asyncio.gather(call("a"), call("b"))
        assert current_span() is outer
    first, second, root = finished
    assert {first.parent_span_id, second.parent_span_id} == {root.span_id}
    assert {first.trace_id, second.trace_id} == {root.trace_id}
    assert root.parent_span_id is None
    assert (root.run_id, root.attributes) == ("r1", {"model": "m"})
    assert first.output == {"n": "a"}
    assert root.ended_at is not None
    assert root.ended_at >= root.started_at
    assert current_span() is None


def test_an_error_is_recorded_and_goes_on() -> None:
    finished: list[SpanRecord] = []
    with pytest.raises(ValueError, match="broke"), span(Tracer(finished.append), "run", "agent_run"):
        raise ValueError("broke")
    assert finished[0].error == {"message": "broke", "name": "ValueError"}


def test_without_a_tracer_nothing_happens() -> None:
    with span(None, "run", "agent_run") as nothing:
        nothing.set(a=1)
        nothing.set_output(2)
        assert nothing.child("x", "tool_call") is nothing is NO_SPAN
        assert current_span() is None


def test_traces_are_separate() -> None:
    finished: list[SpanRecord] = []
    tracer = Tracer(finished.append)
    for _ in range(2):
        with tracer.span("run", "agent_run"):
            pass
    assert finished[0].trace_id != finished[1].trace_id
