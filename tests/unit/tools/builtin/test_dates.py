import pytest

from mastra.errors import ToolError
from mastra.tools.builtin import dates


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (dates.describe_date, {"when": "2024-02-29"}, {"iso": "2024-02-29T00:00:00+00:00", "weekday": "Thursday",
         "iso_week": "2024-W09", "day_of_year": 60, "quarter": 1, "leap_year": True}),
        (dates.add_to_date, {"when": "2024-01-31", "months": 1}, "2024-02-29T00:00:00+00:00"),
        (dates.add_to_date, {"when": "2024-03-01", "days": -1}, "2024-02-29T00:00:00+00:00"),
        (dates.convert_timezone, {"when": "2026-07-01T12:00:00", "from_timezone": "Europe/Oslo", "to_timezone": "UTC"},
         "2026-07-01T10:00:00+00:00"),
        (dates.business_days, {"start": "2026-01-01", "end": "2026-01-07", "holidays": ["2026-01-01"]}, 4),
        (dates.month_calendar, {"year": 2026, "month": 2},
         [[0, 0, 0, 0, 0, 0, 1], [2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15], [16, 17, 18, 19, 20, 21, 22],
          [23, 24, 25, 26, 27, 28, 0]]),
    ],
)  # fmt: skip
async def test_each_tool_answers(tool, arguments, expected):
    assert await tool(arguments) == expected


async def test_a_difference_in_days_and_in_calendar_units():
    found = await dates.date_difference(start="2024-01-31", end="2024-03-01")
    assert found["days"] == 30
    assert found["calendar"] == {"years": 0, "months": 1, "days": 1}
    assert (await dates.date_difference(start="2024-03-01", end="2024-01-31"))["days"] == -30


async def test_now_is_in_the_zone_that_was_asked_for():
    assert (await dates.current_time(timezone="Asia/Tokyo"))["iso"].endswith("+09:00")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (dates.current_time, {"timezone": "Mars/Base"}),
        (dates.describe_date, {"when": "tomorrow"}),
        (dates.add_to_date, {"when": "9999-12-31", "days": 2}),
        (dates.business_days, {"start": "2026-01-02", "end": "2026-01-01"}),
        (dates.month_calendar, {"year": 2026, "month": 13}),
    ],
)
async def test_each_tool_refuses(tool, arguments):
    with pytest.raises(ToolError):
        await tool(arguments)
