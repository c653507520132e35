"""Vectors in PostgreSQL with the pgvector extension: a table an index, distances and ordering done by the server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mastra.errors import (
    BadSetting,
    IndexMissing,
    MastraError,
    MissingExtra,
    NotFound,
    Unsupported,
    VectorError,
)  # fmt: skip
from mastra.ports.vectors import IndexInfo, Match, Metric, VectorRow, VectorStore
from mastra.types.filters import check, compile_filter, conditions
from mastra.types.json import dumps, loads
from mastra.types.records import Filter
from mastra.vectors.growing import search_growing
from mastra.vectors.rows import (
    Vector,
    check_delete,
    check_index,
    check_metadata,
    check_query,
    check_row_id,
    check_rows,
    check_same,
    check_shape,
    check_vector,
)  # fmt: skip

try:
    import psycopg
    import psycopg_pool
except ImportError as error:
    raise MissingExtra("postgres", feature="pgvector", module="psycopg") from error

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,40}")
_OPERATORS = {"cosine": ("<=>", "vector_cosine_ops"), "dotproduct": ("<#>", "vector_ip_ops"),
              "euclidean": ("<->", "vector_l2_ops")}  # fmt: skip
# The extension's graph takes no more dimensions; larger vectors are scanned.
MAX_INDEXED = 2_000
_LOCK = 7810229432


class PgVectors(VectorStore):
    """Named indexes, each a table in a schema of their own. Needs pgvector 0.5 or newer."""

    def __init__(self, url: str, *, schema: str = "mastra_vectors", pool_size: int = 10) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise BadSetting(f"{schema!r} is not a schema name.", hint="Use lower-case letters, digits and _.")
        self._url = url
        self._schema = schema
        self._pool_size = pool_size
        self._pool: psycopg_pool.AsyncConnectionPool[Any] | None = None
        self._opening = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`pgvector://user:password@host/database`; `?schema=` is ours, the rest is the driver's."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        schema = options.pop("schema", "mastra_vectors")
        return cls(urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), "")), schema=schema)

    async def open(self) -> None:
        """Connect and make the schema."""
        async with self._opening:
            if self._pool is not None:
                return
            pool: psycopg_pool.AsyncConnectionPool[Any] = psycopg_pool.AsyncConnectionPool(
                self._url, min_size=1, max_size=self._pool_size, open=False, timeout=30, kwargs={"autocommit": True}
            )
            try:
                await pool.open(wait=True, timeout=15)
                async with pool.connection() as connection, connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                    await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
                    await connection.execute(
                        f"CREATE TABLE IF NOT EXISTS {self._schema}.indexes"
                        "(name text PRIMARY KEY, dimension int NOT NULL, metric text NOT NULL)"
                    )
            except Exception as error:
                await pool.close()
                raise translate(error) from error
            self._pool = pool

    async def close(self) -> None:
        """Give the connections back."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _run(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        await self.open()
        assert self._pool is not None
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(sql, arguments)
                return await cursor.fetchall() if cursor.description else []
        except Exception as error:
            raise translate(error) from error

    def _table(self, index: str) -> str:
        # The alphabet of names has no quotes.
        return f'{self._schema}."v_{check_index(index)}"'

    async def create(self, index: str, dimension: int, metric: Metric = "cosine") -> None:
        """Make the table and its graph."""
        check_index(index)
        check_shape(dimension, metric)
        await self.open()
        assert self._pool is not None
        table = self._table(index)
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                cursor = await connection.execute(
                    f"SELECT dimension, metric FROM {self._schema}.indexes WHERE name=%s",  # noqa: S608 - the schema is checked
                    (index,),
                )
                known = await cursor.fetchone()
                if known is None:
                    await connection.execute(
                        f'CREATE TABLE {table}(id text COLLATE "C" PRIMARY KEY, embedding vector({int(dimension)})'
                        " NOT NULL, metadata json, document text)"
                    )
                    if dimension <= MAX_INDEXED:
                        await connection.execute(
                            f"CREATE INDEX ON {table} USING hnsw (embedding {_OPERATORS[metric][1]})"
                        )
                    await connection.execute(
                        f"INSERT INTO {self._schema}.indexes VALUES (%s, %s, %s)",  # noqa: S608 - the schema is checked
                        (index, dimension, metric),
                    )
        except Exception as error:
            raise translate(error) from error
        if known is not None:
            check_same(index, known, (dimension, metric), "pgvector")

    async def _shape(self, index: str) -> tuple[int, Metric]:
        check_index(index)
        sql = f"SELECT dimension, metric FROM {self._schema}.indexes WHERE name=%s"  # noqa: S608 - the schema is checked
        rows = await self._run(sql, (index,))
        if not rows:
            raise IndexMissing(f"There is no index {index!r}.", adapter="pgvector")
        return rows[0][0], rows[0][1]

    async def drop(self, index: str) -> None:
        """Remove the table."""
        await self._shape(index)
        await self._run(
            f"WITH gone AS (DELETE FROM {self._schema}.indexes WHERE name=%s RETURNING 1) SELECT count(*) FROM gone",  # noqa: S608 - the schema is checked
            (index,),
        )
        await self._run(f"DROP TABLE IF EXISTS {self._table(index)}")

    async def describe(self, index: str) -> IndexInfo:
        """Dimension, metric and number of rows."""
        dimension, metric = await self._shape(index)
        [(count,)] = await self._run(f"SELECT count(*) FROM {self._table(index)}")  # noqa: S608 - names are checked
        return IndexInfo(index, dimension, metric, count)

    async def names(self) -> list[str]:
        """The indexes, sorted."""
        await self.open()
        return sorted(name for (name,) in await self._run(f"SELECT name FROM {self._schema}.indexes"))  # noqa: S608 - the schema is checked

    async def upsert(self, index: str, rows: Sequence[VectorRow]) -> None:
        """Add or replace rows in one transaction."""
        dimension, metric = await self._shape(index)
        checked = check_rows(rows, dimension, metric)
        if not checked:
            return
        sql = (
            f"INSERT INTO {self._table(index)} VALUES (%s, %s::vector, %s::json, %s) ON CONFLICT (id) DO UPDATE SET"  # noqa: S608 - names are checked
            " embedding=EXCLUDED.embedding, metadata=EXCLUDED.metadata, document=EXCLUDED.document"
        )
        values = [(row.id, _literal(vector), _json(row.metadata), row.document) for row, vector in checked]
        assert self._pool is not None
        try:
            async with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
                # One order for everybody, so that two upserts do not wait for each other in a circle.
                await cursor.executemany(sql, sorted(values, key=lambda item: item[0]))
        except Exception as error:
            raise translate(error) from error

    async def query(
        self,
        index: str,
        vector: Sequence[float],
        *,
        k: int = 10,
        where: Filter | None = None,
        include_vector: bool = False,
    ) -> list[Match]:
        """The `k` best rows whose metadata match, best first. With a filter the rows it leaves are scanned."""
        check_query(k, where)
        dimension, metric = await self._shape(index)
        wanted = _literal(check_vector(vector, dimension, metric))
        clause, arguments = _narrow(where)
        kept = ", embedding::text" if include_vector else ", NULL"
        distance = f"embedding {_OPERATORS[metric][0]} %s::vector"
        # Adding nothing to the distance keeps the graph out of a filtered search: it would stop too early.
        ordering = f"({distance}) + 0" if where else distance
        sql = (
            f"SELECT id, {distance}, metadata::text, document{kept} FROM {self._table(index)} WHERE {clause}"  # noqa: S608 - names are checked
            f" ORDER BY {ordering} LIMIT %s"
        )

        async def fetch(count: int) -> list[Match]:
            await self.open()
            assert self._pool is not None
            try:
                async with self._pool.connection() as connection, connection.transaction():
                    await connection.execute(f"SET LOCAL hnsw.ef_search = {min(1000, max(100, 2 * count))}")
                    cursor = await connection.execute(sql, (wanted, *arguments, wanted, count))
                    rows = await cursor.fetchall()
            except Exception as error:
                raise translate(error) from error
            return [_match(row, metric) for row in rows]

        return await search_growing(fetch, k, where)

    async def delete(self, index: str, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> int:
        """Remove rows by id or by filter; the number removed."""
        await self._shape(index)
        check_delete(ids, where)
        check(where)
        if ids is not None:
            wanted = [check_row_id(row_id) for row_id in dict.fromkeys(ids)]
        else:
            clause, arguments = _narrow(where)
            matcher = compile_filter(where)
            rows = await self._run(f"SELECT id, metadata::text FROM {self._table(index)} WHERE {clause}", arguments)  # noqa: S608 - names are checked
            wanted = [row_id for row_id, text in rows if matcher(loads(text) if text else {})]
        sql = f"DELETE FROM {self._table(index)} WHERE id = ANY(%s) RETURNING 1"  # noqa: S608 - names are checked
        return len(await self._run(sql, (wanted,)))

    async def update(
        self,
        index: str,
        row_id: str,
        *,
        vector: Sequence[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Change a row's vector, metadata or both, in one statement."""
        dimension, metric = await self._shape(index)
        check_metadata(metadata)
        new = None if vector is None else _literal(check_vector(vector, dimension, metric))
        sql = (
            f"UPDATE {self._table(index)} SET embedding = coalesce(%s::vector, embedding),"  # noqa: S608 - names are checked
            " metadata = coalesce(%s::json, metadata) WHERE id = %s RETURNING 1"
        )
        if not await self._run(sql, (new, _json(metadata), check_row_id(row_id))):
            raise NotFound(f"The index {index!r} has no vector {row_id!r}.")


def _literal(vector: Vector) -> str:
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def _json(metadata: dict[str, Any] | None) -> str | None:
    return None if metadata is None else dumps(metadata)


def _narrow(where: Filter | None) -> tuple[str, list[Any]]:
    """The part of a filter that is about texts, as SQL with bound keys and values; a superset of what matches."""
    names = {key for key in _keys(where) if "." not in key}
    demanded, _ = conditions(where, names)
    parts, arguments = ["TRUE"], []
    for condition in demanded:
        operands = condition.operand if condition.op == "$in" else [condition.operand]
        if condition.op in {"$eq", "$in"} and all(isinstance(item, str) for item in operands):
            # A text, or a list that has it.
            either = " OR ".join(["metadata::jsonb -> %s @> to_jsonb(%s::text)"] * len(operands))
            parts.append(f"({either})")
            for item in operands:
                arguments += [condition.field, item]
    return " AND ".join(parts), arguments


def _keys(where: Filter | None) -> set[str]:
    keys: set[str] = set()
    for key, operand in (where or {}).items():
        keys |= set().union(*map(_keys, operand)) if key == "$and" else {key}
    return keys


def _match(row: tuple[Any, ...], metric: Metric) -> Match:
    row_id, distance, text, document, vector = row
    score = {"cosine": 1.0 - distance, "dotproduct": -distance, "euclidean": 1.0 / (1.0 + distance)}[metric]
    return Match(row_id, score, loads(text) if text else None, loads(vector) if vector else None, document)


def translate(error: Exception) -> Exception:
    """PostgreSQL's error in our words."""
    if isinstance(error, MastraError) or not isinstance(
        error, psycopg.Error | psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed | OSError
    ):
        return error
    if isinstance(error, psycopg.errors.UndefinedTable):
        return IndexMissing("The index was dropped meanwhile.", adapter="pgvector")
    if isinstance(error, psycopg.errors.FeatureNotSupported | psycopg.errors.UndefinedFile):
        return Unsupported("This PostgreSQL has no pgvector extension.", hint="Install pgvector on the server.")
    unreachable = isinstance(
        error, psycopg.OperationalError | psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed | OSError
    )
    what = "cannot be reached" if unreachable else f"failed: {type(error).__name__}"
    return VectorError(f"PostgreSQL {what}.", adapter="pgvector", retryable=unreachable)
