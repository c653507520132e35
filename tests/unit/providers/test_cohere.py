"""Cohere: bodies, the plan before the calls, citations, ends."""

from __future__ import annotations

import pytest
from tests.unit.providers.requests import body_of, deltas_of, rich_request, shaped

from mastra.errors import ModelError
from mastra.providers.cohere import Cohere
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import ModelSettings, ReasoningDelta, Source

encode = WIRE_FORMATS["cohere"].encode


def model() -> Cohere:
    return Cohere("command-a-03-2025", api_key="k" * 20)


def event(kind, **payload):
    return kind, {"type": kind, **payload}


def test_the_conversation_in_coheres_words():
    body, _ = body_of(model(), rich_request(settings=ModelSettings(top_p=0.9, top_k=3, seed=1)))
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert body["messages"][2]["tool_plan"] == "I look."
    assert (body["p"], body["k"], body["seed"]) == (0.9, 3, 1)


def test_choices_and_shapes():
    body, _ = body_of(model(), rich_request(tool_choice="a_search"))
    assert body["tool_choice"] == "REQUIRED"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["a_search"]
    assert body_of(model(), rich_request(tool_choice="none"))[0]["tool_choice"] == "NONE"
    assert body_of(model(), shaped("native"))[0]["response_format"]["json_schema"]["type"] == "object"
    assert body_of(model(), shaped("tool"))[0]["tool_choice"] == "REQUIRED"


def test_the_plan_is_a_thought_and_citations_are_sources():
    citation = {"start": 0, "end": 2, "text": "hi",
                "sources": [{"type": "document", "id": "d1", "document": {"title": "T", "url": "https://a.example"}},
                            {"type": "tool", "id": "t1", "tool_output": {}}]}  # fmt: skip
    deltas = deltas_of(
        model(),
        [
            event("message-start", id="c"),
            event("tool-plan-delta", delta={"message": {"tool_plan": "I will look."}}),
            event("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}}),
            event("content-delta", index=0, delta={"message": {"content": {"text": "hi"}}}),
            event("citation-start", delta={"message": {"citations": citation}}),
            event("content-end", index=0),
            event("message-end", delta={"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3.0}}}),
        ],
        encode,
    )
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["I will look."]
    sources = [delta for delta in deltas if isinstance(delta, Source)]
    assert [(source.kind, source.url, source.title) for source in sources] == [
        ("url", "https://a.example", "T"),
        ("document", None, "t1"),
    ]
    assert deltas[-1].usage.input_tokens == 3


def test_an_answer_that_failed_is_an_error():
    with pytest.raises(ModelError):
        deltas_of(model(), [event("message-end", delta={"finish_reason": "ERROR", "error": "internal"})], encode)
    deltas = deltas_of(model(), [event("message-end", delta={"finish_reason": "ERROR_TOXIC"})], encode)
    assert deltas[-1].reason == "content-filter"
