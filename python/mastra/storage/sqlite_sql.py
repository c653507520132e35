"""The statements that read and write rows in SQLite's dialect, for a file here and for a server of libSQL.

Their text depends on the shape of what is asked only; keys and values are always bound, names were checked at the door.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

from mastra.storage.plans import Plan
from mastra.storage.sqlite_file import column, index_name, sql_name
from mastra.types.records import Order, Table

# A field, an operator, and how many values a list has, or whether the value is a text (1) or a number (0).
Shape: TypeAlias = tuple[str, str, int]
_SQL_OPS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_CONFLICT = "ON CONFLICT(tenant, key) DO UPDATE SET value=excluded.value"


@functools.lru_cache(maxsize=1024)
def upsert_sql(table: Table) -> str:
    """Write a row: tenant, key, value."""
    return f"INSERT INTO {sql_name(table)}(tenant, key, value) VALUES(?,?,?) {_CONFLICT}"


@functools.lru_cache(maxsize=1024)
def upsert_several_sql(table: Table) -> str:
    """Write rows: tenant, a JSON list of keys with their values."""
    rows = "SELECT ?, value->>0, value->>1 FROM json_each(?) WHERE true"
    return f"INSERT INTO {sql_name(table)}(tenant, key, value) {rows} {_CONFLICT}"


@functools.lru_cache(maxsize=1024)
def one_sql(table: Table) -> str:
    """The value of a row: tenant, key."""
    return f"SELECT value FROM {sql_name(table)} WHERE tenant=? AND key=?"  # noqa: S608 - names are checked


@functools.lru_cache(maxsize=1024)
def several_sql(table: Table) -> str:
    """Keys and values of rows: tenant, a JSON list of keys."""
    name = sql_name(table)
    return f"SELECT key, value FROM {name} WHERE tenant=? AND key IN (SELECT value FROM json_each(?))"  # noqa: S608 - names are checked


@functools.lru_cache(maxsize=1024)
def delete_sql(table: Table) -> str:
    """Remove a row: tenant, key."""
    return f"DELETE FROM {sql_name(table)} WHERE tenant=? AND key=?"  # noqa: S608 - names are checked


@functools.lru_cache(maxsize=1024)
def delete_several_sql(table: Table) -> str:
    """Remove rows: tenant, a JSON list of keys."""
    return f"DELETE FROM {sql_name(table)} WHERE tenant=? AND key IN (SELECT value FROM json_each(?))"  # noqa: S608 - names are checked


def where_sql(table: Table, chosen: Plan) -> tuple[str, list[Any]]:
    """What a plan demands of a row."""
    return _clause(_shape(chosen)), _arguments(table, chosen)


def _shape(chosen: Plan) -> tuple[Shape, ...]:
    """All of a plan's conditions that shows in the text of a statement."""
    return tuple(
        (item.field, item.op, len(item.operand) if item.op == "$in" else int(isinstance(item.operand, str)))
        for item in chosen.conditions
    )


def _arguments(table: Table, chosen: Plan) -> list[Any]:
    arguments: list[Any] = [table.tenant]
    for item in chosen.conditions:
        if item.op == "$in":
            arguments += item.operand
        else:
            arguments.append(item.operand)
    return arguments


def _clause(shape: tuple[Shape, ...]) -> str:
    return " AND ".join(["tenant=?", *(_condition(*part) for part in shape)])


def _condition(field: str, op: str, what: int) -> str:
    name = column(field)
    if op == "$in":
        return f"{name} IN ({','.join('?' * what)})"
    # Texts and numbers never compare as equal in SQLite, but every text is greater than every number.
    guard = ""
    if op in {"$gt", "$gte"} and not what:
        guard = f" AND {name} < ''"
    if op in {"$lt", "$lte"} and what:
        guard = f" AND {name} >= ''"
    return f"{name} {_SQL_OPS[op]} ?{guard}"


def scan_sql(
    table: Table, chosen: Plan, order: Order | None, cursor: tuple[str, Any] | None
) -> list[tuple[str, list[Any]]]:
    """The statements whose rows, one after the other, are the scan.

    Rows without the ordered field are a statement of their own after a cursor, so that each can begin inside the
    index instead of reading up to it.
    """
    hinted = "+".join(chosen.fields) if chosen.fields is not None and chosen.ordered else None
    arguments = _arguments(table, chosen)
    more: list[list[Any]]
    if cursor is None:
        place, more = "begin", [[]]
    else:
        key, value = cursor
        place, more = ("inside", [[value, key], []]) if value is not None and order else ("missing", [[key], []])
    texts = _scan(table, _shape(chosen), order, hinted, place)
    return [(text, arguments + extra) for text, extra in zip(texts, more, strict=False)]


@functools.lru_cache(maxsize=4096)
def _scan(table: Table, shape: tuple[Shape, ...], order: Order | None, hinted: str | None, place: str) -> list[str]:
    clause = _clause(shape)
    hint = "" if hinted is None else f" INDEXED BY {index_name(table, hinted)}"
    if order is None:
        name, ordering = "", "key"
        extras = ["" if place == "begin" else " AND key > ?"]
    else:
        name, direction, sign = column(order.field), *(("DESC", "<") if order.descending else ("ASC", ">"))
        ordering = f"{name} {direction}, key {direction}"
        extras = [""]
        if place == "inside":
            extras = [f" AND ({name}, key) {sign} (?, ?)", *([f" AND {name} IS NULL"] if order.descending else [])]
        elif place == "missing":
            rest = [] if order.descending else [f" AND {name} IS NOT NULL"]
            extras = [f" AND {name} IS NULL AND key {sign} ?", *rest]
    return [
        f"SELECT key, value FROM {sql_name(table)}{hint} WHERE {clause}{extra} ORDER BY {ordering}"  # noqa: S608 - names are checked
        for extra in extras
    ]
