"""A model that bears failures: retried until something was handed out, never afterwards."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.runtime.small_requests import ask, text_of

from mastra.errors import AuthFailed, ModelUnavailable, RateLimited, StreamBroken
from mastra.native.tokens import estimate_tokens
from mastra.runtime.breaker import CircuitBreaker
from mastra.runtime.resilience import Resilience, ResilientModel, request_tokens, resilient
from mastra.runtime.retries import RetryPolicy
from mastra.runtime.throttle import Throttle
from mastra.testing import Answer, HandClock, ScriptedModel
from mastra.types.model import Finish, ModelRequest, ModelSettings, ResponseStart
from mastra.types.prompt import SystemMessage, TextPart, ToolMessage, ToolResultPart, UserMessage


def made(*lines, **options) -> tuple[ResilientModel, ScriptedModel, HandClock]:
    clock = HandClock(jump=True)
    inner = ScriptedModel(lines)
    return ResilientModel(inner, Resilience(clock=clock, **options)), inner, clock


async def test_a_failure_before_anything_was_said_is_tried_again():
    model, inner, clock = made(ModelUnavailable("down"), RateLimited("slow", retry_after=2), "hello")
    deltas = [delta async for delta in model.stream(ask())]
    assert text_of(deltas) == "hello"
    assert sum(isinstance(delta, ResponseStart) for delta in deltas) == 1
    assert (inner.used, len(clock.slept)) == (3, 2)
    assert clock.slept[1] >= 2


async def test_a_failure_after_something_was_said_is_not():
    model, inner, _ = made(Answer(text="a b c", fail=StreamBroken("cut"), fail_after=4), "again")
    stream = model.stream(ask())
    with pytest.raises(StreamBroken) as caught:
        [delta async for delta in stream]
    assert inner.used == 1
    assert caught.value.details["delivered"] is True


async def test_a_failure_after_the_head_alone_is_tried_again():
    model, inner, _ = made(Answer(text="a", fail=StreamBroken("cut"), fail_after=1), "whole")
    assert text_of([delta async for delta in model.stream(ask())]) == "whole"
    assert inner.used == 2


async def test_what_cannot_get_better_fails_at_once():
    model, inner, clock = made(AuthFailed("no"), "never")
    with pytest.raises(AuthFailed):
        await anext(model.stream(ask()))
    assert (inner.used, clock.slept) == (1, [])


async def test_attempts_are_counted_and_the_call_may_ask_for_fewer():
    model, inner, _ = made(*[ModelUnavailable("down") for _ in range(9)])
    with pytest.raises(ModelUnavailable) as caught:
        await anext(model.stream(ask()))
    assert (inner.used, caught.value.details["attempts"]) == (3, 3)
    with pytest.raises(ModelUnavailable):
        await anext(model.stream(ask(settings=ModelSettings(max_retries=0))))
    assert inner.used == 4


async def test_a_breaker_that_is_open_asks_nobody():
    clock = HandClock(jump=True)
    breaker = CircuitBreaker("acme", failures=2, clock=clock)
    model, inner, _ = made(*[ModelUnavailable("down") for _ in range(9)], breaker=breaker)
    with pytest.raises(ModelUnavailable):
        await anext(model.stream(ask()))
    assert breaker.state == "open"
    used = inner.used
    with pytest.raises(ModelUnavailable, match="left alone"):
        await anext(model.stream(ask()))
    assert inner.used == used == 2


async def test_a_breaker_that_opens_between_attempts_shows_why():
    breaker = CircuitBreaker("acme", failures=1)
    model, inner, _ = made(ModelUnavailable("the reason"), "never", breaker=breaker)
    with pytest.raises(ModelUnavailable, match="left alone") as caught:
        await anext(model.stream(ask()))
    assert str(caught.value.__cause__).startswith("the reason")
    assert inner.used == 1


async def test_a_throttle_is_left_whatever_happens():
    throttle = Throttle(max_concurrent=1)
    model, _, _ = made("one two three", AuthFailed("no"), "four", throttle=throttle)
    stream = model.stream(ask())
    await anext(stream)
    assert throttle.active == 1
    await stream.aclose()
    with pytest.raises(AuthFailed):
        await anext(model.stream(ask()))
    assert text_of([delta async for delta in model.stream(ask())]) == "four"
    assert throttle.active == 0


async def test_a_storm_of_refusals_costs_little_more_than_the_calls():
    resilience = Resilience(clock=HandClock(jump=True), policy=RetryPolicy(max_attempts=5))
    calls = 0

    def refuse(request):
        nonlocal calls
        calls += 1
        return RateLimited("429", status=429, retry_after=1)

    inner = ScriptedModel(refuse, per_run=True)
    models = [ResilientModel(inner, resilience) for _ in range(100)]

    async def one(model) -> None:
        with pytest.raises(RateLimited):
            await anext(model.stream(ask()))

    await asyncio.gather(*(one(model) for model in models))
    assert calls <= 120


async def test_whole_calls_are_retried_too():
    resilience = Resilience(clock=HandClock(jump=True))
    answers = iter([ModelUnavailable("down"), "ok"])

    async def work():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await resilience.call(work, breaker=CircuitBreaker()) == "ok"


async def test_it_looks_like_the_model_inside():
    model, inner, _ = made("x")
    assert (model.provider, model.model_id, model.profile) == (inner.provider, inner.model_id, inner.profile)
    assert resilient(model) is model
    made_of = resilient(inner)
    assert isinstance(made_of, ResilientModel)
    assert made_of.inner is inner
    deltas = [delta async for delta in model.stream(ask())]
    assert isinstance(deltas[-1], Finish)
    await model.close()


def test_the_cost_of_a_request_is_estimated():
    messages = (
        SystemMessage("Be kind."),
        UserMessage((TextPart("Where is the harbour?"),)),
        ToolMessage((ToolResultPart("1", "t", "At the end of the street."),)),
    )
    request = ModelRequest(messages=messages, settings=ModelSettings(max_output_tokens=10))
    texts = ("Be kind.", "Where is the harbour?", "At the end of the street.")
    assert request_tokens(request) == sum(map(estimate_tokens, texts)) + 10


async def test_a_try_that_never_got_its_turn_leaves_the_next_one_free():
    clock = HandClock(jump=True)
    breaker = CircuitBreaker("acme", failures=1, open_s=30, clock=clock)
    throttle = Throttle(max_concurrent=1, clock=clock)
    model, _, _ = made(ModelUnavailable("down"), "back", breaker=breaker, throttle=throttle)
    with pytest.raises(ModelUnavailable):
        await anext(model.stream(ask(settings=ModelSettings(max_retries=0))))
    await clock.sleep(31)
    await throttle.enter()
    assert breaker.state == "half-open"
    with pytest.raises(RateLimited, match="queue"):
        await anext(model.stream(ask(deadline=clock.monotonic())))
    throttle.leave()
    assert text_of([delta async for delta in model.stream(ask())]) == "back"
    assert breaker.state == "closed"
