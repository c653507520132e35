"""Messages: blocks, cache marks, thinking with signatures, tools that Anthropic runs."""

from __future__ import annotations

import pytest
from tests.unit.providers.requests import body_of, deltas_of, rich_request, shaped

from mastra.errors import AuthFailed, RateLimited
from mastra.providers.anthropic import Anthropic, read_usage
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import (
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    ReasoningEnd,
    Source,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from mastra.types.prompt import AssistantMessage, FilePart, ReasoningPart, SystemMessage, TextPart, UserMessage

encode = WIRE_FORMATS["anthropic"].encode


def model(name: str = "claude-sonnet-4-5") -> Anthropic:
    return Anthropic(name, api_key="k" * 20)


def event(kind, **payload):
    return kind, {"type": kind, **payload}


START = event("message_start", message={"id": "m", "model": "c", "usage": {"input_tokens": 1}})
END = (event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1}), event("message_stop"))


def test_the_conversation_in_anthropics_words():
    body, warnings = body_of(model(), rich_request())
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    said = body["messages"][1]["content"]
    assert [block["type"] for block in said] == ["thinking", "text", "tool_use", "tool_use"]
    assert said[0]["signature"] == "c2lnbmF0dXJl"
    results = body["messages"][2]["content"]
    assert [block["type"] for block in results] == ["tool_result", "tool_result", "text"]
    assert results[1]["is_error"] is True
    assert body["max_tokens"] == 100
    assert list(body).index("tools") < list(body).index("system") < list(body).index("messages")
    assert warnings == []


def test_a_limit_is_always_sent():
    assert body_of(model(), rich_request(settings=ModelSettings()))[0]["max_tokens"] == 8192
    assert body_of(model("claude-3-haiku"), rich_request(settings=ModelSettings()))[0]["max_tokens"] == 4096


def test_cache_marks_stand_where_the_caller_put_them():
    mark = {"anthropic": {"cacheControl": {"type": "ephemeral"}}}
    tool = ToolSpec("t", "x", {"type": "object"}, provider_options=mark)
    request = ModelRequest(
        messages=(
            SystemMessage("Static.", provider_options=mark),
            SystemMessage("Dynamic."),
            UserMessage((TextPart("a"), TextPart("b")), provider_options=mark),
        ),
        tools=(tool,),
    )
    body, _ = body_of(model(), request)
    expected = {"type": "ephemeral"}
    assert body["tools"][0]["cache_control"] == expected
    assert ["cache_control" in block for block in body["system"]] == [True, False]
    assert ["cache_control" in block for block in body["messages"][0]["content"]] == [False, True]


def test_thinking_makes_room_for_itself_and_takes_knobs_away():
    options = {"anthropic": {"thinking": {"type": "enabled", "budgetTokens": 2000}}}
    body, warnings = body_of(model(), rich_request(provider_options=options, tool_choice="required"))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 2100
    assert "temperature" not in body
    assert body["tool_choice"] == {"type": "auto"}
    assert len(warnings) == 3


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", None), ("none", {"type": "none"}), ("required", {"type": "any"}),
     ("a_search", {"type": "tool", "name": "a_search"})],
)  # fmt: skip
def test_tool_choice(choice, sent):
    assert body_of(model(), rich_request(tool_choice=choice))[0].get("tool_choice") == sent


def test_calls_one_at_a_time():
    body, _ = body_of(model(), rich_request(settings=ModelSettings(parallel_tool_calls=False)))
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_the_shape_of_the_answer_in_three_ways():
    assert body_of(model(), shaped("native"))[0]["output_config"]["format"]["type"] == "json_schema"
    body, _ = body_of(model(), shaped("tool", tools=()))
    assert body["tool_choice"] == {"type": "tool", "name": "response"}
    body, _ = body_of(model(), shaped("prompted"))
    assert '"answer"' in body["system"][1]["text"]


