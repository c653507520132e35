"""The statements that read and write rows in SQLite's dialect, for a file here and for a server of libSQL.

Their text depends on the shape of what is asked only; keys and values are always bound, names were checked at the door.
"""

from __future__ import annotations

import functools
from typing import Any

from mastra.storage.plans import Plan
from mastra.storage.sqlite_file import column, index_name, sql_name
from mastra.types.filters import Condition
from mastra.types.records import Order, Table

_SQL_OPS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_CONFLICT = "ON CONFLICT(tenant, key) DO UPDATE SET value=excluded.value"


@functools.lru_cache(maxsize=1024)
def upsert_sql(table: Table) -> str:
    """Write a row: tenant, key, value."""
    return f"INSERT INTO {sql_name(table)}(tenant, key, value) VALUES(?,?,?) {_CONFLICT}"


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


def where_sql(table: Table, chosen: Plan) -> tuple[str, list[Any]]:
    """What a plan demands of a row."""
    parts, arguments = ["tenant=?"], [table.tenant]
    for condition in chosen.conditions:
        sql, values = _condition(condition)
        parts.append(sql)
        arguments += values
    return " AND ".join(parts), arguments


def _condition(condition: Condition) -> tuple[str, list[Any]]:
    name = column(condition.field)
    if condition.op == "$in":
        marks = ",".join("?" * len(condition.operand))
        return f"{name} IN ({marks})", list(condition.operand)
    # Texts and numbers never compare as equal in SQLite, but every text is greater than every number.
    kind = "text" if isinstance(condition.operand, str) else "number"
    guard = ""
    if condition.op in {"$gt", "$gte"} and kind == "number":
        guard = f" AND {name} < ''"
    if condition.op in {"$lt", "$lte"} and kind == "text":
        guard = f" AND {name} >= ''"
    return f"{name} {_SQL_OPS[condition.op]} ?{guard}", [condition.operand]


def scan_sql(
    table: Table, chosen: Plan, order: Order | None, cursor: tuple[str, Any] | None
) -> list[tuple[str, list[Any]]]:
    """The statements whose rows, one after the other, are the scan.

    Rows without the ordered field are a statement of their own after a cursor, so that each can begin inside the
    index instead of reading up to it.
    """
    clause, arguments = where_sql(table, chosen)
    direction = "DESC" if order is not None and order.descending else "ASC"
    ordering = "key" if order is None else f"{column(order.field)} {direction}, key {direction}"
    hint = ""
    if chosen.fields is not None and chosen.ordered:
        hint = f" INDEXED BY {index_name(table, '+'.join(chosen.fields))}"

    def statement(extra: str, values: list[Any]) -> tuple[str, list[Any]]:
        sql = f"SELECT key, value FROM {sql_name(table)}{hint} WHERE {clause}{extra} ORDER BY {ordering}"  # noqa: S608 - names are checked
        return sql, arguments + values

    if cursor is None:
        return [statement("", [])]
    key, value = cursor
    if order is None:
        return [statement(" AND key > ?", [key])]
    name = column(order.field)
    if order.descending:
        if value is None:
            return [statement(f" AND {name} IS NULL AND key < ?", [key])]
        return [statement(f" AND ({name}, key) < (?, ?)", [value, key]), statement(f" AND {name} IS NULL", [])]
    if value is None:
        return [statement(f" AND {name} IS NULL AND key > ?", [key]), statement(f" AND {name} IS NOT NULL", [])]
    return [statement(f" AND ({name}, key) > (?, ?)", [value, key])]
