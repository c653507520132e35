"""Mistral: other names, short ids, thoughts in parts."""

from __future__ import annotations

import re

from tests.unit.providers.requests import body_of, deltas_of, rich_request

from mastra.providers.mistral import Mistral
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import ModelRequest, ModelSettings, ReasoningDelta, Source, TextDelta
from mastra.types.prompt import FilePart, UserMessage

encode = WIRE_FORMATS["mistral"].encode


def test_ids_are_short_and_the_same_on_both_sides():
    body, _ = body_of(Mistral("mistral-large"), rich_request(tool_choice="required", settings=ModelSettings(seed=4)))
    calls = [call["id"] for call in body["messages"][2]["tool_calls"]]
    assert all(re.fullmatch("[A-Za-z0-9]{9}", call_id) for call_id in calls)
    assert calls == [message["tool_call_id"] for message in body["messages"][3:5]]
    assert len(set(calls)) == 2
    assert (body["tool_choice"], body["random_seed"]) == ("any", 4)
    assert "stream_options" not in body
    assert Mistral("m").call_id("abcDEF123") == "abcDEF123"


def test_thinking_is_a_mode():
    settings = ModelSettings(reasoning_effort="high")
    body, _ = body_of(Mistral("magistral-medium-latest"), rich_request(settings=settings))
    assert body["prompt_mode"] == "reasoning"
    body, warnings = body_of(Mistral("mistral-small-latest"), rich_request(settings=settings))
    assert "prompt_mode" not in body
    assert len(warnings) == 1


def test_documents_are_sent_by_url():
    request = ModelRequest(messages=(UserMessage((FilePart("https://a.example/x.pdf", "application/pdf"),)),))
    body, _ = body_of(Mistral("m"), request)
    assert body["messages"][0]["content"][0] == {"type": "document_url", "document_url": "https://a.example/x.pdf"}


def test_content_in_parts_is_read():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "yes"},
        {"type": "reference", "reference_ids": [1]},
    ]
    choice = {"index": 0, "delta": {"content": parts}, "finish_reason": "stop"}
    deltas = deltas_of(Mistral("m"), [("", {"id": "1", "choices": [choice]}), ("", "[DONE]")], encode)
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta | TextDelta)] == ["hm", "yes"]
    assert [delta.id for delta in deltas if isinstance(delta, Source)] == ["1"]
