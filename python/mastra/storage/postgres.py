"""Storage in PostgreSQL: a table a kind of row, JSONB and columns for indexed fields that the server computes.

A row is kept twice: as the text that was written, so that it comes back exactly so (JSONB sorts the keys of objects and
rewrites large numbers), and as JSONB, which the server compares, searches, and shows to SQL of your own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mastra.errors import (
    BadSetting,
    Conflict,
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
from mastra.types.records import Expect, Layout, Put, Table

try:
    import psycopg
    import psycopg_pool
except ImportError as error:
    raise MissingExtra("postgres", feature="PostgreSQL storage", module="psycopg") from error

SCHEMA_VERSION = 2
# The setting of a session that says whose rows it may see; a tenant's name cannot be ANYBODY.
TENANT, ANYBODY = "mastra.tenant", "*"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,40}")

# The order of index values as a text that sorts byte by byte: '0' missing, '1' and a sortable double, '2' and a text.
SORT_FUNCTION = """
CREATE OR REPLACE FUNCTION {schema}.mastra_sort(j jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
  SELECT CASE jsonb_typeof(j)
    WHEN 'string' THEN '2' || (j #>> '{{}}')
    WHEN 'number' THEN '1' || CASE WHEN (j::float8) >= 0
      THEN translate(substr(encode(float8send(j::float8), 'hex'), 1, 1), '01234567', '89abcdef')
        || substr(encode(float8send(j::float8), 'hex'), 2)
      ELSE translate(encode(float8send(j::float8), 'hex'), '0123456789abcdef', 'fedcba9876543210') END
    WHEN 'boolean' THEN CASE WHEN j::boolean THEN '1bff0000000000000' ELSE '18000000000000000' END
    ELSE '0' END
$body$
"""

_JSONB_COLUMN = "value jsonb GENERATED ALWAYS AS (exact::jsonb) STORED"

# The words of a row, cut as `storage.texts` cuts them: the server's own parser would keep host names and paths whole.
WORDS_FUNCTION = """
CREATE OR REPLACE FUNCTION {schema}.mastra_words(j jsonb) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $body$
  SELECT to_tsvector('pg_catalog.simple', array_to_string(regexp_split_to_array(lower(left(
    (SELECT string_agg(t #>> '{{}}', ' ') FROM jsonb_array_elements(j) t WHERE jsonb_typeof(t) = 'string'), {length}
  ) COLLATE {collation}), '[^[:alnum:]]+'), ' '))
$body$
"""


class _Session:
    """A pooled connection as the shared part uses it."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def run(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(sql, arguments)  # pyright: ignore[reportArgumentType]  # mypy reads it right
        return await cursor.fetchall() if cursor.description else []

    async def run_many(self, sql: str, arguments: list[Sequence[Any]]) -> None:
        if len(arguments) == 1:
            await self._connection.execute(sql, arguments[0])  # pyright: ignore[reportArgumentType]  # mypy reads it right
            return
        async with self._connection.cursor() as cursor:
            await cursor.executemany(sql, arguments)  # pyright: ignore[reportArgumentType]  # mypy reads it right


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that remembers for whom it speaks."""

    tenant: str | None = None

    async def speak_for(self, tenant: str) -> None:
        """The server shows the rows of this tenant from now on."""
        if self.tenant != tenant:
            await self.execute("SELECT set_config(%s, %s, false)", (TENANT, tenant))
            self.tenant = tenant


class PostgresStorage(SqlStorage):
    """Rows in PostgreSQL 14 or newer, in a schema of their own.

    Every statement names its tenant. With `row_security` the server guards the rows, too: a session sees those of the
    tenant it has named and no others, whatever it asks. A schema that has it keeps it.
    """

    adapter = "postgres"
    value_read = "exact::text"

    def __init__(self, url: str, *, schema: str = "mastra", pool_size: int = 10, row_security: bool = False) -> None:
        super().__init__()
        if not _SCHEMA.fullmatch(schema):
            raise BadSetting(f"{schema!r} is not a schema name.", hint="Use lower-case letters, digits and _.")
        self._url = url
        self._schema = schema
        self._pool_size = pool_size
        # Two connections are left to readers.
        self.writes_at_once = max(1, pool_size - 2)
        self._row_security = row_security
        self._pool: psycopg_pool.AsyncConnectionPool[_Connection] | None = None
        self._opening = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`postgres://user:password@host/database`; `?schema=`, `?pool_size=` and `?row_security=` are ours.

        The other options are the driver's.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        schema = options.pop("schema", "mastra")
        pool_size = options.pop("pool_size", "10")
        if not pool_size.isdecimal() or not 1 <= int(pool_size) <= 1000:
            raise BadSetting(f"pool_size={pool_size!r} is not between 1 and 1000.")
        row_security = options.pop("row_security", "off")
        if row_security not in {"on", "off"}:
            raise BadSetting(f"row_security={row_security!r} is neither on nor off.")
        plain = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), ""))
        return cls(plain, schema=schema, pool_size=int(pool_size), row_security=row_security == "on")

    async def open(self) -> None:
        """Connect and bring the layout forward."""
        async with self._opening:
            if self._pool is not None:
                return
            pool = psycopg_pool.AsyncConnectionPool(
                self._url, connection_class=_Connection, min_size=1, max_size=self._pool_size, open=False, timeout=30,
                kwargs={"autocommit": True},
            )  # fmt: skip
            try:
                await pool.open(wait=True, timeout=15)
                async with pool.connection() as connection, connection.transaction():
                    await self._migrate(_Session(connection))
                    await self._guard(_Session(connection))
            except Exception as error:
                await pool.close()
                raise self.translate(error) from error
            self._pool = pool

    async def _migrate(self, session: Session) -> None:
        schema = self._schema
        # One process at a time; the number is only ours.
        await session.run("SELECT pg_advisory_xact_lock(7810229431)")
        # A role that may not make schemas can be given one.
        if not (await session.run("SELECT to_regnamespace(%s) IS NOT NULL", (schema,)))[0][0]:
            await session.run(f"CREATE SCHEMA {schema}")
        await session.run(f"CREATE TABLE IF NOT EXISTS {schema}.mastra_layout(version int NOT NULL)")
        await session.run(
            f"CREATE TABLE IF NOT EXISTS {schema}.mastra_tables(name text PRIMARY KEY, indexes text NOT NULL)"
        )
        rows = await session.run(f"SELECT version FROM {schema}.mastra_layout")  # noqa: S608 - the schema is checked
        found = self._known(rows).found
        if found == 0:
            await session.run(SORT_FUNCTION.format(schema=schema))
            await session.run(f"INSERT INTO {schema}.mastra_layout VALUES (%s)", (SCHEMA_VERSION,))  # noqa: S608 - the schema is checked
        elif found == 1:
            await self._to_layout_2(session)
            await session.run(f"UPDATE {schema}.mastra_layout SET version = 2")  # noqa: S608 - the schema is checked

    async def _to_layout_2(self, session: Session) -> None:
        """From JSON alone to JSONB beside it; indexes of texts are made again with the next search."""
        await session.run(f"SET LOCAL search_path TO {self._schema}")
        for (name,) in await session.run("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"):
            if name.startswith("x_"):
                await session.run(f'DROP INDEX "{name}"')
        for table in await self._declared_tables(session):
            name = self.name(table)
            await session.run(f"ALTER TABLE {name} RENAME COLUMN value TO exact")
            await session.run(f"ALTER TABLE {name} ADD COLUMN {_JSONB_COLUMN}")

    async def _declared_tables(self, session: Session) -> list[Table]:
        rows = await session.run(f"SELECT name, indexes FROM {self._schema}.mastra_tables ORDER BY name")  # noqa: S608 - the schema is checked
        return [Table(name, tuple(loads(indexes))) for name, indexes in rows]

    async def _guard(self, session: Session) -> None:
        """Have the server guard every table, when that is asked for or was at any time before."""
        rows = await session.run(
            "SELECT relname, relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND relname LIKE 'm\\_%%'",
            (self._schema,),
        )
        self._row_security = self._row_security or any(guarded for _, guarded in rows)
        if self._row_security:
            for name in [name for name, guarded in rows if not guarded]:
                await self._guard_table(session, f'{self._schema}."{name}"')

    async def _guard_table(self, session: Session, name: str) -> None:
        told = f"current_setting('{TENANT}', true)"
        allowed = f"'t:' || tenant = {told} OR {told} = '{ANYBODY}'"
        await session.run(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        # For the owner of the table, too: it is we who ask.
        await session.run(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        await session.run(f"CREATE POLICY mastra_tenant ON {name} USING ({allowed})")

    def _known(self, rows: Sequence[Sequence[Any]]) -> Layout:
        return known_layout(rows[0][0] if rows else 0, SCHEMA_VERSION, f"The schema {self._schema!r}", "postgres")

    async def layout(self) -> Layout:
        """The layout in the database as it is; nothing is made."""
        try:
            async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                session = _Session(connection)
                name = f"{self._schema}.mastra_layout"
                there = await session.run("SELECT to_regclass(%s) IS NOT NULL", (name,))
                return self._known(await session.run(f"SELECT version FROM {name}") if there[0][0] else ())  # noqa: S608 - the schema is checked
        except Exception as error:
            raise self.translate(error) from error

    async def close(self) -> None:
        """Give the connections back."""
        pool, self._pool = self._pool, None
        self._declared.clear()
        self._searched.clear()
        if pool is not None:
            await pool.close()

    @asynccontextmanager
    async def session(self, *, write: bool = False, tenant: str | None = None) -> AsyncIterator[Session]:
        """A connection of the pool."""
        if self._pool is None:
            await self.open()
        assert self._pool is not None
        async with self._pool.connection() as connection:
            if self._row_security:
                await connection.speak_for(ANYBODY if tenant is None else f"t:{tenant}")
            if write:
                async with connection.transaction():
                    yield _Session(connection)
                    # The driver leaves out the commit, without a word, when the connection is gone by then.
                    if connection.closed:
                        raise psycopg.OperationalError("the connection was closed before the commit")
            else:
                yield _Session(connection)

    async def declare(self, table: Table) -> None:
        """Make the table; columns are computed by the server, so older declarations cannot leave them out of date."""
        name = self.name(table)
        async with self.session(write=True) as session:
            await session.run("SELECT pg_advisory_xact_lock(7810229431)")
            rows = await session.run(
                f"SELECT indexes FROM {self._schema}.mastra_tables WHERE name=%s",  # noqa: S608 - the schema is checked
                (table.name,),
            )
            entries: list[str] = loads(rows[0][0]) if rows else []
            if not rows:
                await session.run(
                    f'CREATE TABLE {name}(tenant text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,'
                    f" exact json NOT NULL, {_JSONB_COLUMN}, PRIMARY KEY(tenant, key))"
                )
                if self._row_security:
                    await self._guard_table(session, name)
            for field in fields_of(table):
                await session.run(
                    f'ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {self.column(field)} text COLLATE "C"'
                    f" GENERATED ALWAYS AS ({self._schema}.mastra_sort((exact::jsonb)->'{field}')) STORED"
                )
            for entry in table.indexes:
                if entry not in entries:
                    columns = ", ".join(self.column(field) for field in entry.split("+"))
                    await session.run(f"CREATE INDEX ON {name}(tenant, {columns}, key)")
                    entries.append(entry)
            await session.run(
                f"INSERT INTO {self._schema}.mastra_tables VALUES (%s, %s)"  # noqa: S608 - the schema is checked
                " ON CONFLICT (name) DO UPDATE SET indexes = EXCLUDED.indexes",
                (table.name, dumps(entries)),
            )

    async def make_text_index(self, session: Session, table: Table, search: Search) -> None:
        """An index over the words; building it keeps writers of this table waiting."""
        if (await session.run("SELECT to_regclass(%s) IS NOT NULL", (f"{self._schema}.x_{search.slug}",)))[0][0]:
            return
        rows = await session.run("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'")
        # Without ICU in the server, letters beyond ASCII are what the database's own collation takes for letters.
        collation = 'pg_catalog."und-x-icu"' if rows[0][0] else 'pg_catalog."default"'
        async with self.session(write=True) as making:
            await making.run("SELECT pg_advisory_xact_lock(7810229431)")
            await making.run(WORDS_FUNCTION.format(schema=self._schema, length=MAX_TEXT, collation=collation))
            await making.run(
                f'CREATE INDEX IF NOT EXISTS "x_{search.slug}" ON {self.name(table)} USING gin ({self._words(search)})'
            )

    def _words(self, search: Search) -> str:
        place = search.path.json_path()
        return f"{self._schema}.mastra_words(jsonb_path_query_array(value, '{place}'::jsonpath))"

    def match(self, search: Search) -> tuple[str, list[Any], str, list[Any]]:
        """By `tsquery`, ranked by how often and in how long a text."""
        query = " & ".join(f"'{word}'" for word in search.words)
        words = self._words(search)
        return f"{words} @@ %s::tsquery", [query], f"ts_rank({words}, %s::tsquery, 1) DESC", [query]

    def name(self, table: Table) -> str:
        """The table's name."""
        return f'{self._schema}."m_{table.name}"'

    def column(self, field: str) -> str:
        """The column that the server computes from a field."""
        return f'"f_{field}"'

    def insert_sql(self, table: Table, *, replace: bool) -> str:
        """Insert a row."""
        tail = " ON CONFLICT (tenant, key) DO UPDATE SET exact = EXCLUDED.exact" if replace else ""
        return f"INSERT INTO {self.name(table)}(tenant, key, exact) VALUES (%s, %s, %s::json){tail}"  # noqa: S608 - names are checked

    def insert_arguments(self, operation: Put, text: str) -> Sequence[Any]:
        """What the insert binds."""
        return operation.table.tenant, operation.key, text

    async def _put_behind(self, expect: Expect, put: Put, text: str) -> bool:
        """One statement that commits by itself: a row that does not fit inserts nothing."""
        [(field, wanted)] = (expect.where or {}).items()
        sql = (
            f"WITH fence AS MATERIALIZED (SELECT 1 FROM {self.name(expect.table)} WHERE tenant=%s AND key=%s"  # noqa: S608 - names are checked
            " AND value->%s::text = %s::jsonb FOR UPDATE)"
            f" INSERT INTO {self.name(put.table)}(tenant, key, exact) SELECT %s, %s, %s::json FROM fence"
            " ON CONFLICT (tenant, key) DO UPDATE SET exact = EXCLUDED.exact RETURNING 1"
        )
        fence = (expect.table.tenant, expect.key, field, dumps(wanted))
        one = expect.table.tenant == put.table.tenant
        async with self.session(tenant=put.table.tenant if one else None) as session:
            return bool(await session.run(sql, [*fence, put.table.tenant, put.key, text]))

    def encode(self, value: Any) -> str:
        """The same text that `mastra_sort` makes."""
        if value is None:
            return "0"
        return f"2{value}" if isinstance(value, str) else f"1{sort_bytes(value)[1:].hex()}"

    def is_deadlock(self, error: Exception) -> bool:
        """40001 and 40P01: the server undid the transaction."""
        return isinstance(error, psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected)

    def is_duplicate(self, error: Exception) -> bool:
        """23505."""
        return isinstance(error, psycopg.errors.UniqueViolation)

    def translate(self, error: Exception) -> Exception:
        """PostgreSQL's error in our words."""
        if isinstance(error, MastraError) or not isinstance(
            error, psycopg.Error | psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed | OSError
        ):
            return error
        if isinstance(error, psycopg.errors.DiskFull):
            return StorageFull("The database has no space left; nothing was written.", adapter="postgres")
        if isinstance(error, psycopg.errors.DataCorrupted | psycopg.errors.IndexCorrupted):
            return StorageCorrupt(f"PostgreSQL reports damage: {error}.", adapter="postgres")
        if isinstance(error, psycopg.errors.IntegrityError):
            return Conflict("The database refused the write.", adapter="postgres")
        if isinstance(error, psycopg.OperationalError | psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed | OSError):
            return StorageUnavailable(
                "PostgreSQL cannot be reached, or the connection broke.",
                hint="Nothing was written. Look whether the server runs, and try again.",
                adapter="postgres",
            )
        return StorageError(f"PostgreSQL failed: {type(error).__name__}.", adapter="postgres")

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        await self.open()
        found: list[Table] = []
        async with self.session() as session:
            for table in await self._declared_tables(session):
                tenants = await session.run(f"SELECT DISTINCT tenant FROM {self.name(table)} ORDER BY 1")  # noqa: S608 - names are checked
                found += [Table(table.name, table.indexes, tenant) for (tenant,) in tenants]
        return found
