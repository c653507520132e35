"""Chat Completions: request bodies, and the liberties that vendors take with answers."""

from __future__ import annotations

import base64

import pytest
from tests.unit.providers.requests import PIXEL, body_of, deltas_of, rich_request, shaped

from mastra.errors import ModelUnavailable, StreamBroken, Unsupported
from mastra.providers.openai_chat import Dialect, OpenAIChat, read_usage
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import (
    Finish,
    GeneratedFile,
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCall,
    ToolSpec,
)
from mastra.types.prompt import FilePart, TextPart, UserMessage

encode = WIRE_FORMATS["openai-chat"].encode


def model(**options) -> OpenAIChat:
    return OpenAIChat("gpt-4o", api_key="k" * 20, **options)


def chunk(delta, finish=None, **more):
    return "", {"id": "1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def test_the_conversation_in_openais_words():
    body, warnings = body_of(model(), rich_request())
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    _, user, assistant, first, second, _ = body["messages"]
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    assert assistant["content"] == "I look."
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "call_2"]
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"city":"Oslo"}'
    assert (first["content"], second["content"]) == ('{"temperature":21}', "it failed")
    assert body["max_completion_tokens"] == 100
    assert body["stop"] == ["END"]
    assert warnings == []


def test_strict_tools_are_rewritten_and_others_left_as_they_are():
    body, _ = body_of(model(), rich_request())
    search, weather = (tool["function"] for tool in body["tools"])
    assert weather["strict"] is True
    assert weather["parameters"]["required"] == ["city", "days"]
    assert "strict" not in search
    assert "$schema" not in weather["parameters"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        ("none", "none"),
        ("required", "required"),
        ("a_search", {"type": "function", "function": {"name": "a_search"}}),
    ],
)
def test_tool_choice(choice, sent):
    assert body_of(model(), rich_request(tool_choice=choice))[0].get("tool_choice") == sent


def test_the_shape_of_the_answer_in_three_ways():
    native, _ = body_of(model(), shaped("native"))
    assert native["response_format"]["json_schema"]["strict"] is True
    tool, _ = body_of(model(), shaped("tool", tools=()))
    assert tool["tool_choice"]["function"]["name"] == "response"
    assert [item["function"]["name"] for item in tool["tools"]] == ["response"]
    prompted, _ = body_of(model(), shaped("prompted"))
    assert prompted["response_format"] == {"type": "json_object"}
    assert '"answer"' in prompted["messages"][1]["content"]


def test_a_vendor_without_schemas_is_told_in_words():
    body, warnings = body_of(model(dialect=Dialect(output="json_object")), shaped("native"))
    assert body["response_format"] == {"type": "json_object"}
    assert '"answer"' in body["messages"][1]["content"]
    assert len(warnings) == 1


def test_what_a_vendor_refuses_is_left_out_with_a_warning():
    dialect = Dialect(drop=("seed",), rename={"stop": "stops"})
    body, warnings = body_of(
        model(dialect=dialect), rich_request(settings=ModelSettings(seed=1, stop_sequences=("x",)))
    )
    assert "seed" not in body
    assert body["stops"] == ["x"]
    assert warnings == ["openai-chat does not take seed; it was left out."]


def test_the_callers_options_are_passed_on_in_snake_case():
    body, _ = body_of(
        model(), rich_request(provider_options={"openai-chat": {"promptCacheKey": "k"}, "other": {"x": 1}})
    )
    assert body["prompt_cache_key"] == "k"
    assert "x" not in body


def test_a_file_that_cannot_be_sent_is_refused_before_anything_is_sent():
    request = ModelRequest(messages=(UserMessage((FilePart(b"x", "video/mp4"), TextPart("x"))),))
    with pytest.raises(Unsupported, match="video/mp4"):
        body_of(model(), request)


def test_empty_choices_null_deltas_and_unknown_fields_are_borne():
    deltas = deltas_of(
        model(),
        [
            ("", {"id": "1", "choices": [], "prompt_filter_results": [{}]}),
            ("", {"id": "1", "choices": [{"index": 0, "delta": None, "finish_reason": None}]}),
            chunk({"content": None}),
            chunk({"content": "hi"}, obfuscation="xyz"),
            ("", {"id": "1", "choices": [{"index": 1, "delta": {"content": "another"}}]}),
            chunk({}, "a_new_reason"),
            ("", "[DONE]"),
        ],
        encode,
    )
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "hi"
    assert (deltas[-1].reason, deltas[-1].raw_reason) == ("other", "a_new_reason")


