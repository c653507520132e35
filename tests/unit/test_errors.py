from __future__ import annotations

import pytest

from mastra import errors
from mastra.errors import MastraError, MissingExtra, RateLimited, near_miss

TYPES = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, MastraError)]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_error_can_be_made_and_written_as_data(kind: type[MastraError]) -> None:
    error = MissingExtra("redis", feature="RedisCache") if kind is MissingExtra else kind("It broke.")
    data = error.to_dict()
    assert data["code"] == kind.code
    assert data["message"] == error.message
    assert isinstance(data["retryable"], bool)


def test_the_text_ends_with_the_next_step() -> None:
    assert str(MastraError("It broke.", hint="Mend it.")) == "It broke. Mend it."
    assert str(MastraError("It broke.")) == "It broke."


def test_a_missing_extra_names_the_pip_line() -> None:
    error = MissingExtra("postgres", feature="PostgresStorage", module="psycopg")
    assert error.hint == 'Run: pip install "mastra[postgres]"'
    assert "psycopg" in error.message
    assert isinstance(error, ImportError)


def test_whether_to_retry_is_decided_at_birth() -> None:
    assert RateLimited("Slow down.", retry_after=2.5).retryable
    assert RateLimited("Slow down.", retry_after=2.5).to_dict()["details"] == {"retry_after": 2.5}
    assert not RateLimited("Never.", retryable=False).retryable


def test_facts_of_adapters_and_runs_are_details() -> None:
    assert errors.AdapterError("x", adapter="redis", status=503).details == {"adapter": "redis", "status": 503}
    assert errors.RunError("x", run_id="r1", step=2).details == {"run_id": "r1", "step": 2}


def test_details_are_copied() -> None:
    details = {"a": 1}
    error = MastraError("x", details=details)
    details["a"] = 2
    assert error.details == {"a": 1}


def test_a_near_miss_is_suggested_and_a_stranger_is_not() -> None:
    assert near_miss("opneai", ["openai", "anthropic"]) == "Did you mean 'openai'?"
    assert near_miss("zzz", ["openai"]) == ""
    assert near_miss("opneai", ["openai"], cutoff=0.99) == ""
