"""The composer: what is opened is closed, and nothing is a call before the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import ResponseMalformed
from mastra.providers.composer import Composer, parse_event, parse_object
from mastra.types.model import (
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    ResponseStart,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCall,
    ToolInputEnd,
    ToolInputStart,
)


def test_a_thought_is_closed_when_a_text_begins():
    composer = Composer()
    composer.start("id", "model")
    composer.add_reasoning("hm")
    composer.add_text("yes")
    composer.finish("stop")
    assert [type(delta) for delta in composer.take()] == [
        ResponseStart,
        ReasoningStart,
        ReasoningDelta,
        ReasoningEnd,
        TextStart,
        TextDelta,
        TextEnd,
        Finish,
    ]
    assert composer.take() == []


def test_calls_come_after_everything_else_and_only_at_the_end():
    composer = Composer()
    call = composer.open_call(0, "c1", "tool")
    composer.add_arguments(call, '{"a":1}')
    composer.close_call(0)
    composer.add_text("more")
    assert not any(isinstance(delta, ToolCall) for delta in composer.take())
    composer.finish("tool-calls")
    assert [type(delta) for delta in composer.take()] == [ResponseStart, TextEnd, ToolCall, Finish]


def test_the_reason_is_made_to_fit_the_calls():
    composer = Composer()
    composer.open_call(0, "c1", "tool")
    composer.finish("stop")
    assert composer.take()[-1].reason == "tool-calls"
    composer = Composer()
    composer.finish("tool-calls")
    assert composer.take()[-1].reason == "other"


def test_a_call_that_was_cut_before_its_arguments_must_not_run():
    composer = Composer()
    composer.open_call(0, "c1", "tool")
    composer.finish("length")
    assert next(delta for delta in composer.take() if isinstance(delta, ToolCall)).arguments is None


@pytest.mark.parametrize(
    "raw", ['{"a":1', '{"a":1}}', '{"a":NaN}', "[1]", '"x"', "{'a':1}", '{"a":1,}', '\ufeff{"a":1}']
)
def test_arguments_that_are_no_strict_json_object_are_none(raw):
    composer = Composer()
    composer.add_arguments(composer.open_call(0, "c1", "tool"), raw)
    composer.finish("tool-calls")
    call = next(delta for delta in composer.take() if isinstance(delta, ToolCall))
    assert (call.arguments, call.raw_arguments) == (None, raw)


def test_the_output_tool_is_told_as_text():
    composer = Composer("response")
    call = composer.open_call(0, "c1", "response")
    composer.add_arguments(call, '{"a":')
    composer.add_arguments(call, "1}")
    composer.finish("tool-calls")
    deltas = composer.take()
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == '{"a":1}'
    assert not any(isinstance(delta, ToolCall | ToolInputStart) for delta in deltas)
    assert deltas[-1].reason == "stop"


def test_an_answer_ends_once():
    composer = Composer()
    composer.finish("stop")
    composer.finish("length")
    assert [delta.reason for delta in composer.take() if isinstance(delta, Finish)] == ["stop"]


@given(st.lists(st.sampled_from(["text", "thought", "call", "close", "end text", "end thought"]), max_size=30))
def test_whatever_comes_in_whatever_order_is_opened_and_closed_in_pairs(events):
    composer = Composer()
    for number, event in enumerate(events):
        if event == "text":
            composer.add_text("x")
        elif event == "thought":
            composer.add_reasoning("x")
        elif event == "call":
            composer.open_call(number, f"c{number}", "tool")
        elif event == "close":
            for key in list(composer.calls)[:1]:
                composer.close_call(key)
        elif event == "end text":
            composer.close_text()
        else:
            composer.close_reasoning()
    composer.finish("stop")
    deltas = composer.take()
    for start, end in ((TextStart, TextEnd), (ReasoningStart, ReasoningEnd)):
        assert [d.id for d in deltas if isinstance(d, start)] == [d.id for d in deltas if isinstance(d, end)]
    begun = [d.call_id for d in deltas if isinstance(d, ToolInputStart)]
    assert begun == [d.call_id for d in deltas if isinstance(d, ToolInputEnd)]
    assert begun == [d.call_id for d in deltas if isinstance(d, ToolCall)]
    assert isinstance(deltas[-1], Finish)


def test_events_must_be_json_objects():
    assert parse_event('{"a":1}', "acme") == {"a": 1}
    assert parse_object(b'{"a":1}') == {"a": 1}
    for bad in ("[1]", "nope", ""):
        assert parse_object(bad) is None
        with pytest.raises(ResponseMalformed):
            parse_event(bad, "acme")
