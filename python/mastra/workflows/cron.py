"""Cron expressions: 5, 6 (seconds first) or 7 fields (and years last), in a time zone, with summer time defined.

A local time that does not exist (clocks go forward) fires at the first moment after the gap. A local time that comes
twice (clocks go back) fires the first time only, unless the hour is a wildcard or a step: then it fires both times.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mastra.errors import InvalidInput

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_SHORT = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_LAST_YEAR = 2199


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: dict[str, int]


_SECOND = _Field("second", 0, 59, {})
_FIELDS = (
    _Field("minute", 0, 59, {}), _Field("hour", 0, 23, {}), _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS), _Field("day of week", 0, 7, _DAYS),
)  # fmt: skip
_YEAR = _Field("year", 1970, _LAST_YEAR, {})


class Cron:
    """A parsed expression. `next_after` gives the moments, in UTC."""

    __slots__ = ("_any_day", "_any_weekday", "_days", "_hours", "_last_day", "_minutes", "_months", "_nth", "_seconds",
                 "_weekdays", "_wild_hour", "_years", "expression", "zone")  # fmt: skip

    def __init__(self, expression: str, zone: str | None = None) -> None:
        self.expression = expression
        self.zone = _zone(zone)
        parts = _SHORT.get(expression.strip().lower(), expression).split()
        if len(parts) not in (5, 6, 7):
            raise InvalidInput(
                f"{expression!r} is not a cron expression.", hint="Write 5 fields, or 6 with seconds, or 7 with years."
            )
        self._seconds = _values(parts.pop(0), _SECOND) if len(parts) > 5 else [0]
        self._years = set(_values(parts.pop(), _YEAR)) if len(parts) > 5 else None
        minute, hour, day, month, weekday = parts
        self._minutes, self._hours = _values(minute, _FIELDS[0]), _values(hour, _FIELDS[1])
        self._wild_hour = hour.startswith("*")
        self._last_day = day.upper() == "L"
        self._any_day, self._any_weekday = day in ("*", "?"), weekday in ("*", "?")
        self._days = set() if self._last_day else set(_values(day, _FIELDS[2]))
        self._months = set(_values(month, _FIELDS[3]))
        self._nth: set[tuple[int, int]] = set()
        self._weekdays = self._parse_weekdays(weekday)

    def _parse_weekdays(self, text: str) -> set[int]:
        plain = []
        for part in text.split(","):
            day, mark, nth = part.partition("#")
            if mark:
                if not nth.isdigit() or not 1 <= int(nth) <= 5:
                    raise InvalidInput(f"{part!r} is not a day of week.", hint="Write MON#1 for the first Monday.")
                self._nth |= {(one % 7, int(nth)) for one in _values(day, _FIELDS[4])}
            elif part.upper().endswith("L") and len(part) > 1:
                self._nth |= {(one % 7, -1) for one in _values(part[:-1], _FIELDS[4])}
            else:
                plain.append(part)
        return {one % 7 for one in _values(",".join(plain), _FIELDS[4])} if plain else set()

    def _fits_day(self, moment: datetime) -> bool:
        if moment.month not in self._months or (self._years is not None and moment.year not in self._years):
            return False
        last = calendar.monthrange(moment.year, moment.month)[1]
        in_month = moment.day == last if self._last_day else moment.day in self._days
        weekday = moment.isoweekday() % 7
        in_week = weekday in self._weekdays or (weekday, (moment.day - 1) // 7 + 1) in self._nth
        in_week = in_week or ((weekday, -1) in self._nth and moment.day + 7 > last)
        if self._any_day or self._any_weekday:
            return (self._any_day or in_month) and (self._any_weekday or in_week)
        # As cron always did: when both are given, either is enough.
        return in_month or in_week

    def next_after(self, moment: datetime) -> datetime | None:
        """The first moment after `moment`, in UTC; None when there is none before the year 2200."""
        after = moment.astimezone(UTC)
        found = self._first(after.astimezone(self.zone), after)
        if self._wild_hour:
            again = self._second_pass(after, found)
            if again is not None:
                return again
        return found

    def _first(self, local: datetime, after: datetime) -> datetime | None:
        wall: datetime | None = local.replace(tzinfo=None) - timedelta(seconds=1)
        while wall is not None:
            wall = self._next_wall(wall)
            moment = self._moment(wall, local.fold) if wall is not None else None
            if moment is not None and moment > after:
                return moment
        return None

    def _second_pass(self, after: datetime, found: datetime | None) -> datetime | None:
        """A moment before `found` in the hour that comes twice when the clocks go back."""
        end = found if found is not None else after + timedelta(days=1)
        if end - after > timedelta(days=2) or self._offset(end) >= self._offset(after):
            return None
        low, high = after, end
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            if self._offset(middle) < self._offset(after):
                high = middle
            else:
                low = middle
        turn = high.replace(microsecond=0)
        again = self._first(turn.astimezone(self.zone), turn - timedelta(seconds=1))
        return again if again is not None and again < end else None

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()

    def _next_wall(self, wall: datetime) -> datetime | None:
        """The next time of the wall clock after `wall` that the fields name."""
        day = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        time = (wall.hour, wall.minute, wall.second)
        while day.year <= _LAST_YEAR:
            if self._fits_day(day):
                found = self._next_time(time)
                if found is not None:
                    return day.replace(hour=found[0], minute=found[1], second=found[2])
            time = (-1, -1, -1)
            if day.month not in self._months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            else:
                day += timedelta(days=1)
        return None

    def _next_time(self, after: tuple[int, int, int]) -> tuple[int, int, int] | None:
        first = (self._minutes[0], self._seconds[0])
        hour, minute, second = after
        for one in self._hours:
            if one < hour:
                continue
            if one > hour:
                return (one, *first)
            for two in self._minutes:
                if two > minute:
                    return (one, two, self._seconds[0])
                if two == minute:
                    later = next((three for three in self._seconds if three > second), None)
                    if later is not None:
                        return (one, two, later)
        return None

    def _moment(self, wall: datetime, fold: int) -> datetime | None:
        """The moment at which the zone's clocks show `wall`; the second one of two for `fold`."""
        first = wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        second = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        if first == second:
            return first
        if first.astimezone(self.zone).replace(tzinfo=None) != wall:
            return None if self._wild_hour else self._after_gap(second, first)
        return second if self._wild_hour and fold else first

    def _after_gap(self, low: datetime, high: datetime) -> datetime:
        low, high = min(low, high), max(low, high)
        before = self._offset(low)
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            if self._offset(middle) > before:
                high = middle
            else:
                low = middle
        return high.replace(microsecond=0)


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"{name!r} is not a time zone.", hint="Use a name such as Europe/Oslo.") from error


def _values(text: str, field: _Field) -> list[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, field, part) if slash else 1
        if step < 1:
            raise _wrong(part, field)
        if span in ("*", "?"):
            low, high = field.low, min(field.high, 6) if field.name == "day of week" else field.high
        elif "-" in span:
            first, _, last = span.partition("-")
            low, high = _number(first, field, part), _number(last, field, part)
        else:
            low = _number(span, field, part)
            high = field.high if slash else low
        if low < field.low or high > field.high or low > high:
            raise _wrong(part, field)
        found.update(range(low, high + 1, step))
    return sorted(found)


def _number(text: str, field: _Field, part: str) -> int:
    named = field.names.get(text.lower())
    if named is not None:
        return named
    if not (text.isascii() and text.isdigit()):
        raise _wrong(part, field)
    return int(text)


def _wrong(part: str, field: _Field) -> InvalidInput:
    return InvalidInput(f"{part!r} is not a {field.name}.", hint=f"Use {field.low}-{field.high}, lists, ranges, steps.")
