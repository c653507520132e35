"""A request that uses everything at once, for the tests of request bodies."""

from __future__ import annotations

from typing import Any

from mastra.types.model import ModelRequest, ModelSettings, OutputSpec, ToolSpec
from mastra.types.prompt import (
    AssistantMessage,
    FilePart,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
)

PIXEL = b"\x89PNG\r\n\x1a\nimage"
WEATHER = ToolSpec(
    "get_weather",
    "The weather in a city.",
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "integer", "default": 1}},
        "required": ["city"],
    },
    strict=True,
)
SEARCH = ToolSpec("a_search", "Search.", {"type": "object", "properties": {"q": {"type": "string"}}})
# Everybody's thought at once: each provider sees its own signature in it.
THOUGHT_BY: dict[str, dict[str, Any]] = {
    "openai": {"itemId": "rs_1"}, "anthropic": {}, "google": {}, "amazon-bedrock": {},
}  # fmt: skip
SHAPE = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "score": {"type": "number"}},
    "required": ["answer", "score"],
}


def rich_request(**more: Any) -> ModelRequest:
    """Instructions, a picture, a thought, two calls with results, tools, knobs."""
    given: dict[str, Any] = {
        "messages": (
            SystemMessage("Be brief."),
            UserMessage((TextPart("What is this?"), FilePart(PIXEL, "image/png"))),
            AssistantMessage(
                (
                    ReasoningPart("Let me look.", "c2lnbmF0dXJl", provider_options=THOUGHT_BY),
                    TextPart("I look."),
                    ToolCallPart("call_1", "get_weather", {"city": "Oslo"}),
                    ToolCallPart("call_2", "a_search", {"q": "x"}),
                )
            ),
            ToolMessage(
                (
                    ToolResultPart("call_1", "get_weather", {"temperature": 21}),
                    ToolResultPart("call_2", "a_search", "it failed", is_error=True),
                )
            ),
            UserMessage((TextPart("And now?"),)),
        ),
        "tools": (WEATHER, SEARCH),
        "settings": ModelSettings(temperature=0.5, top_p=0.9, max_output_tokens=100, stop_sequences=("END",)),
    }
    given.update(more)
    return ModelRequest(**given)


def shaped(mode: str, **more: Any) -> ModelRequest:
    """A request for an answer of a certain shape."""
    return rich_request(output=OutputSpec(SHAPE, mode=mode), **more)  # type: ignore[arg-type]  # a mode


def body_of(model: Any, request: ModelRequest) -> tuple[dict[str, Any], list[str]]:
    """The body that a model would send, and its warnings."""
    warnings: list[str] = []
    return model.body(request, warnings), warnings


def deltas_of(model: Any, events: list[Any], encode: Any, request: ModelRequest | None = None) -> list[Any]:
    """What a model reads out of events; raises what it fails with."""
    reader = model.reader(request or rich_request())
    deltas = reader.feed(encode(events))
    if not reader.ended:
        deltas += reader.end()
    if reader.failure is not None:
        raise reader.failure
    return deltas
