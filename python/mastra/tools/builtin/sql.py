"""SQL on a SQLite file, read-only: the file is opened so, and statements that write are refused by the engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mastra.errors import InvalidInput, NotFound, ToolFailed
from mastra.tools.tool import Tool, tool

_MAX_ROWS = 1000
# Virtual-machine steps after which a statement is stopped; about two seconds of work.
_MAX_STEPS = 20_000_000


def sql_tools(file: str | os.PathLike[str]) -> list[Tool]:
    """Tools that read a SQLite database: tables, columns and queries."""
    path = Path(file).resolve()
    if not path.is_file():
        raise NotFound(f"There is no database {path}.")

    @tool
    def list_tables() -> list[str]:
        """The tables and views of the database."""
        rows = _run(
            path,
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1",
            [],
        )
        return [str(row["name"]) for row in rows]

    @tool
    def describe_table(table: str) -> list[dict[str, Any]]:
        """The columns of a table: name, type, and whether it must have a value."""
        rows = _run(path, 'SELECT name, type, "notnull" AS required, pk AS key FROM pragma_table_info(?)', [table])
        if not rows:
            raise NotFound(f"There is no table {table[:80]!r}.")
        return rows

    @tool(timeout_s=10)
    def query_sql(sql: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        """Run one SELECT; values stand for its question marks. At most 1000 rows."""
        return _run(path, sql, values or [])

    return [list_tables, describe_table, query_sql]


def _run(path: Path, sql: str, values: list[Any]) -> list[dict[str, Any]]:
    import apsw  # noqa: PLC0415 - only those who read a database load it

    connection = apsw.Connection(path.as_uri() + "?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    out: list[dict[str, Any]] = []
    try:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.authorizer = _only_reading(apsw)
        steps = [0]

        def stop() -> bool:
            steps[0] += 10_000
            return steps[0] > _MAX_STEPS

        connection.set_progress_handler(stop, 10_000)
        cursor = connection.cursor()
        for row in cursor.execute(sql, tuple(values)):
            names = [one[0] for one in cursor.get_description()]
            out.append({name: _shown(value) for name, value in zip(names, row, strict=True)})
            if len(out) >= _MAX_ROWS:
                break
    except apsw.AuthError as error:
        raise InvalidInput("Only reading is allowed.", hint="Use one SELECT.") from error
    except apsw.InterruptError as error:
        raise ToolFailed("The query takes too long.") from error
    except apsw.Error as error:
        raise InvalidInput(f"The database refuses: {error}.") from error
    finally:
        connection.close()
    return out


def _only_reading(apsw: Any) -> Any:
    allowed = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
    pragmas = {"table_info", "table_xinfo"}

    def check(action: int, first: str | None, second: str | None, *_: Any) -> int:
        if action == apsw.SQLITE_FUNCTION and second in ("load_extension", "readfile", "writefile"):
            return int(apsw.SQLITE_DENY)
        if action in allowed or (action == apsw.SQLITE_PRAGMA and first in pragmas):
            return int(apsw.SQLITE_OK)
        return int(apsw.SQLITE_DENY)

    return check


def _shown(value: Any) -> Any:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else value
