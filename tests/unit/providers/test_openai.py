"""The Responses API: items in and out, thoughts carried along, tools that OpenAI runs."""

from __future__ import annotations

import base64

import pytest
from tests.unit.providers.requests import PIXEL, body_of, deltas_of, rich_request, shaped

from mastra.errors import ContentRefused, ModelUnavailable
from mastra.providers.openai import OpenAIResponses, make_openai
from mastra.providers.openai_chat import OpenAIChat
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import (
    GeneratedFile,
    ModelSettings,
    ReasoningDelta,
    ReasoningEnd,
    Source,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSpec,
)

encode = WIRE_FORMATS["openai-responses"].encode


def model(name: str = "gpt-5-mini") -> OpenAIResponses:
    return OpenAIResponses(name, api_key="k" * 20)


def event(kind, **payload):
    return kind, {"type": kind, **payload}


COMPLETED = event("response.completed", response={"id": "r", "status": "completed", "usage": {"input_tokens": 1}})


def test_an_endpoint_of_ones_own_speaks_chat_completions():
    assert isinstance(make_openai("gpt-5", url="http://127.0.0.1:1/v1"), OpenAIChat)
    assert isinstance(make_openai("gpt-5"), OpenAIResponses)


def test_the_conversation_as_items():
    body, _ = body_of(model(), rich_request())
    kinds = [item.get("type") or item["role"] for item in body["input"]]
    assert kinds == ["developer", "user", "reasoning", "assistant", "function_call", "function_call",
                     "function_call_output", "function_call_output", "user"]  # fmt: skip
    assert body["input"][2]["encrypted_content"] == "c2lnbmF0dXJl"
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]
    assert [tool["name"] for tool in body["tools"]] == ["a_search", "get_weather"]
    assert [tool["strict"] for tool in body["tools"]] == [False, True]


def test_a_reasoning_model_gets_no_temperature():
    body, warnings = body_of(model(), rich_request())
    assert "temperature" not in body
    assert "gpt-5-mini does not take temperature; it was left out." in warnings
    body, _ = body_of(model("gpt-4o"), rich_request())
    assert body["temperature"] == 0.5
    assert body["input"][0]["role"] == "system"


def test_effort_and_options_find_their_place():
    settings = ModelSettings(reasoning_effort="low", seed=1)
    options = {"openai": {"reasoningSummary": "auto", "textVerbosity": "low", "previousResponseId": "r0"}}
    body, warnings = body_of(model(), rich_request(settings=settings, provider_options=options))
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["text"] == {"verbosity": "low"}
    assert body["previous_response_id"] == "r0"
    assert "The Responses API does not take seed; it was left out." in warnings


def test_the_shape_of_the_answer():
    body, _ = body_of(model(), shaped("native"))
    assert body["text"]["format"]["strict"] is True
    body, _ = body_of(model(), shaped("tool"))
    assert body["tool_choice"] == "required"


def test_thoughts_come_with_what_openai_wants_back():
    deltas = deltas_of(
        model(),
        [
            event("response.created", response={"id": "r", "model": "m"}),
            event("response.output_item.added", output_index=0, item={"type": "reasoning", "id": "rs_1"}),
            event("response.reasoning_summary_part.added", summary_index=0),
            event("response.reasoning_summary_text.delta", delta="one"),
            event("response.reasoning_summary_part.added", summary_index=1),
            event("response.reasoning_summary_text.delta", delta="two"),
            event("response.output_item.done", output_index=0,
                  item={"type": "reasoning", "id": "rs_1", "encrypted_content": "enc"}),
            event("response.output_text.delta", delta="hi"),
            COMPLETED,
        ],
        encode,
    )  # fmt: skip
    assert "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)) == "one\n\ntwo"
    end = next(delta for delta in deltas if isinstance(delta, ReasoningEnd))
    assert (end.signature, end.provider_metadata) == ("enc", {"openai": {"itemId": "rs_1"}})


def test_a_call_whose_arguments_come_only_at_its_end_is_whole():
    item = {"type": "function_call", "id": "fc", "call_id": "c1", "name": "t", "arguments": '{"a":null}'}
    tool = ToolSpec("t", "", {"type": "object", "properties": {"a": {"type": "string"}}}, strict=True)
    deltas = deltas_of(
        model(),
        [event("response.output_item.done", output_index=0, item=item), COMPLETED],
        encode,
        rich_request(tools=(tool,)),
    )
    call = next(delta for delta in deltas if isinstance(delta, ToolCall))
    assert (call.call_id, call.arguments) == ("c1", {})


def test_tools_that_openai_ran_come_with_their_results_sources_and_files():
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    image = {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": base64.b64encode(PIXEL).decode(),
    }
    note = {"type": "url_citation", "url": "https://a.example", "title": "A"}
    deltas = deltas_of(
        model(),
        [
            event("response.output_item.done", output_index=0, item=search),
            event("response.output_item.done", output_index=1, item=image),
            event("response.output_text.delta", delta="hi"),
            event("response.output_text.annotation.added", annotation=note),
            COMPLETED,
        ],
        encode,
    )
    calls = [delta for delta in deltas if isinstance(delta, ToolCall)]
    assert [(call.name, call.provider_executed) for call in calls] == [("web_search", True), ("image_generation", True)]
    assert calls[0].arguments == {"type": "search", "query": "x"}
    assert [delta.name for delta in deltas if isinstance(delta, ToolResult)] == ["web_search", "image_generation"]
    assert [delta.data for delta in deltas if isinstance(delta, GeneratedFile)] == [PIXEL]
    assert [delta.url for delta in deltas if isinstance(delta, Source)] == ["https://a.example"]
    assert deltas[-1].reason == "stop"


def test_a_refusal_and_a_filter_are_named():
    deltas = deltas_of(model(), [event("response.refusal.delta", delta="No."), COMPLETED], encode)
    assert deltas[-1].reason == "content-filter"
    assert any(isinstance(delta, TextDelta) for delta in deltas)
    filtered = {"id": "r", "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    assert deltas_of(model(), [event("response.incomplete", response=filtered)], encode)[-1].reason == "content-filter"


def test_failures_are_errors():
    failed = {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "The server had an error"}}
    with pytest.raises(ModelUnavailable):
        deltas_of(model(), [event("response.failed", response=failed)], encode)
    failed["error"] = {"code": "content_filter", "message": "no"}
    with pytest.raises(ContentRefused):
        deltas_of(model(), [event("response.failed", response=failed)], encode)
