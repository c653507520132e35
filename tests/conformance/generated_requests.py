"""Requests of every kind that an agent may make, generated: histories, files, calls, tools, shapes, knobs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mastra.types.model import ModelRequest, ModelSettings, OutputSpec, ToolSpec
from mastra.types.prompt import (
    AssistantMessage,
    FilePart,
    PromptMessage,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
)

PROVIDERS = ("openai", "anthropic", "google", "amazon-bedrock")
NAMES = ("get_weather", "a_search", "run")
_letters = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
words = st.text(_letters, min_size=1, max_size=12).filter(str.strip)
texts = words.map(TextPart)
pictures = st.just(FilePart(b"\x89PNG\r\n\x1a\nimage", "image/png"))
documents = st.just(FilePart(b"%PDF-1.7", "application/pdf", "paper.pdf"))
_LEAVES: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "enum": ["a", "b"]},
    {"type": "string", "format": "date", "minLength": 2},
    {"type": ["string", "null"]},
    {"type": "integer", "minimum": 0},
    {"type": "number"},
    {"type": "boolean"},
    {"const": "x"},
    {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    {"$ref": "#/$defs/Place"},
]
_leaves = st.sampled_from(_LEAVES)


@st.composite
def schemas(draw: Any) -> dict[str, Any]:
    """An object's schema with some optional properties, an inner object and a reference."""
    properties = draw(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), _leaves, max_size=3))
    if draw(st.booleans()):
        properties["inner"] = {"type": "object", "properties": {"x": draw(_leaves)}}
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    out: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    out["$defs"] = {"Place": {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"]}}
    if draw(st.booleans()):
        out["additionalProperties"] = False
    return out


_arguments = st.dictionaries(st.sampled_from(["a", "b"]), st.one_of(words, st.integers(-9, 9), st.none()), max_size=2)
_outputs = st.one_of(
    words,
    st.dictionaries(st.sampled_from(["t", "u"]), st.one_of(st.integers(-9, 9), words), max_size=2),
    st.lists(st.integers(0, 9), max_size=2),
    st.none(),
    st.tuples(texts, pictures),
)


@st.composite
def _rounds(draw: Any, provider: str, number: int) -> list[PromptMessage]:
    said: list[Any] = []
    if draw(st.booleans()):
        thinker = {draw(st.sampled_from(PROVIDERS)): {"itemId": "rs_1"}}
        said.append(ReasoningPart(draw(words), "c2lnbmF0dXJl", None, thinker))
    if provider != "openai" and draw(st.integers(0, 5)) == 0:
        said.append(ReasoningPart("", None, "c2VhbGVk", {provider: {}}))
    if draw(st.booleans()):
        said.append(draw(texts))
    calls = [
        ToolCallPart(f"call_{number}_{at}", draw(st.sampled_from(NAMES)), draw(_arguments))
        for at in range(draw(st.integers(0, 2)))
    ]
    said.extend(calls)
    if not said:
        said.append(draw(texts))
    out: list[PromptMessage] = [AssistantMessage(tuple(said))]
    if calls:
        results = tuple(ToolResultPart(c.call_id, c.name, draw(_outputs), draw(st.booleans())) for c in calls)
        out.append(ToolMessage(results))
    return out


@st.composite
def requests(draw: Any, provider: str, *, papers: bool = True) -> ModelRequest:
    """One request; `provider` is whose thoughts may stand in it, `papers` whether documents may."""
    user_parts = st.one_of(texts, pictures, documents) if papers else st.one_of(texts, pictures)
    users = st.lists(user_parts, min_size=1, max_size=2).map(lambda parts: UserMessage(tuple(parts)))
    messages: list[PromptMessage] = [SystemMessage(draw(words)) for _ in range(draw(st.integers(0, 2)))]
    for number in range(draw(st.integers(0, 2))):
        messages.append(draw(users))
        messages.extend(draw(_rounds(provider, number)))
    messages.append(draw(users))
    tools = tuple(
        ToolSpec(name, draw(words), draw(schemas()), strict=draw(st.booleans()))
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    )
    choices = ["auto", "none", "required", *(tool.name for tool in tools)] if tools else ["auto"]
    shape = None
    if draw(st.booleans()):
        shape = OutputSpec(draw(schemas()), mode=draw(st.sampled_from(["native", "tool", "prompted"])))

    def maybe(strategy: Any) -> Any:
        return draw(st.none() | strategy)

    settings = ModelSettings(
        temperature=maybe(st.floats(0, 1)),
        max_output_tokens=maybe(st.integers(1, 4000)),
        top_p=maybe(st.floats(0.1, 1)),
        top_k=maybe(st.integers(1, 40)),
        presence_penalty=maybe(st.floats(-1, 1)),
        frequency_penalty=maybe(st.floats(-1, 1)),
        stop_sequences=tuple(draw(st.lists(words, max_size=2))),
        seed=maybe(st.integers(0, 1000)),
        reasoning_effort=maybe(st.sampled_from(["low", "medium", "high"])),
        parallel_tool_calls=maybe(st.booleans()),
    )
    return ModelRequest(
        messages=tuple(messages), tools=tools, tool_choice=draw(st.sampled_from(choices)), output=shape,
        settings=settings,
    )  # fmt: skip
