"""Gemini: parts, thoughts with signatures, grounding, blocks."""

from __future__ import annotations

import base64

import pytest
from tests.unit.providers.requests import PIXEL, body_of, deltas_of, rich_request, shaped

from mastra.providers.google import Google, read_usage
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import (
    GeneratedFile,
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    ReasoningEnd,
    Source,
    TextDelta,
    TextEnd,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from mastra.types.prompt import AssistantMessage, TextPart, ToolCallPart, UserMessage

encode = WIRE_FORMATS["google"].encode


def model(name: str = "gemini-3-flash") -> Google:
    return Google(name, api_key="k" * 20)


def chunk(*parts, finish=None, **more):
    candidate = {"content": {"role": "model", "parts": list(parts)}, **({"finishReason": finish} if finish else {})}
    return "", {"candidates": [{**candidate, **more}], "responseId": "r1"}


def test_the_conversation_in_googles_words():
    body, _ = body_of(model(), rich_request())
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
    asked, said, results = (content["parts"] for content in body["contents"])
    assert asked[1]["inlineData"] == {"mimeType": "image/png", "data": base64.b64encode(PIXEL).decode()}
    assert said[0] == {"text": "Let me look.", "thought": True, "thoughtSignature": "c2lnbmF0dXJl"}
    call = {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}}
    assert said[2] == {**call, "thoughtSignature": "skip_thought_signature_validator"}
    assert "thoughtSignature" not in said[3]
    assert results[0] == {"functionResponse": {"name": "get_weather", "response": {"temperature": 21}}}
    assert results[1] == {"functionResponse": {"name": "a_search", "response": {"error": "it failed"}}}
    assert results[2] == {"text": "And now?"}
    assert body["generationConfig"]["maxOutputTokens"] == 100


@pytest.mark.parametrize(
    ("name", "told"),
    [("gemini-2.5-pro", False), ("models/gemini-2.0-flash", False), ("gemma-3-27b-it", False),
     ("gemini-3.8-flash", True), ("gemini-4-argon", True), ("gemini-flash-latest", True)],
)  # fmt: skip
def test_only_newer_models_are_told_that_a_call_is_not_theirs(name, told):
    body, _ = body_of(model(name), rich_request())
    assert ("skip_thought_signature_validator" in str(body)) == told


def test_the_key_is_in_a_header_and_never_in_the_path():
    assert "k" * 20 not in model().path(rich_request())
    assert model().path(rich_request()) == "/models/gemini-3-flash:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", None), ("none", {"mode": "NONE"}), ("required", {"mode": "ANY"}),
     ("a_search", {"mode": "ANY", "allowedFunctionNames": ["a_search"]})],
)  # fmt: skip
def test_tool_choice(choice, sent):
    config = body_of(model(), rich_request(tool_choice=choice))[0].get("toolConfig")
    assert (config or {}).get("functionCallingConfig") == sent


def test_effort_is_a_level_or_a_budget():
    settings = ModelSettings(reasoning_effort="low")
    new, _ = body_of(model(), rich_request(settings=settings))
    old, _ = body_of(model("gemini-2.5-flash"), rich_request(settings=settings))
    assert new["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingLevel": "low"}
    assert old["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 1024}


def test_the_shape_of_the_answer_and_options():
    options = {"google": {"safetySettings": [{"x": 1}], "responseModalities": ["TEXT"]}}
    body, _ = body_of(model(), shaped("native", provider_options=options))
    config = body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseSchema"]["required"] == ["answer", "score"]
    assert config["responseModalities"] == ["TEXT"]
    assert body["safetySettings"] == [{"x": 1}]


def test_googles_own_tools_stand_beside_functions():
    search = ToolSpec("search", "", {}, provider_type="googleSearch")
    body, _ = body_of(model(), rich_request(tools=(search, ToolSpec("f", "x", {"type": "object", "properties": {}}))))
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "description": "x"}]}, {"googleSearch": {}}]


def test_signatures_go_back_where_they_came_from():
    signed = {"google": {"thoughtSignature": "sig"}}
    said = AssistantMessage((TextPart("", signed), ToolCallPart("c", "f", {}, provider_options=signed)))
    body, _ = body_of(model(), ModelRequest(messages=(UserMessage((TextPart("x"),)), said)))
    assert body["contents"][1]["parts"] == [
        {"text": "", "thoughtSignature": "sig"},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "sig"},
    ]


def test_thoughts_calls_and_signatures_come_apart():
    deltas = deltas_of(
        model(),
        [
            chunk({"text": "hm", "thought": True}),
            chunk({"text": "so", "thought": True, "thoughtSignature": "t1"}),
            chunk({"text": "hi"}),
            chunk({"text": "", "thoughtSignature": "t2"}),
            chunk({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "t3"}),
            chunk({"functionCall": {"name": "g"}}, finish="STOP"),
        ],
        encode,
    )
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["hm", "so"]
    assert next(delta for delta in deltas if isinstance(delta, ReasoningEnd)).signature == "t1"
    assert next(delta for delta in deltas if isinstance(delta, TextEnd)).provider_metadata == {
        "google": {"thoughtSignature": "t2"}
    }
    calls = [delta for delta in deltas if isinstance(delta, ToolCall)]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == [
        ("call_r1_0", "f", {"a": 1}),
        ("call_r1_1", "g", {}),
    ]
    assert calls[0].provider_metadata == {"google": {"thoughtSignature": "t3"}}
    assert deltas[-1].reason == "tool-calls"


def test_a_blocked_prompt_is_an_end_with_a_reason():
    deltas = deltas_of(model(), [("", {"promptFeedback": {"blockReason": "SAFETY"}})], encode)
    assert (deltas[-1].reason, deltas[-1].raw_reason) == ("content-filter", "SAFETY")


@pytest.mark.parametrize(
    ("raw", "reason"), [("SAFETY", "content-filter"), ("MALFORMED_FUNCTION_CALL", "error"), ("NEW_ONE", "other")]
)
def test_finish_reasons(raw, reason):
    assert deltas_of(model(), [chunk({"text": "x"}, finish=raw)], encode)[-1].reason == reason


def test_code_files_and_sources_are_found():
    web = {"web": {"uri": "https://a.example", "title": "A"}}
    deltas = deltas_of(
        model(),
        [
            chunk({"executableCode": {"language": "PYTHON", "code": "1"}}),
            chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
            chunk({"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PIXEL).decode()}}),
            chunk({"text": "x"}, finish="STOP", groundingMetadata={"groundingChunks": [web, web]}),
        ],
        encode,
    )
    assert next(delta for delta in deltas if isinstance(delta, ToolCall)).provider_executed
    assert next(delta for delta in deltas if isinstance(delta, ToolResult)).result["output"] == "1"
    assert [delta.data for delta in deltas if isinstance(delta, GeneratedFile)] == [PIXEL]
    assert [delta.url for delta in deltas if isinstance(delta, Source)] == ["https://a.example"]
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["x"]


def test_usage_counts_thoughts_as_output():
    usage = read_usage({"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3})
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (5, 5, 3)
