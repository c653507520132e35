"""Chooses the index that serves a query: which fields are fixed, and whether the order comes for free."""

from __future__ import annotations

from typing import Any, NamedTuple

from mastra.storage.rows import check_scan, decode_cursor, field_set
from mastra.types.filters import Condition, Matcher, compile_filter, conditions
from mastra.types.records import Filter, Order, Table


class Plan(NamedTuple):
    """How to run a scan."""

    # The entry of `table.indexes` to use, or None for the order of keys.
    fields: tuple[str, ...] | None
    # Values of the leading fields of that index.
    fixed: tuple[Any, ...]
    # Whether the index gives the asked-for order after its fixed fields.
    ordered: bool
    # What else is known about indexed fields.
    conditions: tuple[Condition, ...]
    # Whether `conditions` (with the fixed ones) is the whole filter, so that no row must be tried against it.
    exact: bool


class Start(NamedTuple):
    """What a scan needs to know before its first row."""

    matcher: Matcher
    chosen: Plan
    # The key after which it begins, with its value of the ordered field.
    place: tuple[str, Any] | None


def begin_scan(table: Table, where: Filter | None, order: Order | None, after: str | None, limit: int) -> Start:
    """Check what a scan was asked, and choose its way."""
    check_scan(table, order, limit)
    place = None if after is None else decode_cursor(order, after)
    return Start(compile_filter(where), plan(table, where, order), place)


def plan(table: Table, where: Filter | None, order: Order | None) -> Plan:
    """The best index: one that gives the order and fixes most fields; else one that fixes most fields."""
    demanded, exact = conditions(where, field_set(table))
    equal = {item.field: item.operand for item in demanded if item.op == "$eq" and isinstance(item.operand, str)}
    # Only texts tell their type in an index: 1 and true look alike there.
    exact = exact and all(_is_text(item.operand) for item in demanded)
    best: tuple[tuple[int, int, int], Plan] | None = None
    for entry in table.indexes:
        fields = tuple(entry.split("+"))
        count = 0
        while count < len(fields) and fields[count] in equal:
            count += 1
        rest = fields[count:]
        if order is None:
            ordered = not rest and count > 0
        else:
            ordered = rest == (order.field,) or (not rest and fields[-1] == order.field)
        if not count and not ordered:
            continue
        score = (int(ordered), count, -len(fields))
        if best is None or score > best[0]:
            fixed = tuple(equal[field] for field in fields[:count])
            best = (score, Plan(fields, fixed, ordered, tuple(demanded), exact))
    if best is None or (order is None and not best[1].fixed):
        return Plan(None, (), order is None, tuple(demanded), exact)
    return best[1]


def _is_text(operand: Any) -> bool:
    if isinstance(operand, list):
        return all(isinstance(item, str) for item in operand)
    return isinstance(operand, str)
