"""A chain of models: the next one is asked when one cannot answer."""

from __future__ import annotations

import pytest
from tests.unit.runtime.asking import ask, text_of

from mastra.errors import BadDefinition, ContentRefused, MissingKey, ModelTimeout, ModelUnavailable, StreamBroken
from mastra.runtime.fallback import Alternative, FallbackModel
from mastra.runtime.models import resolve_model
from mastra.testing import Answer, ScriptedModel


async def test_the_next_one_is_asked_and_told_what_happened():
    chain = FallbackModel(
        [ScriptedModel(ModelUnavailable("down")), ScriptedModel(MissingKey("none")), ScriptedModel("ok")]
    )
    assert text_of([delta async for delta in chain.stream(ask())]) == "ok"
    chain = FallbackModel([ScriptedModel(ModelUnavailable("a")), ScriptedModel(ModelUnavailable("b"))])
    with pytest.raises(ModelUnavailable, match="b") as caught:
        await anext(chain.stream(ask()))
    assert caught.value.details["fell_back_from"] == ["scripted/script: model-unavailable"]


async def test_a_refusal_is_the_same_everywhere():
    second = ScriptedModel("never")
    with pytest.raises(ContentRefused):
        await anext(FallbackModel([ScriptedModel(ContentRefused("no")), second]).stream(ask()))
    assert second.used == 0


async def test_after_the_first_word_there_is_no_way_back():
    second = ScriptedModel("never")
    first = ScriptedModel(Answer(text="a b", fail=StreamBroken("cut"), fail_after=3))
    stream = FallbackModel([first, second]).stream(ask())
    with pytest.raises(StreamBroken):
        [delta async for delta in stream]
    assert second.used == 0


async def test_a_run_whose_time_is_up_asks_nobody_else():
    second = ScriptedModel("never")
    late = ModelTimeout("late", details={"phase": "total"})
    with pytest.raises(ModelTimeout):
        await anext(FallbackModel([ScriptedModel(late), second]).stream(ask()))
    assert second.used == 0


async def test_disabled_ones_are_passed_over_and_retries_are_their_own():
    first, second = ScriptedModel("never"), ScriptedModel("ok")
    chain = FallbackModel([Alternative(model=first, enabled=False), Alternative(model=second, max_retries=7)])
    assert text_of([delta async for delta in chain.stream(ask())]) == "ok"
    assert first.used == 0
    assert second.requests[0].settings.max_retries == 7
    await chain.close()


async def test_a_list_is_a_chain():
    chain = resolve_model([{"model": "scripted/fail unavailable", "maxRetries": 1}, "scripted/ok"])
    assert text_of([delta async for delta in chain.stream(ask())]) == "ok"


def test_a_chain_of_nothing_is_refused():
    with pytest.raises(BadDefinition):
        FallbackModel([])
