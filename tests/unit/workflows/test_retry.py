"""When a failed step is tried again: which rule counts, how long the pause is, what is never repeated."""

import pytest

from mastra.errors import BadDefinition, InvalidInput, NotSerialisable, RateLimited
from mastra.workflows.retry import Retry, next_pause, rules


def test_a_pause_grows_up_to_its_limit():
    rule = Retry(attempts=9, delay=1, backoff=3, max_delay=20, jitter=0)
    assert [rule.pause(attempt, ValueError()) for attempt in (1, 2, 3, 4, 5)] == [1, 3, 9, 20, 20]
    # A number of tries that would not fit a float is no reason to fail.
    assert rule.pause(10**9, ValueError()) == 20


def test_jitter_spreads_pauses_around_the_middle():
    rule = Retry(delay=10, backoff=1, jitter=0.5)
    pauses = [rule.pause(1, ValueError()) for _ in range(500)]
    assert 5 <= min(pauses) < 7
    assert 13 < max(pauses) <= 15


def test_who_is_asked_to_wait_waits_at_least_that_long():
    error = RateLimited("later", retry_after=7)
    assert Retry(delay=1, jitter=0).pause(1, error) == 7
    assert Retry(delay=60, jitter=0).pause(1, error) == 60


def test_the_first_rule_that_fits_the_error_counts():
    given = rules([Retry(attempts=1, on=KeyError), Retry(attempts=3, delay=2, jitter=0, on=(LookupError, OSError))])
    assert next_pause(given, 1, KeyError()) == 0
    assert next_pause(given, 2, KeyError()) is None
    assert next_pause(given, 2, IndexError()) == 4
    assert next_pause(given, 4, OSError()) is None
    assert next_pause(given, 1, ValueError()) is None


@pytest.mark.parametrize("error", [InvalidInput("no"), NotSerialisable("no"), BadDefinition("no")])
def test_what_fails_the_same_way_each_time_is_not_repeated(error):
    assert next_pause(rules(5), 1, error) is None


def test_a_number_stands_for_a_rule_without_a_pause():
    assert rules(None) == rules(0) == ()
    [rule] = rules(2)
    assert (rule.attempts, rule.pause(1, ValueError())) == (2, 0)


@pytest.mark.parametrize("spec", [True, "3", 2.5, {"attempts": 1}, [3], [Retry(), "3"]])
def test_what_is_no_rule_is_refused(spec):
    with pytest.raises(BadDefinition):
        rules(spec)


@pytest.mark.parametrize(
    "facts", [{"attempts": -1}, {"delay": -1}, {"max_delay": -1}, {"backoff": 0.5}, {"jitter": 2}, {"jitter": -0.1}]
)
def test_a_rule_that_makes_no_sense_is_refused(facts):
    with pytest.raises(BadDefinition):
        Retry(**facts)
