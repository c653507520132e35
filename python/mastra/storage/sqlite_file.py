"""One SQLite file: opening it with the right version and settings, its layout, and its errors in our words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from mastra.errors import (
    BadSetting,
    Conflict,
    MastraError,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageUnavailable,
)  # fmt: skip
from mastra.storage.layouts import known_layout
from mastra.storage.rows import fields_of
from mastra.types.json import dumps, loads
from mastra.types.records import Layout, Table

# Versions before this one can damage a database in WAL mode when a checkpoint meets a write.
LOWEST_SQLITE = (3, 51, 3)
APPLICATION_ID = 0x6D737472  # "mstr"
SCHEMA_VERSION = 1
BUSY_MS = 30_000

# Layout N -> the statements that bring a file from N - 1 to N. Released layouts never change.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: ("CREATE TABLE mastra_tables(name TEXT PRIMARY KEY, indexes TEXT NOT NULL) WITHOUT ROWID",),
}


def check_version(version: str | None = None) -> None:
    """Refuse an SQLite that can lose data."""
    version = version or apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")[:3]) < LOWEST_SQLITE:
        raise BadSetting(
            f"SQLite {version} can damage a database that several connections use.",
            hint="Run: pip install --upgrade apsw   (it carries its own SQLite, 3.51.3 or newer)",
        )


def connect(path: str, *, writable: bool, full: bool = True) -> apsw.Connection:
    """A connection with our settings. A reader never writes, not even by mistake."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writable else 0)
    connection = apsw.Connection(path, flags=flags, statementcachesize=200)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")
    connection.execute("PRAGMA cache_size=-16384")
    connection.execute("PRAGMA mmap_size=0")
    connection.execute("PRAGMA trusted_schema=OFF")
    if not writable:
        connection.execute("PRAGMA query_only=ON")
    return connection


def prepare(connection: apsw.Connection, path: str) -> None:
    """Check that the file is ours and bring its layout forward, in one transaction."""
    version = layout_of(connection, path).found
    if connection.pragma("journal_mode") != "wal":
        connection.pragma("journal_mode", "wal")
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been first.
        for step in range(int(connection.pragma("user_version")) + 1, SCHEMA_VERSION + 1):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", SCHEMA_VERSION)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def layout_of(connection: apsw.Connection, path: str) -> Layout:
    """The layout of a file that is ours and not newer than we know."""
    application = connection.pragma("application_id")
    layout = known_layout(int(connection.pragma("user_version")), SCHEMA_VERSION, path, "sqlite")
    if application not in {0, APPLICATION_ID} or (application == 0 and _has_tables(connection)):
        raise StorageCorrupt(f"{path} is an SQLite database of another program.", adapter="sqlite")
    return layout


def _has_tables(connection: apsw.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").get)


def sql_name(table: Table) -> str:
    """The name of a table in SQL; its alphabet was checked at the door."""
    return f'"m_{table.name}"'


def column(field: str) -> str:
    """The column that shows an indexed field of the JSON value."""
    return f'"f_{field}"'


def declare(connection: apsw.Connection, table: Table) -> None:
    """Make the table, its columns and indexes as far as they are missing. Runs inside a write transaction."""
    known = connection.execute("SELECT indexes FROM mastra_tables WHERE name=?", (table.name,)).get
    columns = {row[1] for row in connection.execute(f"PRAGMA table_xinfo({sql_name(table)})")}
    statements, entries = missing(table, known, columns)
    for statement in statements:
        connection.execute(statement)
    if entries != known:
        connection.execute(NOTE_TABLE, (table.name, entries))


# Notes what was declared of a table: its name, its indexes as JSON.
NOTE_TABLE = "INSERT INTO mastra_tables VALUES(?,?) ON CONFLICT(name) DO UPDATE SET indexes=excluded.indexes"


def missing(table: Table, known: str | None, columns: set[str]) -> tuple[list[str], str]:
    """What makes a table as it is declared where `known` indexes and `columns` are there, and its indexes then.

    The columns are computed from the value by SQLite itself, so a process with an older declaration cannot leave
    them out of date.
    """
    name = sql_name(table)
    entries: list[str] = loads(known) if known else []
    statements: list[str] = []
    if known is None:
        primary = "tenant TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(tenant, key)"
        statements.append(f"CREATE TABLE {name}({primary})")
    for field in fields_of(table):
        if f"f_{field}" not in columns:
            made = f"{column(field)} AS (json_extract(value, '$.\"{field}\"')) VIRTUAL"
            statements.append(f"ALTER TABLE {name} ADD COLUMN {made}")
    for entry in table.indexes:
        if entry not in entries:
            parts = ", ".join(column(field) for field in entry.split("+"))
            made = f"{index_name(table, entry)} ON {name}(tenant, {parts}, key)"
            statements.append(f"CREATE INDEX IF NOT EXISTS {made}")
            entries.append(entry)
    return statements, dumps(entries)


def index_name(table: Table, entry: str) -> str:
    """The name of an index in SQL."""
    return f'"i_{table.name}__{entry.replace("+", "__")}"'


def translate(error: BaseException, path: str) -> MastraError:
    """The error of SQLite in our words; ours pass through."""
    if isinstance(error, MastraError):
        return error
    facts: dict[str, Any] = {"adapter": "sqlite", "details": {"path": Path(path).name}}
    if isinstance(error, apsw.FullError):
        return StorageFull("There is no space left for the database; nothing was written.", **facts)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StorageCorrupt(
            f"{path} is damaged: {error}.", hint="Restore a backup; `mastra` never repairs by guessing.", **facts
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StorageUnavailable("The database was busy for too long.", **facts)
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return StorageUnavailable(f"{path} cannot be opened for writing: {error}.", retryable=False, **facts)
    if isinstance(error, apsw.IOError | apsw.InterruptError):
        return StorageUnavailable(f"The disk failed: {error}; nothing was written.", **facts)
    if isinstance(error, apsw.TooBigError):
        return StorageError("The row is too large for SQLite.", **facts)
    if isinstance(error, apsw.ConstraintError):
        return Conflict("The database refused the write.", **facts)
    return StorageError(f"SQLite failed: {error}.", **facts)
