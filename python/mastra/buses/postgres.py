"""The event bus in PostgreSQL: a table that keeps the events and NOTIFY that wakes the readers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mastra.buses.topics import check_data, check_topic, number_of
from mastra.errors import BadSetting, BusError, MissingExtra
from mastra.ports.bus import BusEvent, EventBus
from mastra.types.json import dumps, loads

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")
# A notification may be lost with its connection: readers look this often without one.
_LOOK_S = 2.0
_AT_ONCE = 200
_CHANNEL = "mastra_bus"


class PostgresBus(EventBus):
    """A table per schema; events older than `keep_s` seconds are removed as new ones come."""

    def __init__(self, url: str, *, table: str = "mastra_bus", keep_s: int = 86_400) -> None:
        if not _NAME.fullmatch(table):
            raise BadSetting(f"{table!r} is not a table name.", hint="Use a-z, 0-9 and _.")
        self._url = url
        self._table = table
        self._keep_s = keep_s
        self._pool: Any = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`postgresql://user@host:5432/db?table=mastra_bus&keep_s=3600`."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        table, keep = options.pop("table", "mastra_bus"), options.pop("keep_s", "86400")
        if not keep.isdigit():
            raise BadSetting("keep_s must be a number of seconds.")
        rest = parts._replace(scheme="postgresql", query=urlencode(options))
        return cls(urlunsplit(rest), table=table, keep_s=int(keep))

    async def open(self) -> None:
        """Connect and make the table."""
        if self._pool is not None:
            return
        try:
            from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtra("postgres", feature="The PostgreSQL event bus", module="psycopg_pool") from error
        pool = AsyncConnectionPool(self._url, min_size=1, max_size=8, open=False, kwargs={"autocommit": True})
        try:
            with _translated():
                await pool.open(wait=True, timeout=10)
                async with pool.connection() as connection:
                    await self._prepare(connection)
        except BaseException:
            await pool.close()
            raise
        self._pool = pool

    async def _prepare(self, connection: Any) -> None:
        async with connection.transaction():
            # Two processes that make the table at once would trip over each other.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._table,))
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._table} (id bigserial PRIMARY KEY, topic text NOT NULL, "
                "data text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
            )
            await connection.execute(f"CREATE INDEX IF NOT EXISTS {self._table}_topic ON {self._table} (topic, id)")

    async def close(self) -> None:
        """Let the connections go."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _ready(self) -> Any:
        if self._pool is None:
            await self.open()
        return self._pool

    async def publish(self, topic: str, data: dict[str, Any]) -> str:
        """Add an event; its cursor once it is committed."""
        check_topic(topic)
        body = dumps(check_data(data))
        pool = await self._ready()
        with _translated():
            async with pool.connection() as connection, connection.transaction():
                # One writer of a topic at a time: ids then become visible in their order and no reader skips one.
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"{self._table}/{topic}",))
                answer = await connection.execute(
                    f"INSERT INTO {self._table} (topic, data) VALUES (%s, %s) RETURNING id",  # noqa: S608 - checked name
                    (topic, body),
                )
                (number,) = await answer.fetchone()
                await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, f"{self._table}/{topic}"[:200]))
                if number % 1_000 == 0:
                    await connection.execute(
                        f"DELETE FROM {self._table} WHERE at < now() - make_interval(secs => %s)",  # noqa: S608 - checked name
                        (self._keep_s,),
                    )
        return str(number)

    @asynccontextmanager
    async def subscribe(self, topic: str, *, after: str | None = None) -> AsyncIterator[AsyncIterator[BusEvent]]:
        """Events as they come; with `after`, first those since."""
        check_topic(topic)
        position = number_of(after) if after is not None else None
        await self._ready()
        import psycopg  # noqa: PLC0415 - an extra; present, because the pool is

        with _translated():
            connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        try:
            with _translated():
                await connection.execute(f"LISTEN {_CHANNEL}")
                if position is None:
                    answer = await connection.execute(
                        f"SELECT coalesce(max(id), 0) FROM {self._table} WHERE topic = %s",  # pyright: ignore[reportArgumentType]  # noqa: S608 - checked name
                        (topic,),
                    )
                    row = await answer.fetchone()
                    position = int(row[0]) if row else 0
            yield self._read(connection, topic, position)
        finally:
            await connection.close()

    async def _read(self, connection: Any, topic: str, position: int) -> AsyncIterator[BusEvent]:
        query = f"SELECT id, data FROM {self._table} WHERE topic = %s AND id > %s ORDER BY id LIMIT %s"  # noqa: S608 - checked name
        while True:
            with _translated():
                rows = await (await connection.execute(query, (topic, position, _AT_ONCE))).fetchall()
            for number, body in rows:
                position = number
                yield BusEvent(str(number), loads(body))
            if not rows:
                with _translated():
                    async for _ in connection.notifies(timeout=_LOOK_S, stop_after=1):
                        break


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    import psycopg  # noqa: PLC0415 - an extra

    try:
        yield
    except (TimeoutError, psycopg.Error, OSError) as error:
        raise BusError(f"PostgreSQL failed: {error}", adapter="postgres", retryable=True) from error
