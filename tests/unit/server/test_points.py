"""Sums over points in time, checked against the plainest way to work them out."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput
from mastra.server import points
from mastra.types.times import to_wire

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def point(second, value, **more):
    return {"timestamp": to_wire(datetime.fromtimestamp(START + second, UTC)), "value": value, **more}


POINTS = st.lists(
    st.builds(
        lambda second, value, kind: point(second, value, kind=kind),
        st.integers(0, 7_200),
        st.integers(-100, 100),
        st.sampled_from(["a", "b", None]),
    ),
    max_size=30,
)


@given(POINTS)
def test_totals(held):
    values = [one["value"] for one in held]
    assert points.total(held, "count") == len(values)
    assert points.total(held, "count_distinct", "kind") == len({one["kind"] for one in held} - {None})
    for how, plain in (("sum", sum), ("min", min), ("max", max)):
        assert points.total(held, how) == (plain(values) if values else None)
    average = points.total(held, "avg")
    assert (average is None) == (not values)
    assert average is None or math.isclose(average, sum(values) / len(values), abs_tol=1e-9)


@given(POINTS, st.sampled_from(sorted(points.SECONDS)))
def test_series_and_groups_lose_nothing(held, interval):
    lines = points.series(held, interval, "count", lambda one: str(one["kind"]))
    assert sum(one["value"] for line in lines for one in line["points"]) == len(held)
    for line in lines:
        stamps = [one["timestamp"] for one in line["points"]]
        assert stamps == sorted(set(stamps))
    found = points.groups(held, ["kind"], "count")
    assert sum(group["value"] for group in found) == len(held)
    assert [group["value"] for group in found] == sorted((group["value"] for group in found), reverse=True)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.floats(0, 1))
def test_percentiles_are_values_that_were_measured(values, share):
    (line,) = points.percentiles([point(0, value) for value in values], [share], "1d")
    (found,) = line["points"]
    assert found["value"] in values
    assert sum(value <= found["value"] for value in values) >= share * len(values) - 1e-9


def test_percentiles_are_shares():
    with pytest.raises(InvalidInput):
        points.percentiles([], [95], "1h")


def test_filters():
    one = point(60, 1, traceId="t", tags=["x"], labels={"status": "success"}, entityName="a")
    at = one["timestamp"]
    for filters in (
        {},
        {"traceId": "t"},
        {"traceId": None},
        {"entityName": ["a", "b"]},
        {"tags": ["x"]},
        {"labels": {"status": "success"}},
        {"timestamp": {"start": at, "end": at}},
    ):
        assert points.fits(one, filters), filters
    for filters in (
        {"traceId": "u"},
        {"entityName": ["b"]},
        {"tags": ["y"]},
        {"labels": {"status": "error"}},
        {"timestamp": {"start": at, "startExclusive": True}},
        {"timestamp": {"end": at, "endExclusive": True}},
        {"timestamp": {"start": to_wire(datetime.fromtimestamp(START + 61, UTC))}},
    ):
        assert not points.fits(one, filters), filters


def test_what_it_is_compared_with():
    filters = {"timestamp": {"start": "2026-01-02T00:00:00.000Z", "end": "2026-01-02T06:00:00.000Z"}, "x": 1}
    assert points.earlier(filters, "previous_period") == {
        "timestamp": {"start": "2026-01-01T18:00:00.000Z", "end": "2026-01-02T00:00:00.000Z"}, "x": 1}  # fmt: skip
    yesterday = points.earlier(filters, "previous_day")
    assert yesterday is not None
    assert yesterday["timestamp"]["start"] == "2026-01-01T00:00:00.000Z"
    assert points.earlier({"timestamp": {"start": "2026-01-02T00:00:00.000Z"}}, "previous_day") is None
    assert points.change(150, 100) == 50
    assert points.change(1, 0) is None
