"""Values at points in time, whatever they measure: filtered, summed up, grouped, as series, as percentiles.

A point is a row with `timestamp`, `value` and any number of dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any, TypeAlias

from mastra.errors import InvalidInput
from mastra.types.times import from_wire, to_wire

Point: TypeAlias = Mapping[str, Any]
SECONDS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": 86_400}
_COMPARED = {"previous_day": 86_400.0, "previous_week": 604_800.0}
_NOT_FIELDS = frozenset({"timestamp", "tags", "labels", "metadata"})


def number(point: Point) -> float:
    """The value of a point; texts (a comment as feedback) count as one each."""
    value = point["value"]
    return float(value) if isinstance(value, int | float) else 1.0


def fits(point: Point, filters: Mapping[str, Any]) -> bool:
    """Whether a point is within the time and has all the dimensions that are asked for."""
    times = filters.get("timestamp")
    if isinstance(times, Mapping) and not _within(point["timestamp"], times):
        return False
    wanted_tags = filters.get("tags") or ()
    if any(tag not in (point.get("tags") or ()) for tag in wanted_tags):
        return False
    for holder in ("labels", "metadata"):
        for key, value in (filters.get(holder) or {}).items():
            if (point.get(holder) or {}).get(key) != value:
                return False
    for key, value in filters.items():
        if key in _NOT_FIELDS or value is None:
            continue
        if isinstance(value, list):
            if point.get(key) not in value:
                return False
        elif point.get(key) != value:
            return False
    return True


def _within(timestamp: str, times: Mapping[str, Any]) -> bool:
    at = from_wire(timestamp)
    start, end = times.get("start"), times.get("end")
    if start is not None:
        first = from_wire(str(start))
        if at < first or (times.get("startExclusive") and at == first):
            return False
    if end is not None:
        last = from_wire(str(end))
        if at > last or (times.get("endExclusive") and at == last):
            return False
    return True


def total(points: Sequence[Point], how: str, distinct: str | None = None) -> float | None:
    """One number for all points; None where there are none to sum up."""
    if how == "count":
        return len(points)
    if how == "count_distinct":
        return len({point.get(distinct or "value") for point in points} - {None})
    if not points:
        return None
    if how == "last":
        return number(max(points, key=lambda point: point["timestamp"]))
    values = [number(point) for point in points]
    if how == "min":
        return min(values)
    if how == "max":
        return max(values)
    return sum(values) / len(values) if how == "avg" else sum(values)


def earlier(filters: Mapping[str, Any], period: str) -> dict[str, Any] | None:
    """The same filters for the time to compare with; None where the time has no beginning and end."""
    times = filters.get("timestamp")
    if not isinstance(times, Mapping) or times.get("start") is None or times.get("end") is None:
        return None
    start, end = from_wire(str(times["start"])), from_wire(str(times["end"]))
    back = _COMPARED.get(period, (end - start).total_seconds())
    moved = {name: to_wire(datetime.fromtimestamp(at.timestamp() - back, UTC)) for name, at in
             (("start", start), ("end", end))}  # fmt: skip
    return {**filters, "timestamp": {**times, **moved}}


def change(now: float | None, before: float | None) -> float | None:
    """How much it changed, in percent."""
    return None if now is None or not before else (now - before) / abs(before) * 100


def dimension(point: Point, key: str) -> str | None:
    """A dimension as a text: a field of the point, or one of its labels."""
    value = point.get(key)
    if value is None:
        value = (point.get("labels") or {}).get(key)
    return None if value is None else str(value)


def groups(points: Iterable[Point], keys: Sequence[str], how: str, distinct: str | None = None) -> list[dict[str, Any]]:
    """The points by their dimensions, the largest group first."""
    found: dict[tuple[str | None, ...], list[Point]] = {}
    for point in points:
        found.setdefault(tuple(dimension(point, key) for key in keys), []).append(point)
    out = [
        {"dimensions": dict(zip(keys, names, strict=True)), "value": total(held, how, distinct) or 0}
        for names, held in found.items()
    ]
    return sorted(out, key=lambda group: -group["value"])


def _slots(points: Iterable[Point], interval: str) -> dict[str, list[Point]]:
    seconds = SECONDS[interval]
    found: dict[str, list[Point]] = {}
    for point in points:
        at = from_wire(point["timestamp"]).timestamp()
        slot = to_wire(datetime.fromtimestamp(at - at % seconds, UTC))
        found.setdefault(slot, []).append(point)
    return dict(sorted(found.items()))


def series(
    points: Iterable[Point], interval: str, how: str, name: Callable[[Point], str], distinct: str | None = None
) -> list[dict[str, Any]]:
    """One line for each name, one value for each interval in which there was something."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(name(point), []).append(point)
    return [
        {
            "name": line,
            "points": [
                {"timestamp": slot, "value": total(here, how, distinct) or 0}
                for slot, here in _slots(held, interval).items()
            ],
        }
        for line, held in sorted(found.items())
    ]


def percentiles(points: Iterable[Point], wanted: Sequence[float], interval: str) -> list[dict[str, Any]]:
    """One line for each percentile (0 to 1), by the nearest rank."""
    slots = {slot: sorted(map(number, held)) for slot, held in _slots(points, interval).items()}
    out = []
    for share in wanted:
        if not 0 <= share <= 1:
            raise InvalidInput(f"{share} is no percentile.", hint="Use numbers from 0 to 1, such as 0.95.")
        line = [
            {"timestamp": slot, "value": values[max(0, ceil(len(values) * share) - 1)]}
            for slot, values in slots.items()
        ]
        out.append({"percentile": share, "points": line})
    return out
