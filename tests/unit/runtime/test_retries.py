"""When a call is made again, and how long is waited before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import AuthFailed, BadDefinition, ModelUnavailable, RateLimited
from mastra.runtime.retries import NO_RETRIES, RetryBudget, RetryPolicy, wait_before_retry
from mastra.testing import HandClock

POLICY = RetryPolicy(max_attempts=5, first_wait_s=1, longest_wait_s=8)


def wait(error, attempt=1, *, policy=POLICY, budget=None, deadline=None, share=1.0):
    return wait_before_retry(
        error, attempt, policy=policy, budget=budget or RetryBudget(), clock=HandClock(monotonic=100.0),
        deadline=deadline, jitter=lambda low, high: low + (high - low) * share,
    )  # fmt: skip


def test_the_wait_doubles_up_to_a_ceiling():
    assert [wait(ModelUnavailable("x"), attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert wait(ModelUnavailable("x"), 4, share=0.0) == 0


@given(st.integers(1, 4), st.floats(0, 1))
def test_the_wait_is_anything_between_nothing_and_the_ceiling(attempt, share):
    assert 0 <= wait(ModelUnavailable("x"), attempt, share=share) <= min(8, 2 ** (attempt - 1))


def test_who_asks_for_patience_never_gets_less():
    assert wait(RateLimited("x", retry_after=7), share=0.0) == 7
    assert 7 <= wait(RateLimited("x", retry_after=7)) <= 8


def test_what_cannot_get_better_is_not_tried_again():
    assert wait(AuthFailed("x")) is None
    assert wait(ModelUnavailable("x"), 5) is None
    assert wait(ModelUnavailable("x"), policy=NO_RETRIES) is None


def test_a_wait_past_the_deadline_is_not_begun():
    error = RateLimited("x", retry_after=3600)
    assert wait(error, deadline=160.0) is None
    assert "3600 s" in str(error)
    assert wait(ModelUnavailable("x"), deadline=100.5) is None
    assert wait(ModelUnavailable("x"), deadline=102.0) == 1


def test_without_a_deadline_patience_has_an_end_too():
    assert wait(RateLimited("x", retry_after=61)) is None
    assert wait(RateLimited("x", retry_after=59)) is not None


def test_an_empty_budget_stops_retries_until_calls_fill_it():
    budget = RetryBudget(share=0.1, reserve=1)
    assert wait(ModelUnavailable("x"), budget=budget) is not None
    error = ModelUnavailable("x")
    assert wait(error, budget=budget) is None
    assert "being retried already" in error.details["not_retried"]
    for _ in range(11):
        budget.earn()
    assert budget.left == 1
    assert wait(ModelUnavailable("x"), budget=budget) is not None


def test_a_storm_is_not_made_worse():
    budget = RetryBudget()
    retries = 0
    for _ in range(1000):
        budget.earn()
        while wait(ModelUnavailable("x"), budget=budget) is not None:
            retries += 1
    assert retries <= 1000 * 0.1 + 10


@pytest.mark.parametrize("given_wrong", [{"max_attempts": 0}, {"first_wait_s": -1}])
def test_an_impossible_policy_is_refused(given_wrong):
    with pytest.raises(BadDefinition):
        RetryPolicy(**given_wrong)
    with pytest.raises(BadDefinition):
        RetryBudget(share=2)
