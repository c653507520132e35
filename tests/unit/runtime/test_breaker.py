"""The circuit breaker: closed, open, half-open."""

from __future__ import annotations

import logging

import pytest

from mastra.errors import BadDefinition, BadModelRequest, ModelUnavailable, RateLimited
from mastra.runtime.breaker import CircuitBreaker
from mastra.testing import HandClock


async def test_failures_in_a_row_open_it_and_one_call_tries_after_a_while():
    clock = HandClock()
    breaker = CircuitBreaker("acme/m", failures=3, open_s=10, clock=clock)
    for _ in range(3):
        breaker.admit()
        breaker.failed(ModelUnavailable("x"))
    assert (breaker.state, breaker.failures) == ("open", 3)
    with pytest.raises(ModelUnavailable, match="acme/m failed 3 times") as caught:
        breaker.admit()
    assert caught.value.retry_after == 10
    await clock.advance(10)
    assert breaker.state == "half-open"
    breaker.admit()
    with pytest.raises(ModelUnavailable):
        breaker.admit()
    breaker.failed(ModelUnavailable("x"))
    assert breaker.state == "open"
    await clock.advance(10)
    breaker.admit()
    breaker.succeeded()
    assert (breaker.state, breaker.failures) == ("closed", 0)


def test_a_success_between_failures_keeps_it_closed():
    breaker = CircuitBreaker(failures=2)
    for _ in range(5):
        breaker.failed(ModelUnavailable("x"))
        breaker.succeeded()
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", [RateLimited("x", status=429), BadModelRequest("x", status=400), KeyError("mine")])
def test_who_answers_is_not_down(error):
    breaker = CircuitBreaker(failures=1)
    breaker.failed(error)
    assert breaker.state == "closed"


async def test_a_try_that_was_given_up_leaves_the_next_one_free():
    clock = HandClock()
    breaker = CircuitBreaker(failures=1, open_s=1, clock=clock)
    breaker.failed(ModelUnavailable("x"))
    await clock.advance(1)
    breaker.admit()
    breaker.failed(GeneratorExit())
    breaker.admit()


def test_an_impossible_breaker_is_refused():
    with pytest.raises(BadDefinition):
        CircuitBreaker(failures=0)


def test_what_happens_to_the_circuit_is_logged_once(caplog):
    clock = HandClock()
    breaker = CircuitBreaker("acme/m", failures=2, clock=clock)
    with caplog.at_level(logging.INFO, "mastra.models"):
        for _ in range(4):
            breaker.failed(ModelUnavailable("down: sk-canary"))
        breaker.succeeded()
        breaker.succeeded()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "acme/m failed 2 times in a row (model-unavailable)" in caplog.text
    assert "canary" not in caplog.text