@pytest.mark.parametrize(
    ("name", "takes"),
    [("claude-sonnet-4-5-20250929", True), ("claude-opus-4-20250514", True), ("claude-3-5-haiku-latest", True),
     ("claude-opus-4-6", True), ("claude-opus-4-7", False), ("claude-opus-5", False), ("somebody-elses", True)],
)  # fmt: skip
def test_newer_models_are_not_told_how_daring_to_be(name, takes):
    body, warnings = body_of(model(name), rich_request())
    assert ("temperature" in body) is takes
    assert len(warnings) == (0 if takes else 2)


def test_what_anthropic_does_not_know_is_named():
    _, warnings = body_of(model(), rich_request(settings=ModelSettings(seed=1, presence_penalty=0.1)))
    assert len(warnings) == 2


def test_a_thought_without_its_signature_is_not_sent_back():
    request = ModelRequest(messages=(
        UserMessage((FilePart(b"%PDF", "application/pdf", "a.pdf"),)),
        AssistantMessage((ReasoningPart("mine"), ReasoningPart("", redacted_data="xx"), TextPart("so. "))),
    ))  # fmt: skip
    body, _ = body_of(model(), request)
    assert body["messages"][0]["content"][0]["title"] == "a.pdf"
    assert body["messages"][1]["content"] == [
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "text", "text": "so."},
    ]


def test_thinking_comes_with_its_signature_and_hidden_thoughts_with_their_data():
    deltas = deltas_of(
        model(),
        [
            START,
            event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
            event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"}),
            event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "ab"}),
            event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "cd"}),
            event("content_block_stop", index=0),
            event("content_block_start", index=1, content_block={"type": "redacted_thinking", "data": "xx"}),
            event("content_block_stop", index=1),
            *END,
        ],
        encode,
    )
    ends = [delta for delta in deltas if isinstance(delta, ReasoningEnd)]
    assert [(end.signature, end.redacted_data) for end in ends] == [("abcd", None), (None, "xx")]
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["hm"]


def test_a_search_that_anthropic_ran_comes_with_result_and_sources():
    found = {"type": "web_search_result", "url": "https://a.example", "title": "A"}
    deltas = deltas_of(
        model(),
        [
            START,
            event("content_block_start", index=0,
                  content_block={"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}),
            event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": '{"query":"x"}'}),
            event("content_block_stop", index=0),
            event("content_block_start", index=1,
                  content_block={"type": "web_search_tool_result", "tool_use_id": "s1", "content": [found]}),
            event("content_block_stop", index=1),
            *END,
        ],
        encode,
    )  # fmt: skip
    call = next(delta for delta in deltas if isinstance(delta, ToolCall))
    assert (call.name, call.arguments, call.provider_executed) == ("web_search", {"query": "x"}, True)
    assert next(delta for delta in deltas if isinstance(delta, ToolResult)).call_id == "s1"
    assert next(delta for delta in deltas if isinstance(delta, Source)).url == "https://a.example"
    assert deltas[-1].reason == "stop"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("refusal", "content-filter"), ("pause_turn", "other"), ("model_context_window_exceeded", "length"),
     ("stop_sequence", "stop"), ("something_new", "other")],
)  # fmt: skip
def test_stop_reasons(raw, reason):
    deltas = deltas_of(
        model(), [START, event("message_delta", delta={"stop_reason": raw}), event("message_stop")], encode
    )
    assert (deltas[-1].reason, deltas[-1].raw_reason) == (reason, raw)


@pytest.mark.parametrize(("kind", "error"), [("rate_limit_error", RateLimited), ("authentication_error", AuthFailed)])
def test_error_events(kind, error):
    with pytest.raises(error):
        deltas_of(model(), [START, event("error", error={"type": kind, "message": "m"})], encode)


def test_usage_counts_the_cache_as_input():
    usage = read_usage({"input_tokens": 1, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 100})
    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_creation_input_tokens) == (111, 10, 100)
