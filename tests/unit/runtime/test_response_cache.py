"""A model that remembers its answers, exactly."""

from __future__ import annotations

import pytest
from tests.unit.runtime.small_requests import ask, text_of
from tests.unit.runtime.test_embedding_cache import Shelf

from mastra.errors import StreamBroken
from mastra.runtime.response_cache import CachedModel, read_deltas, write_deltas
from mastra.testing import Answer, Call, ScriptedModel
from mastra.types.model import Finish, GeneratedFile, ModelSettings, Source, ToolSpec
from mastra.types.prompt import FilePart, TextPart, UserMessage
from mastra.types.usage import Usage

RICH = Answer(
    text="hello world",
    reasoning="hm",
    signature="s",
    calls=(Call("t", {"a": 1}),),
    files=(GeneratedFile(b"\x00\xff", "x/y"),),
    sources=(Source("1", "url", "T", "https://a.example"),),
    usage=Usage(3, 4, raw={"a": 1}),
)


async def collect(model, request):
    return [delta async for delta in model.stream(request)]


async def test_the_same_question_is_asked_once_and_costs_once():
    inner = ScriptedModel([RICH])
    model = CachedModel(inner, Shelf())
    first = await collect(model, ask())
    again = await collect(model, ask(deadline=5.0, settings=ModelSettings(headers={"x": "1"}, timeout_s=3)))
    assert inner.used == 1
    assert again[1:-1] == first[1:-1]
    finish = again[-1]
    assert isinstance(finish, Finish)
    assert finish.usage == Usage()
    assert finish.provider_metadata["mastra"]["usage"]["inputTokens"] == 3


@pytest.mark.parametrize(
    "other",
    [
        ask("Other"),
        ask(settings=ModelSettings(temperature=0.1)),
        ask(tools=(ToolSpec("t", "", {}),)),
        ask(provider_options={"a": {"b": 1}}),
        ask().__class__(messages=(UserMessage((TextPart("Hi"), FilePart(b"x", "image/png"))),)),
    ],
)
async def test_another_question_is_another_question(other):
    inner = ScriptedModel(["one", "two"])
    model = CachedModel(inner, Shelf())
    await collect(model, ask())
    assert text_of(await collect(model, other)) == "two"


async def test_scopes_are_kept_apart():
    shelf, inner = Shelf(), ScriptedModel(["one", "two"])
    assert text_of(await collect(CachedModel(inner, shelf, scope="a"), ask())) == "one"
    assert text_of(await collect(CachedModel(inner, shelf, scope="b"), ask())) == "two"


@pytest.mark.parametrize("line", [Answer(text="cut", finish="length"), Answer(text="no", finish="content-filter")])
async def test_an_answer_that_is_not_whole_is_not_kept(line):
    inner = ScriptedModel([line, "whole"])
    model = CachedModel(inner, Shelf())
    await collect(model, ask())
    assert text_of(await collect(model, ask())) == "whole"


async def test_a_failure_is_not_kept_and_damage_is_passed_over():
    shelf = Shelf()
    model = CachedModel(ScriptedModel([StreamBroken("cut"), "whole", "new"]), shelf)
    with pytest.raises(StreamBroken):
        await collect(model, ask())
    await collect(model, ask())
    shelf.kept = dict.fromkeys(shelf.kept, b'[["Nope", 1]]')
    assert text_of(await collect(model, ask())) == "new"
    assert read_deltas(write_deltas([])) is None
    await model.close()
