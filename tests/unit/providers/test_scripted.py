"""The scripted model: what its lines become, and what it refuses."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition, BadModelRequest, InvalidInput, RateLimited, StreamBroken
from mastra.providers.scripted import Answer, Call, ScriptedModel, split_words
from mastra.types.model import Finish, ModelRequest, ResponseStart, TextDelta, ToolCall
from mastra.types.prompt import AssistantMessage, TextPart, UserMessage


def ask(text: str = "Hi", answers: int = 0) -> ModelRequest:
    said = tuple(AssistantMessage((TextPart("..."),)) for _ in range(answers))
    return ModelRequest(messages=(UserMessage((TextPart(text),)), *said))


async def run(model: ScriptedModel, request: ModelRequest | None = None) -> list:
    return [delta async for delta in model.stream(request or ask())]


def text_of(deltas: list) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_a_text_is_said_word_by_word_between_a_start_and_a_finish():
    deltas = await run(ScriptedModel("Hello there, you"))
    assert isinstance(deltas[0], ResponseStart)
    assert [d.text for d in deltas if isinstance(d, TextDelta)] == ["Hello ", "there, ", "you"]
    assert isinstance(deltas[-1], Finish)
    assert deltas[-1].reason == "stop"
    assert deltas[-1].usage.output_tokens > 0


@given(st.text())
def test_pieces_joined_are_the_text(text):
    assert "".join(split_words(text)) == text


async def test_calls_come_whole_and_finish_with_tool_calls():
    deltas = await run(ScriptedModel([[Call("a", {"x": 1}), Call("b")]]))
    calls = [d for d in deltas if isinstance(d, ToolCall)]
    assert [(c.name, c.arguments) for c in calls] == [("a", {"x": 1}), ("b", {})]
    assert calls[0].call_id != calls[1].call_id
    assert deltas[-1].reason == "tool-calls"


async def test_nonsense_arguments_are_marked():
    deltas = await run(ScriptedModel(Call("a", raw='{"x":')))
    assert next(d for d in deltas if isinstance(d, ToolCall)).arguments is None


async def test_lines_are_used_in_order_and_a_missing_one_is_an_error():
    model = ScriptedModel(["one", "two"])
    assert text_of(await run(model)) == "one"
    assert text_of(await run(model)) == "two"
    with pytest.raises(BadModelRequest, match="this is call 3"):
        await run(model)
    assert len(model.requests) == 3


async def test_an_unused_line_is_an_error():
    with (
        pytest.raises(BadModelRequest, match=r"1 of 2 script line\(s\) were never used"),
        ScriptedModel(["one", "two"]) as model,
    ):
        await run(model)


async def test_an_error_inside_the_block_is_not_hidden_by_unused_lines():
    with pytest.raises(KeyError), ScriptedModel(["one"]):
        raise KeyError("mine")


async def test_an_answer_can_break_after_some_deltas():
    deltas = ScriptedModel(Answer(text="a b c", fail=StreamBroken("cut"), fail_after=3)).stream(ask())
    seen = [await anext(deltas) for _ in range(3)]
    with pytest.raises(StreamBroken):
        await anext(deltas)
    assert text_of(seen) == "a "


async def test_a_text_script_starts_again_for_every_user_message():
    model = ScriptedModel.from_text('call get_weather {"city": "Oslo"} | It is 21 °C.')
    for _ in range(2):
        first = await run(model, ask())
        assert next(d for d in first if isinstance(d, ToolCall)).arguments == {"city": "Oslo"}
        assert text_of(await run(model, ask(answers=1))) == "It is 21 °C."
    assert text_of(await run(model, ask(answers=7))) == "It is 21 °C."


async def test_a_text_script_calls_several_tools_at_once():
    deltas = await run(ScriptedModel.from_text('call a {"x":1} & call b {"y":2}'))
    assert [d.name for d in deltas if isinstance(d, ToolCall)] == ["a", "b"]


async def test_a_text_script_can_echo_and_fail():
    assert text_of(await run(ScriptedModel.from_text("echo"), ask("say it"))) == "say it"
    model = ScriptedModel.from_text("fail rate-limited slow down")
    first, second = [], []
    for seen in (first, second):
        with pytest.raises(RateLimited, match="slow down") as caught:
            await run(model)
        seen.append(caught.value)
    assert first[0] is not second[0]


async def test_a_function_sees_the_request():
    async def later(request: ModelRequest) -> str:
        return f"{len(request.messages)} message(s)"

    assert text_of(await run(ScriptedModel(later))) == "1 message(s)"


@pytest.mark.parametrize("script", ["fail rate-limitd", "call a {nope", "call a [1]"])
def test_a_bad_text_script_is_refused_at_once(script):
    with pytest.raises(InvalidInput):
        ScriptedModel.from_text(script)


async def test_what_is_no_line_is_refused():
    with pytest.raises(BadDefinition, match="no line of a script"):
        await run(ScriptedModel(cast("Any", [42])))


async def test_a_line_break_inside_an_answer_is_escaped():
    model = ScriptedModel.from_text(r"one\ntwo \| three \\n | next")
    assert text_of(await run(model, ask())) == "one\ntwo | three \\n"
