"""A chain of models: the next one is asked when one cannot answer."""

from __future__ import annotations

import pytest
from tests.unit.runtime.small_requests import ask, text_of

from mastra.errors import BadDefinition, ContentRefused, MissingKey, ModelTimeout, ModelUnavailable, StreamBroken
from mastra.runtime.breaker import CircuitBreaker
from mastra.runtime.fallback import Alternative, FallbackModel
from mastra.runtime.models import resolve_model
from mastra.runtime.resilience import Resilience, ResilientModel
from mastra.runtime.retries import RetryBudget, RetryPolicy
from mastra.testing import Answer, HandClock, ScriptedModel
from mastra.types.model import ModelProfile, OutputSpec, ToolSpec


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


TOOL = ToolSpec("look", "Look.", {"type": "object", "properties": {}})


@pytest.mark.parametrize(
    ("asked", "profile", "tools", "wanted"),
    [
        ("native", ModelProfile(), (), "native"),
        ("native", ModelProfile(native_output=False), (), "tool"),
        ("native", ModelProfile(native_output=False, tools=False), (), "prompted"),
        ("native", ModelProfile(output_with_tools=False), (TOOL,), "prompted"),
        ("tool", ModelProfile(native_output=False), (TOOL,), "tool"),
        ("tool", ModelProfile(tools=False), (), "native"),
        ("prompted", ModelProfile(), (), "prompted"),
    ],
)
async def test_each_model_is_asked_for_the_shape_in_its_own_way(asked, profile, tools, wanted):
    second = ScriptedModel("{}", profile=profile)
    chain = FallbackModel([ScriptedModel(ModelUnavailable("down")), second])
    output = OutputSpec({"type": "object"}, mode=asked)
    assert text_of([delta async for delta in chain.stream(ask(output=output, tools=tools))]) == "{}"
    sent = second.requests[0].output
    assert sent is not None
    assert sent.mode == wanted


async def test_a_chain_in_a_storm_costs_each_provider_little_more_than_the_calls():
    asked = [0, 0, 0]

    def down(at):
        def refuse(request):
            asked[at] += 1
            return ModelUnavailable("down", status=503)

        return refuse

    def resilience():
        # No breaker opens here: it is the budget alone that holds.
        breaker = CircuitBreaker("never", failures=10_000)
        policy, clock = RetryPolicy(max_attempts=5), HandClock(jump=True)
        return Resilience(clock=clock, policy=policy, budget=RetryBudget(share=0.1, reserve=10), breaker=breaker)

    models = [ScriptedModel([down(at)] * 2000) for at in range(3)]
    chain = FallbackModel([ResilientModel(model, resilience()) for model in models])
    for _ in range(500):
        with pytest.raises(ModelUnavailable):
            await anext(chain.stream(ask()))
    # A call each, a tenth of retries, and the reserve.
    assert all(500 <= count <= 500 + 50 + 10 for count in asked), asked
