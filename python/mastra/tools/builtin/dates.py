"""Dates and times: now, parse, add, difference, zones, calendars."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mastra.errors import InvalidInput
from mastra.tools.context import ToolContext
from mastra.tools.tool import tool


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"There is no time zone {name[:60]!r}.", hint='Write it like "Europe/Oslo".') from error


def moment_of(text: str, zone: str = "UTC") -> datetime:
    """The moment that an ISO 8601 text names; without an offset it is meant in `zone`."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no date.", hint="Write 2026-01-31 or 2026-01-31T14:30:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone_of(zone))


@tool
async def current_time(context: ToolContext, timezone: str = "UTC") -> dict[str, Any]:
    """The date and time now.

    Args:
        timezone: A time zone like "Europe/Oslo".
    """
    now = context.services.clock.now() if context.services is not None else datetime.now(UTC)
    local = now.astimezone(zone_of(timezone))
    return {"iso": local.isoformat(timespec="seconds"), "weekday": local.strftime("%A"), "timezone": timezone}


@tool
async def describe_date(when: str) -> dict[str, Any]:
    """Weekday, week, day of the year, quarter and leap year of a date (ISO 8601)."""
    moment = moment_of(when)
    year, week, _ = moment.isocalendar()
    return {
        "iso": moment.isoformat(),
        "weekday": moment.strftime("%A"),
        "iso_week": f"{year}-W{week:02d}",
        "day_of_year": moment.timetuple().tm_yday,
        "quarter": (moment.month + 2) // 3,
        "leap_year": calendar.isleap(moment.year),
    }


@tool
async def add_to_date(when: str, years: int = 0, months: int = 0, days: float = 0, hours: float = 0,
                      minutes: float = 0) -> str:  # fmt: skip
    """Add (or with negative numbers subtract) time; a day that a month lacks becomes its last."""
    moment = moment_of(when)
    try:
        moved = _months_later(moment, months + 12 * years)
        moved += timedelta(days=days, hours=hours, minutes=minutes)
    except (OverflowError, ValueError, calendar.IllegalMonthError) as error:
        raise InvalidInput("The result lies outside of the years 1 to 9999.") from error
    return moved.isoformat()


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day some months later; the last of the month where that day is missing."""
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


@tool
async def date_difference(start: str, end: str) -> dict[str, Any]:
    """How much time lies between two dates: days, hours, seconds, and whole years, months and days."""
    first, last = moment_of(start), moment_of(end)
    sign = 1
    if last < first:
        first, last, sign = last, first, -1
    seconds = (last - first).total_seconds()
    months = (last.year - first.year) * 12 + last.month - first.month
    if _months_later(first, months) > last:
        months -= 1
    rest = (last - _months_later(first, months)).days
    years, months = divmod(months, 12)
    return {
        "days": sign * seconds / 86400,
        "hours": sign * seconds / 3600,
        "seconds": sign * seconds,
        "calendar": {"years": sign * years, "months": sign * months, "days": sign * rest},
    }


@tool
async def convert_timezone(when: str, from_timezone: str, to_timezone: str) -> str:
    """The same moment in another time zone."""
    return moment_of(when, from_timezone).astimezone(zone_of(to_timezone)).isoformat()


@tool
async def business_days(start: str, end: str, holidays: list[str] | None = None) -> int:
    """How many days from start to end (both included) are neither weekend nor holiday."""
    first, last = moment_of(start).date(), moment_of(end).date()
    if last < first or (last - first).days > 36600:
        raise InvalidInput("The end must not be before the start, nor more than 100 years after it.")
    free = {moment_of(day).date() for day in holidays or ()}
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return sum(day.weekday() < 5 and day not in free for day in days)


@tool
async def month_calendar(
    year: int, month: int, first_weekday: Literal["monday", "sunday"] = "monday"
) -> list[list[int]]:
    """The weeks of a month as lists of days; 0 where the day belongs to another month."""
    if not (1 <= year <= 9999 and 1 <= month <= 12):
        raise InvalidInput("The year is 1 to 9999 and the month 1 to 12.")
    made: Any = calendar.Calendar(0 if first_weekday == "monday" else 6).monthdayscalendar(year, month)
    weeks: list[list[int]] = made
    return weeks


def today(context: ToolContext) -> date:
    """The date now, by the application's clock."""
    return (context.services.clock.now() if context.services is not None else datetime.now(UTC)).date()


TOOLS = (current_time, describe_date, add_to_date, date_difference, convert_timezone, business_days, month_calendar)
