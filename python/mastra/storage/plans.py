"""Chooses the index that serves a query: which fields are fixed, and whether the order comes for free."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

from mastra.storage.rows import check_scan, decode_cursor, field_set
from mastra.types.filters import Condition, Matcher, compile_filter, conditions
from mastra.types.records import Filter, Order, Table

_COMPARISONS = frozenset({"$eq", "$gt", "$gte", "$lt", "$lte"})
_NOTHING = (("", None),)


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
    plain = [] if where is None else _plain(where, field_set(table)) if type(where) is dict else None
    if plain is None:
        return Start(compile_filter(where), plan(table, where, order), place)
    return Start(_late(where), _chosen(table, plain, order, exact=True), place)


def _plain(where: Filter, fields: frozenset[str]) -> list[Condition] | None:
    """The conditions of a filter that compares indexed fields with texts and nothing else; None for any other.

    Nearly every scan of ours has one: it needs no compiling, for an index tells all of it.
    """
    found: list[Condition] = []
    for field, operand in where.items():
        if field not in fields:
            return None
        for op, text in (("$eq", operand),) if type(operand) is str else _compared(operand):
            if op not in _COMPARISONS or type(text) is not str or not text.isascii() or "\0" in text:
                return None
            found.append(Condition(field, op, text))
    return found


def _compared(operand: Any) -> Iterable[tuple[Any, Any]]:
    return operand.items() if type(operand) is dict and operand else _NOTHING


def _late(where: Filter | None) -> Matcher:
    """The filter as a function that is compiled when it is first asked."""
    compiled: Matcher | None = None

    def test(value: Any) -> bool:
        nonlocal compiled
        if compiled is None:
            compiled = compile_filter(where)
        return compiled(value)

    return test


def plan(table: Table, where: Filter | None, order: Order | None) -> Plan:
    """The best index: one that gives the order and fixes most fields; else one that fixes most fields."""
    demanded, exact = conditions(where, field_set(table))
    # Only texts tell their type in an index: 1 and true look alike there.
    return _chosen(table, demanded, order, exact=exact and all(_is_text(item.operand) for item in demanded))


def _chosen(table: Table, demanded: list[Condition], order: Order | None, *, exact: bool) -> Plan:
    equal = {item.field: item.operand for item in demanded if item.op == "$eq" and isinstance(item.operand, str)}
    fields, count, ordered = _index(table.indexes, tuple(equal), order)
    fixed = () if fields is None else tuple(equal[field] for field in fields[:count])
    return Plan(fields, fixed, ordered, tuple(demanded), exact)


@functools.lru_cache(maxsize=4096)
def _index(
    indexes: tuple[str, ...], equal: tuple[str, ...], order: Order | None
) -> tuple[tuple[str, ...] | None, int, bool]:
    """The fields of the best index, how many of them `equal` fixes, and whether it gives the order."""
    best: tuple[tuple[int, int, int], tuple[str, ...]] | None = None
    for entry in indexes:
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
            best = (score, fields)
    if best is None or (order is None and not best[0][1]):
        return None, 0, order is None
    return best[1], best[0][1], bool(best[0][0])


def _is_text(operand: Any) -> bool:
    if isinstance(operand, list):
        return all(isinstance(item, str) for item in operand)
    return isinstance(operand, str)