def test_done_without_a_reason_is_no_end():
    with pytest.raises(StreamBroken):
        deltas_of(model(), [chunk({"content": "hi"}), ("", "[DONE]")], encode)


def test_a_reason_without_done_is_an_end():
    assert deltas_of(model(), [chunk({"content": "hi"}, "stop")], encode)[-1].reason == "stop"


def test_parallel_calls_are_kept_apart_by_index_and_by_id():
    by_index = [
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "x", "arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "y", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 1, "function": {"arguments": '{"n":2}'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
        chunk({}, "tool_calls"),
    ]
    same_index = [
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "x", "arguments": "{}"}}]}),
        chunk({"tool_calls": [{"index": 0, "id": "b", "function": {"name": "y", "arguments": '{"n":2}'}}]}),
        chunk({}, "stop"),
    ]
    for events in (by_index, same_index):
        deltas = deltas_of(model(), events, encode)
        calls = [(delta.call_id, delta.name, delta.arguments) for delta in deltas if isinstance(delta, ToolCall)]
        assert calls == [("a", "x", {}), ("b", "y", {"n": 2})]
        assert deltas[-1].reason == "tool-calls"


def test_the_nulls_of_strict_mode_do_not_reach_the_tool():
    tool = ToolSpec("t", "", {"type": "object", "properties": {"a": {"type": "string"}}}, strict=True)
    events = [chunk({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "t", "arguments": '{"a":null}'}}]}),
              chunk({}, "tool_calls")]  # fmt: skip
    deltas = deltas_of(model(), events, encode, rich_request(tools=(tool,)))
    assert next(delta for delta in deltas if isinstance(delta, ToolCall)).arguments == {}


def test_a_refusal_is_told_and_named():
    deltas = deltas_of(model(), [chunk({"refusal": "I can't."}), chunk({}, "stop")], encode)
    finish = deltas[-1]
    assert (finish.reason, finish.provider_metadata) == ("content-filter", {"openai-chat": {"refusal": "I can't."}})
    assert any(isinstance(delta, TextDelta) and delta.text == "I can't." for delta in deltas)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_come_before_the_text(field):
    deltas = deltas_of(model(), [chunk({field: "hm"}), chunk({"content": "yes"}), chunk({}, "stop")], encode)
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta | TextDelta)] == ["hm", "yes"]


def test_sources_and_pictures_are_found():
    picture = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    deltas = deltas_of(
        model(),
        [
            chunk(
                {"content": "x", "annotations": [{"type": "url_citation", "url_citation": {"url": "u1", "title": "t"}}]}
            ),
            chunk({}, citations=["u1", "u2"], search_results=[{"url": "u3", "title": "T"}]),
            chunk({"images": [{"type": "image_url", "image_url": {"url": picture}}]}),
            chunk({}, "stop"),
        ],
        encode,
    )
    assert [(delta.url, delta.title) for delta in deltas if isinstance(delta, Source)] == [
        ("u1", "t"),
        ("u2", ""),
        ("u3", "T"),
    ]
    assert [delta.data for delta in deltas if isinstance(delta, GeneratedFile)] == [PIXEL]


def test_an_error_instead_of_a_reason_is_an_error():
    with pytest.raises(ModelUnavailable):
        deltas_of(model(), [chunk({"content": "x"}), chunk({}, "error")], encode)


def test_usage_in_every_spelling():
    assert (
        read_usage({"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 3}).cached_input_tokens == 3
    )
    usage = read_usage({"prompt_tokens": 5, "completion_tokens": 2, "completion_tokens_details": None})
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (5, 2, None)


def test_groqs_usage_is_found():
    deltas = deltas_of(model(), [chunk({"content": "x"}, "stop", x_groq={"usage": {"prompt_tokens": 4}})], encode)
    assert isinstance(deltas[-1], Finish)
    assert deltas[-1].usage.input_tokens == 4
