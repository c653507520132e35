"""Storage in MySQL and MariaDB: a table a kind of row, byte-ordered columns for indexed fields."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from mastra.errors import (
    BadSetting,
    Conflict,
    InvalidInput,
    MastraError,
    MissingExtra,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageUnavailable,
)  # fmt: skip
from mastra.storage.layouts import known_layout
from mastra.storage.rows import fields_of
from mastra.storage.sortkeys import sort_bytes
from mastra.storage.sql import Session, SqlStorage
from mastra.storage.texts import MAX_TEXT, Search
from mastra.types.json import dumps, loads
from mastra.types.records import Layout, Put, Table

try:
    import asyncmy
    import asyncmy.errors
except ImportError as error:
    raise MissingExtra("mysql", feature="MySQL storage", module="asyncmy") from error

SCHEMA_VERSION = 1
_DATABASE = re.compile(r"[A-Za-z0-9_$\-]{1,64}")
_LOCK = "mastra_layout"

# Server error numbers.
_DEADLOCKS = frozenset({1205, 1213})
_NO_DEFAULT = 1364
_DUPLICATES = frozenset({1062, 1586})
_FULL = frozenset({1021, 1041, 1114, 3675})
_CORRUPT = frozenset({126, 1034, 1194, 1712})
_TOO_LARGE = frozenset({1153, 1301})


class _Session:
    """A pooled connection as the shared part uses it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql, tuple(arguments) or None)
            return list(await cursor.fetchall()) if cursor.description else []

    async def run_many(self, sql: str, arguments: list[Sequence[Any]]) -> None:
        async with self._connection.cursor() as cursor:
            if len(arguments) == 1:
                await cursor.execute(sql, tuple(arguments[0]))
            else:
                await cursor.executemany(sql, [tuple(item) for item in arguments])


