from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput
from mastra.types.times import from_wire, to_wire


def test_the_wire_has_utc_and_milliseconds() -> None:
    east = datetime(2026, 1, 2, 5, 4, 5, 678_900, tzinfo=timezone(timedelta(hours=2)))
    assert to_wire(east) == "2026-01-02T03:04:05.678Z"


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis adds the zone
def test_moments_survive_to_the_millisecond(moment: datetime) -> None:
    assert from_wire(to_wire(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_a_time_without_a_zone_counts_as_utc() -> None:
    assert from_wire("2026-01-02T03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert from_wire(datetime(2026, 1, 2)).tzinfo is UTC  # noqa: DTZ001 - the missing zone is the test


@pytest.mark.parametrize("bad", ["", "yesterday", "2026-13-01", None, 5.5, "x" * 10_000])
def test_what_is_no_time_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInput, match="is not a valid start"):
        from_wire(bad, "start")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_cannot_say_is_refused(text):
    with pytest.raises(InvalidInput):
        to_wire(from_wire(text))
