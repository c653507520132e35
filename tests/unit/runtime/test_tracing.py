from __future__ import annotations

import asyncio

import pytest

from mastra.runtime.tracing import (
    NO_SPAN,
    Tracer,
    continued,
    current_span,
    inside,
    parse_traceparent,
    span,
    traceparent,
)
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


HEADER = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def test_a_trace_goes_on_from_another_system() -> None:
    finished: list[SpanRecord] = []
    tracer = Tracer(finished.append)
    with continued(parse_traceparent(HEADER)), tracer.span("run", "agent_run"), tracer.span("call", "tool_call"):
        pass
    with tracer.span("later", "agent_run"):
        pass
    inner, outer, later = finished
    assert (outer.trace_id, outer.parent_span_id, outer.remote_parent) == ("ab" * 16, "cd" * 8, True)
    assert (inner.trace_id, inner.parent_span_id, inner.remote_parent) == ("ab" * 16, outer.span_id, False)
    assert (later.parent_span_id, later.remote_parent) == (None, False)
    assert later.trace_id != "ab" * 16


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        HEADER.upper(),
        HEADER + "-more",
        HEADER.replace("ab", "00"),
        HEADER.replace("cd", "00"),
        "ff" + HEADER[2:],
        HEADER[:-1],
        HEADER + "\n",
        f"{HEADER},{HEADER}",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(text: str) -> None:
    assert parse_traceparent(text) is None


def test_a_later_version_may_carry_more() -> None:
    remote = parse_traceparent(f" 01{HEADER[2:]}-what-comes ")
    assert remote == ("ab" * 16, "cd" * 8, True)


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_a_caller_says_whether_the_trace_is_kept(flags: str, sampled: bool) -> None:
    finished: list[SpanRecord] = []
    tracer = Tracer(finished.append)
    with continued(parse_traceparent(HEADER[:-2] + flags)), tracer.span("run", "agent_run") as outer:
        assert traceparent() == f"00-{outer.trace_id}-{outer.span_id}-{'01' if sampled else '00'}"
        with tracer.span("call", "tool_call"):
            pass
    assert [one.name for one in finished] == (["call", "run"] if sampled else [])


def test_whether_a_new_trace_is_kept_is_asked_once_for_all_of_it() -> None:
    asked: list[str] = []
    tracer = Tracer(lambda record: None, lambda trace_id: bool(asked.append(trace_id)))
    with tracer.span("run", "agent_run") as outer, inside("step", "model_step") as step:
        assert (outer.kept, getattr(step, "kept", None)) == (False, False)
        assert asked == [outer.trace_id]


def test_what_happens_inside_belongs_to_the_same_run() -> None:
    finished: list[SpanRecord] = []
    tracer = Tracer(finished.append)
    assert inside("alone", "tool_call") is NO_SPAN
    assert traceparent() is None
    outer = tracer.span("run", "agent_run", run_id="r", thread_id="t", resource_id="ann")
    with outer, inside("step", "model_step", resource_id="bob"), tracer.span("call", "tool_call"):
        pass
    call, step, _ = finished
    assert (call.run_id, call.thread_id, call.resource_id) == ("r", "t", "bob")
    assert call.parent_span_id == step.span_id