class MySqlStorage(SqlStorage):
    """Rows in MySQL 8 or MariaDB 10.6, or newer, in a database of their own or beside others' tables."""

    adapter = "mysql"
    tenant_column = "`tenant`"
    key_column = "`k`"
    value_read = "`value`"

    def __init__(self, *, host: str, port: int, user: str, password: str, database: str, pool_size: int = 10) -> None:
        super().__init__()
        if not _DATABASE.fullmatch(database):
            raise BadSetting(f"{database!r} is not the name of a database.", hint="Use mysql://user@host/database.")
        self._options: dict[str, Any] = {"host": host, "port": port, "user": user, "password": password, "db": database}
        self._pool_size = pool_size
        self._pool: Any = None
        self._opening = asyncio.Lock()
        # The columns that each table has in the database: a newer process may have added some.
        self._columns: dict[str, tuple[str, ...]] = {}
        self._stale = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`mysql://user:password@host:port/database`, also `mariadb://`; `?pool_size=`."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        pool_size = options.pop("pool_size", "10")
        if options:
            raise BadSetting(f"{min(options)!r} is not an option of mysql.", hint="Known: pool_size.")
        if not pool_size.isdecimal() or not 1 <= int(pool_size) <= 1000:
            raise BadSetting(f"pool_size={pool_size!r} is not between 1 and 1000.")
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=parts.path.lstrip("/"),
            pool_size=int(pool_size),
        )

    async def open(self) -> None:
        """Connect and bring the layout forward."""
        async with self._opening:
            if self._pool is not None:
                return
            try:
                self._pool = await asyncmy.create_pool(
                    minsize=1,
                    maxsize=self._pool_size,
                    autocommit=True,
                    charset="utf8mb4",
                    # A mode in which backslashes do not escape would undo the driver's quoting.
                    init_command="SET SESSION sql_mode='STRICT_ALL_TABLES'",
                    **self._options,
                )
                async with self.session() as session:
                    await self._migrate(session)
            except Exception as error:
                await self.close()
                raise self.translate(error) from error

    async def _migrate(self, session: Session) -> None:
        await self._locked(session)
        try:
            await session.run("CREATE TABLE IF NOT EXISTS `mastra_layout`(`version` INT NOT NULL)")
            await session.run(
                "CREATE TABLE IF NOT EXISTS `mastra_tables`(`name` VARCHAR(64) PRIMARY KEY, `indexes` TEXT NOT NULL)"
            )
            rows = await session.run("SELECT `version` FROM `mastra_layout`")
            if _known(rows).found == 0:
                await session.run("INSERT INTO `mastra_layout` VALUES (%s)", (SCHEMA_VERSION,))
        finally:
            await session.run("SELECT RELEASE_LOCK(%s)", (_LOCK,))

    async def layout(self) -> Layout:
        """The layout in the database as it is; nothing is made."""
        try:
            async with asyncmy.connect(**self._options) as connection, connection.cursor() as cursor:
                await cursor.execute("SHOW TABLES LIKE 'mastra\\\\_layout'")
                if not await cursor.fetchall():
                    return _known(())
                await cursor.execute("SELECT `version` FROM `mastra_layout`")
                return _known(await cursor.fetchall())
        except Exception as error:
            raise self.translate(error) from error

    async def _locked(self, session: Session) -> None:
        """One process at a time changes the layout: these servers commit each such statement by itself."""
        rows = await session.run("SELECT GET_LOCK(%s, 30)", (_LOCK,))
        if rows[0][0] != 1:
            raise StorageUnavailable("Another process changes the layout for too long.", adapter="mysql")

    async def close(self) -> None:
        """Give the connections back."""
        pool, self._pool = self._pool, None
        self._declared.clear()
        self._searched.clear()
        if pool is not None:
            pool.close()
            await pool.wait_closed()

    @asynccontextmanager
    async def session(self, *, write: bool = False, tenant: str | None = None) -> AsyncIterator[Session]:  # noqa: ARG002 - every statement names it
        """A connection of the pool."""
        if self._pool is None:
            await self.open()
        async with self._pool.acquire() as connection:  # pyright: ignore[reportOptionalMemberAccess]  # mypy reads it right
            session = _Session(connection)
            if not write:
                yield session
                return
            if self._stale:
                self._stale = False
                for name in self._columns:
                    self._columns[name] = await self._read_columns(session, f"m_{name}")
            await session.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            await connection.begin()
            try:
                yield session
            except Exception:
                await connection.rollback()
                raise
            except BaseException:
                # Cancelled: the server may still be answering, and a closed connection rolls back by itself.
                connection.close()
                raise
            await connection.commit()

    async def declare(self, table: Table) -> None:
        """Make the table; a new column is filled from the rows that are there."""
        name = self.name(table)
        async with self.session() as session:
            await self._locked(session)
            try:
                rows = await session.run("SELECT `indexes` FROM `mastra_tables` WHERE `name`=%s", (table.name,))
                entries: list[str] = loads(rows[0][0]) if rows else []
                await session.run(
                    f"CREATE TABLE IF NOT EXISTS {name}(`tenant` VARBINARY(260) NOT NULL, `k` VARBINARY(512) NOT NULL,"
                    " `value` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, PRIMARY KEY(`tenant`, `k`))"
                    " ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
                )
                columns = await self._read_columns(session, f"m_{table.name}")
                missing = [field for field in fields_of(table) if field not in columns]
                for field in missing:
                    # Without a default: a process that does not know the column fails to insert, and looks again.
                    await session.run(f"ALTER TABLE {name} ADD COLUMN {self.column(field)} VARBINARY(800) NOT NULL")
                if missing and rows:
                    await self._fill(session, table, missing)
                self._columns[table.name] = (*columns, *missing)
                for entry in table.indexes:
                    if entry not in entries:
                        parts = ", ".join(self.column(field) for field in entry.split("+"))
                        await session.run(f"ALTER TABLE {name} ADD INDEX(`tenant`, {parts}, `k`)")
                        entries.append(entry)
                await session.run(
                    "INSERT INTO `mastra_tables` VALUES (%s, %s) ON DUPLICATE KEY UPDATE `indexes`=VALUES(`indexes`)",
                    (table.name, dumps(entries)),
                )
            finally:
                await session.run("SELECT RELEASE_LOCK(%s)", (_LOCK,))

    async def make_text_index(self, session: Session, table: Table, search: Search) -> None:
        """A column of the texts that the server computes, and its index; making it copies the table."""
        await self._locked(session)
        try:
            rows = await session.run(
                "SELECT count(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME=%s"
                " AND COLUMN_NAME=%s",
                (f"m_{table.name}", f"x_{search.slug}"),
            )
            if rows[0][0]:
                return
            await session.run("SET SESSION innodb_ft_enable_stopword=OFF")
            # Texts come out of the function as JSON: its escapes are no letters, and `_` would join words.
            await session.run(
                f"ALTER TABLE {self.name(table)} ADD COLUMN `x_{search.slug}` LONGTEXT CHARACTER SET utf8mb4"
                " COLLATE utf8mb4_general_ci GENERATED ALWAYS AS (LEFT(REPLACE(REGEXP_REPLACE(JSON_EXTRACT(`value`,"
                f" '{search.path.json_path()}'), '\\\\\\\\[nrtbf]', ' '), '_', ' '), {2 * MAX_TEXT})) STORED,"
                f" ADD FULLTEXT(`x_{search.slug}`)"
            )
        finally:
            await session.run("SELECT RELEASE_LOCK(%s)", (_LOCK,))

    def match(self, search: Search) -> tuple[str, list[Any], str, list[Any]]:
        """By the index for words of the lengths that it holds by default; where there is none, by looking at all."""
        name = f"`x_{search.slug}`"
        held = [word for word in search.words if 3 <= len(word) <= 84]
        if not held:
            likes = " AND ".join([f"{name} LIKE %s"] * len(search.words))
            return likes, [f"%{word}%" for word in search.words], f"LENGTH({name})", []
        condition = f"MATCH({name}) AGAINST(%s IN BOOLEAN MODE)"
        query = " ".join(f'+"{word}"' for word in held)
        return condition, [query], f"{condition} DESC", [query]

    async def _read_columns(self, session: Session, name: str) -> tuple[str, ...]:
        rows = await session.run(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME=%s"
            " ORDER BY ORDINAL_POSITION",
            (name,),
        )
        return tuple(row[0].removeprefix("f_") for row in rows if row[0].startswith("f_"))

    async def _fill(self, session: Session, table: Table, fields: list[str]) -> None:
        name = self.name(table)
        tenant, key = b"", b""
        changes = ", ".join(f"{self.column(field)}=%s" for field in fields)
        while True:
            rows = await session.run(
                f"SELECT `tenant`, `k`, `value` FROM {name}"  # noqa: S608 - names are checked
                " WHERE `tenant` > %s OR (`tenant` = %s AND `k` > %s) ORDER BY `tenant`, `k` LIMIT 500",
                (tenant, tenant, key),
            )
            if not rows:
                return
            for tenant, key, text in rows:
                value = loads(text)
                await session.run(
                    f"UPDATE {name} SET {changes} WHERE `tenant`=%s AND `k`=%s AND `value`=%s",  # noqa: S608 - names are checked
                    (*(sort_bytes(value.get(field)) for field in fields), tenant, key, text),
                )

    def name(self, table: Table) -> str:
        """The table's name."""
        return f"`m_{table.name}`"

    def column(self, field: str) -> str:
        """The column of an indexed field."""
        return f"`f_{field}`"

    def insert_sql(self, table: Table, *, replace: bool) -> str:
        """Insert a row with all the columns that the table has."""
        columns = [self.column(field) for field in self._columns[table.name]]
        marks = ", ".join(["%s"] * (3 + len(columns)))
        sql = f"INSERT INTO {self.name(table)} ({', '.join(['`tenant`', '`k`', '`value`', *columns])}) VALUES ({marks})"  # noqa: S608 - names are checked
        if replace:
            sql += " ON DUPLICATE KEY UPDATE " + ", ".join(f"{item}=VALUES({item})" for item in ["`value`", *columns])
        return sql

    def insert_arguments(self, operation: Put, text: str) -> Sequence[Any]:
        """What the insert binds."""
        table, value = operation.table, operation.value
        fields = [sort_bytes(_scalar(value.get(field))) for field in self._columns[table.name]]
        return [table.tenant.encode(), operation.key.encode(), text, *fields]

    def encode(self, value: Any) -> bytes:
        """Bytes that sort as the order promises."""
        return sort_bytes(value)

    def _bind(self, text: str) -> bytes:
        return text.encode()

    def is_deadlock(self, error: Exception) -> bool:
        """Undone by the server; or a column that a newer process added, which is read before the next try."""
        number = _number(error)
        if number == _NO_DEFAULT:
            self._stale = True
        return number in _DEADLOCKS or number == _NO_DEFAULT

    def is_duplicate(self, error: Exception) -> bool:
        """An insert met a row."""
        return _number(error) in _DUPLICATES

    def translate(self, error: Exception) -> Exception:
        """The server's error in our words."""
        if isinstance(error, MastraError) or not isinstance(error, asyncmy.errors.Error | OSError):
            return error
        number = _number(error)
        if number in _FULL:
            return StorageFull("The database has no space left; nothing was written.", adapter="mysql")
        if number in _CORRUPT:
            return StorageCorrupt(f"The database reports damage (error {number}).", adapter="mysql")
        if number in _TOO_LARGE:
            return InvalidInput(
                "The row is larger than the server takes.",
                hint="Raise max_allowed_packet, or keep large values as blobs.",
            )
        if number in _DUPLICATES:
            return Conflict("The database refused the write.", adapter="mysql")
        if isinstance(error, asyncmy.errors.OperationalError | asyncmy.errors.InterfaceError | OSError):
            return StorageUnavailable(
                "The database cannot be reached, or the connection broke.",
                hint="Nothing was written. Look whether the server runs, and try again.",
                adapter="mysql",
            )
        return StorageError(f"The database failed (error {number}).", adapter="mysql")

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        await self.open()
        found: list[Table] = []
        async with self.session() as session:
            for name, indexes in await session.run("SELECT `name`, `indexes` FROM `mastra_tables` ORDER BY `name`"):
                table = Table(name, tuple(loads(indexes)))
                tenants = await session.run(f"SELECT DISTINCT `tenant` FROM {self.name(table)} ORDER BY 1")  # noqa: S608 - names are checked
                found += [Table(name, table.indexes, tenant.decode()) for (tenant,) in tenants]
        return found


def _scalar(value: Any) -> Any:
    """A field that this process does not know as indexed may hold anything; only scalars are sorted."""
    if isinstance(value, str):
        return value if len(value.encode()) <= 768 else value.encode()[:768].decode(errors="ignore")
    return value if isinstance(value, int | float) and abs(value) < 1e308 else None


def _number(error: BaseException) -> int | None:
    arguments = error.args
    if isinstance(error, asyncmy.errors.Error) and arguments and isinstance(arguments[0], int):
        return arguments[0]
    return None


def _known(rows: Sequence[Sequence[Any]]) -> Layout:
    return known_layout(rows[0][0] if rows else 0, SCHEMA_VERSION, "The database", "mysql")
