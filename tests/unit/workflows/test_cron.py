"""Cron expressions: fields, zones, and what summer time does to them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput
from mastra.workflows.cron import Cron


def moments(expression, start, count, zone=None):
    cron, found = Cron(expression, zone), []
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    for _ in range(count):
        moment = cron.next_after(moment)
        found.append(moment.strftime("%m-%dT%H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/15 * * * *", ["01-01T00:15:00", "01-01T00:30:00"]),
        ("0 9-17/4 * * 1-5", ["01-01T09:00:00", "01-01T13:00:00"]),
        ("30 0 0 * * *", ["01-01T00:00:30", "01-02T00:00:30"]),
        ("0 0 12 1 jan ? 2026-2027", ["01-01T12:00:00", "01-01T12:00:00"]),
        ("0 0 L * *", ["01-31T00:00:00", "02-28T00:00:00"]),
        ("0 0 * * MON#1", ["01-05T00:00:00", "02-02T00:00:00"]),
        ("0 0 * * 5L", ["01-30T00:00:00", "02-27T00:00:00"]),
        ("0 0 13 * FRI", ["01-02T00:00:00", "01-09T00:00:00"]),
        ("@hourly", ["01-01T01:00:00", "01-01T02:00:00"]),
    ],
)
def test_fields_mean_what_cron_users_expect(expression, expected):
    assert moments(expression, "2026-01-01T00:00:00", 2) == expected


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "60 * * * *", "* 24 * * *", "a * * * *", "*/0 * * * *", "5-1 * * * *", "* * * * 8"]
)
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(InvalidInput):
        Cron(expression)


def test_an_unknown_zone_is_refused():
    with pytest.raises(InvalidInput, match="not a time zone"):
        Cron("* * * * *", "Mars/Olympus")


def test_a_time_that_does_not_exist_fires_right_after_the_gap():
    # Oslo goes from 02:00 to 03:00 on 2026-03-29, which is 01:00 in UTC.
    assert moments("30 2 * * *", "2026-03-28T12:00:00", 2, "Europe/Oslo") == ["03-29T01:00:00", "03-30T00:30:00"]


def test_a_time_that_comes_twice_fires_once():
    # Oslo goes from 03:00 back to 02:00 on 2026-10-25, which is 01:00 in UTC.
    assert moments("30 2 * * *", "2026-10-24T12:00:00", 2, "Europe/Oslo") == ["10-25T00:30:00", "10-26T01:30:00"]


def test_every_half_hour_goes_on_through_both_changes():
    spring = moments("*/30 * * * *", "2026-03-29T00:00:00", 4, "Europe/Oslo")
    assert spring == ["03-29T00:30:00", "03-29T01:00:00", "03-29T01:30:00", "03-29T02:00:00"]
    autumn = moments("*/30 * * * *", "2026-10-24T23:59:00", 5, "Europe/Oslo")
    assert autumn == ["10-25T00:00:00", "10-25T00:30:00", "10-25T01:00:00", "10-25T01:30:00", "10-25T02:00:00"]


def test_a_date_that_never_comes_has_no_next_moment():
    assert Cron("0 0 30 2 *").next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@given(
    st.integers(1_577_836_800, 1_893_456_000),
    st.sampled_from(["*/7 * * * *", "0 3 * * *", "15 */2 * * 1,3", "10 5 1 * *", "*/20 * * * * *"]),
    st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_moments_only_move_forward_and_fit_the_minutes(start, expression, zone):
    begun = datetime.fromtimestamp(start, UTC)
    cron, moment = Cron(expression, zone), begun
    for _ in range(5):
        following = cron.next_after(moment)
        assert following > moment
        assert following.microsecond == 0
        moment = following
    assert moment - begun < timedelta(days=200)
