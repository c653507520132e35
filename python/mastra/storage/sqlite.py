"""Storage in one SQLite file: durable by default, many readers beside one writer thread that commits in groups."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import apsw

from mastra.errors import BadSetting, Conflict, StorageCorrupt, StorageUnavailable
from mastra.ports.storage import Storage
from mastra.storage.plans import begin_scan, plan
from mastra.storage.rows import (
    broken,
    check_batch,
    check_key,
    check_scan,
    check_table,
    encode_cursor,
    encode_value,
)  # fmt: skip
from mastra.storage.sqlite_file import (
    SCHEMA_VERSION,
    check_version,
    connect,
    declare,
    layout_of,
    prepare,
    sql_name,
    translate,
)  # fmt: skip
from mastra.storage.sqlite_search import has_index, make_index, select
from mastra.storage.sqlite_sql import delete_sql, one_sql, scan_sql, several_sql, upsert_sql, where_sql
from mastra.storage.sqlite_writer import Writer
from mastra.storage.texts import check_search
from mastra.types.filters import Matcher, compile_filter
from mastra.types.json import dumps, loads
from mastra.types.records import Expect, Filter, Layout, Operation, Order, Page, Put, Record, Table

T = TypeVar("T")
Durability = Literal["full", "process"]

# Batches up to this size are written at once where nothing is synced; others go to the writing thread.
INLINE_WRITES, INLINE_CHARACTERS = 16, 65_536
# Scans of this many rows that an index serves are read at once; others wait for a thread.
INLINE_LIMIT = 256


# How often this process is the child of a fork: an open database does not survive one.
_forks = 0


def _forked() -> None:
    global _forks  # noqa: PLW0603 - counted by the interpreter's hook
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class SqliteStorage(Storage):
    """Rows in an SQLite file in WAL mode. `durability="process"` survives a killed process, not a power cut."""

    def __init__(self, path: str | os.PathLike[str], *, durability: Durability = "full", readers: int = 4) -> None:
        if durability not in {"full", "process"}:
            raise BadSetting(f"{durability!r} is not a durability.", hint='Use "full" or "process".')
        self.path = os.fspath(path)
        if not self.path or "\0" in self.path or self.path == ":memory:":
            raise BadSetting("SQLite storage needs the path of a file.", hint='Use "memory:" for one without.')
        self._full = durability == "full"
        self._readers = readers
        self._writer: Writer | None = None
        self._inline: apsw.Connection | None = None
        self._inline_lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._pooled: list[apsw.Connection] = []
        self._declared: set[tuple[str, tuple[str, ...]]] = set()
        # Indexes of texts that are known to be there.
        self._searched: set[str] = set()
        self._opening: asyncio.Lock | None = None
        self._born = 0

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`; `?durability=process` opts down."""
        parts = urlsplit(url)
        path = unquote(parts.path)
        if parts.netloc or not path.startswith("/") or len(path) < 2:
            raise BadSetting(f"{url!r} does not name a file.", hint="Use sqlite:///file.db or sqlite:////path/file.db.")
        options = parse_qs(parts.query)
        unknown = set(options) - {"durability"}
        if unknown:
            raise BadSetting(f"{min(unknown)!r} is not an option of sqlite.", hint="Known: durability.")
        durability = options.get("durability", ["full"])[-1]
        return cls(path[1:], durability=durability)  # type: ignore[arg-type]  # the constructor checks the word

    async def open(self) -> None:
        """Open or make the file, check the version and the layout."""
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._writer is not None:
                self._check_process()
                return
            check_version()
            writer = Writer(self._connect_writer, self._translate)
            await writer.start()
            try:
                self._inline = connect(self.path, writable=False)
            except apsw.Error as error:
                await writer.stop()
                raise self._translate(error) from error
            self._born = _forks
            self._pool = ThreadPoolExecutor(self._readers, "mastra-sqlite-read")
            self._writer = writer

    async def layout(self) -> Layout:
        """The layout of the file as it is; a file that is not there is not made."""
        return await asyncio.to_thread(self._read_layout)

    def _read_layout(self) -> Layout:
        check_version()
        if not os.path.exists(self.path):  # noqa: PTH110 - the path is a text throughout
            return Layout(0, SCHEMA_VERSION)
        try:
            with contextlib.closing(connect(self.path, writable=False)) as connection:
                return layout_of(connection, self.path)
        except apsw.Error as error:
            raise self._translate(error) from error

    async def close(self) -> None:
        """Finish pending writes and close the file."""
        writer, self._writer = self._writer, None
        if writer is None or self._born != _forks:
            return
        await writer.stop()
        assert self._pool is not None
        self._pool.shutdown(wait=True)
        for connection in [*self._pooled, *([self._inline] if self._inline else [])]:
            connection.close()
        self._pooled.clear()
        self._local = threading.local()
        self._inline = None
        self._declared.clear()
        self._searched.clear()
        self._opening = None

    def _connect_writer(self) -> apsw.Connection:
        Path(self.path).absolute().parent.mkdir(parents=True, exist_ok=True)
        connection = connect(self.path, writable=True, full=self._full)
        try:
            prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _translate(self, error: BaseException) -> BaseException:
        return translate(error, self.path)

    def _check_process(self) -> None:
        if self._born != _forks:
            raise StorageUnavailable(
                "This storage was opened before the process forked.",
                hint="Open storage in the child process.",
                retryable=False,
                adapter="sqlite",
            )

    # ---------------------------------------------------------------- reading

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        await self._ready(table)
        sql, arguments = one_sql(table), (table.tenant, check_key(key))
        text = await self._read(lambda connection: connection.execute(sql, arguments).get, quick=True)
        return None if text is None else self._load(table, key, text)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist, in one read."""
        await self._ready(table)
        wanted = list(dict.fromkeys(map(check_key, keys)))
        sql = one_sql(table)

        def read(connection: apsw.Connection) -> list[Any]:
            return [connection.execute(sql, (table.tenant, key)).get for key in wanted]

        texts = await self._read(read, quick=len(wanted) <= INLINE_LIMIT)
        return {key: self._load(table, key, text) for key, text in zip(wanted, texts, strict=True) if text is not None}

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Rows that match `where`, ordered, from the cursor on."""
        matcher, chosen, cursor = begin_scan(table, where, order, after, limit)
        await self._ready(table)
        statements = scan_sql(table, chosen, order, cursor)

        def read(connection: apsw.Connection) -> list[Record]:
            records: list[Record] = []
            for sql, arguments in statements:
                if chosen.exact:
                    rows = connection.execute(f"{sql} LIMIT ?", (*arguments, limit + 1 - len(records)))
                    records += [Record(key, self._load(table, key, text)) for key, text in rows]
                else:
                    self._read_matching(table, connection.execute(sql, arguments), matcher, records, limit + 1)
                if len(records) > limit:
                    break
            return records

        quick = limit <= INLINE_LIMIT and chosen.exact and chosen.ordered
        records = await self._read(read, quick=quick)
        if len(records) <= limit:
            return Page(records)
        records.pop()
        last = records[-1]
        return Page(records, encode_cursor(order, last.value.get(order.field) if order else None, last.key))

    def _read_matching(
        self, table: Table, rows: Iterable[tuple[Any, ...]], matcher: Matcher, records: list[Record], limit: int
    ) -> None:
        for key, text in rows:
            value = self._load(table, key, text)
            if matcher(value):
                records.append(Record(key, value))
                if len(records) == limit:
                    return

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """How many rows match."""
        matcher = compile_filter(where)
        chosen = plan(table, where, None)
        await self._ready(table)
        clause, arguments = where_sql(table, chosen)

        def read(connection: apsw.Connection) -> int:
            if chosen.exact:
                sql = f"SELECT count(*) FROM {sql_name(table)} WHERE {clause}"  # noqa: S608 - names are checked
                return int(connection.execute(sql, arguments).get)
            sql = f"SELECT key, value FROM {sql_name(table)} WHERE {clause}"  # noqa: S608 - names are checked
            rows = connection.execute(sql, arguments)
            return sum(1 for key, text in rows if matcher(self._load(table, key, text)))

        return await self._read(read)

    async def search_text(
        self, table: Table, field: str, query: str, *, where: Filter | None = None, limit: int = 10
    ) -> list[Record]:
        """The rows whose texts at `field` have every word of `query`, best first. The first search makes the index."""
        search = check_search(table, field, query, limit)
        matcher = compile_filter(where)
        chosen = plan(table, where, None)
        await self._ready(table)
        if not search.words:
            return []
        if search.slug not in self._searched:
            if not await self._read(lambda connection: has_index(connection, search), quick=True):
                await self._submit(lambda connection: make_index(connection, table, search))
            self._searched.add(search.slug)
        sql, arguments = select(table, search, *where_sql(table, chosen))

        def read(connection: apsw.Connection) -> list[Record]:
            records: list[Record] = []
            rows = connection.execute(sql, arguments)
            self._read_matching(table, rows, lambda value: matcher(value) and search.fits(value), records, limit)
            return records

        return await self._read(read)

    def _load(self, table: Table, key: str, text: Any) -> dict[str, Any]:
        try:
            value = loads(text)
            if not isinstance(value, dict):
                raise TypeError(type(value).__name__)  # noqa: TRY301 - the same refusal as for bad JSON
        except (ValueError, TypeError) as error:
            raise StorageCorrupt(
                f"The row {key!r} of {table.name!r} in {self.path} is not JSON.", adapter="sqlite"
            ) from error
        return value

    async def _read(self, work: Callable[[apsw.Connection], T], *, quick: bool = False) -> T:
        """Run a read: short ones at once (a WAL reader waits for nobody), long ones in a thread."""
        try:
            if quick and self._inline_lock.acquire(blocking=False):
                try:
                    assert self._inline is not None
                    return work(self._inline)
                finally:
                    self._inline_lock.release()
            assert self._pool is not None
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._pooled_read, work)
        except apsw.Error as error:
            raise self._translate(error) from error

    def _pooled_read(self, work: Callable[[apsw.Connection], T]) -> T:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self.path, writable=False)
            self._pooled.append(connection)
        return work(connection)

    # ---------------------------------------------------------------- writing

    async def write(self, batch: Sequence[Operation]) -> None:
        """All of `batch` or nothing, synced to the disk when it returns."""
        await self._write(batch, outlasts=False)

    async def write_out(self, batch: Sequence[Operation]) -> None:
        """`write`, of which a cancellation is raised only when it has ended."""
        await self._write(batch, outlasts=True)

    async def _write(self, batch: Sequence[Operation], *, outlasts: bool) -> None:
        checked = check_batch(batch)
        for table in {id(operation.table): operation.table for operation in batch}.values():
            if (table.name, table.indexes) not in self._declared:
                await self._ready(table)
        if not checked:
            return
        if not self._full and len(checked) <= INLINE_WRITES and self._writer is not None:
            self._check_process()
            if sum(len(text) for _, text in checked) <= INLINE_CHARACTERS and self._writer.try_now(
                lambda connection: _apply(connection, checked)
            ):
                return
        await self._submit(lambda connection: _apply(connection, checked), outlasts=outlasts)

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Take rows: looking and changing happen in one write transaction."""
        check_scan(table, order, limit)
        matcher = compile_filter(where)
        chosen = plan(table, where, order)
        await self._ready(table)
        [(sql, arguments)] = scan_sql(table, chosen, order, None)

        def job(connection: apsw.Connection) -> list[Record]:
            found: list[Record] = []
            self._read_matching(table, connection.execute(sql, arguments), matcher, found, limit)
            claimed = [Record(record.key, {**record.value, **changes}) for record in found]
            for record in claimed:
                connection.execute(upsert_sql(table), (table.tenant, record.key, encode_value(table, record.value)))
            return claimed

        result: list[Record] = await self._submit(job)
        return result

    async def _submit(self, job: Callable[[apsw.Connection], Any], *, outlasts: bool = False) -> Any:
        if self._writer is None:
            raise StorageUnavailable("The storage is not open.", hint="Call open() first.", retryable=False)
        return await self._writer.submit(job, outlasts=outlasts)

    async def _ready(self, table: Table) -> None:
        """The table exists with its indexes; made on first use, then remembered."""
        check_table(table)
        if (table.name, table.indexes) in self._declared:
            if self._writer is None:
                raise StorageUnavailable("The storage is not open.", hint="Call open() first.", retryable=False)
            if self._born != _forks:
                self._check_process()
            return
        if self._writer is None:
            await self.open()
        self._check_process()
        await self._submit(lambda connection: declare(connection, table))
        self._declared.add((table.name, table.indexes))

    # ---------------------------------------------------------------- care

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        await self.open()

        def read(connection: apsw.Connection) -> list[Table]:
            found: list[Table] = []
            for name, indexes in list(connection.execute("SELECT name, indexes FROM mastra_tables ORDER BY name")):
                table = Table(name, tuple(loads(indexes)))
                tenants = connection.execute(f"SELECT DISTINCT tenant FROM {sql_name(table)} ORDER BY 1")  # noqa: S608 - names are checked
                found += [Table(name, table.indexes, tenant) for (tenant,) in tenants]
            return found

        return await self._read(read)

    async def integrity_check(self) -> None:
        """Read the whole file; `StorageCorrupt` names what is damaged."""
        await self.open()
        problems = await self._read(lambda connection: [row[0] for row in connection.execute("PRAGMA integrity_check")])
        if problems != ["ok"]:
            raise StorageCorrupt(f"{self.path} is damaged: {'; '.join(problems)[:500]}", adapter="sqlite")

    def beside(self, name: str) -> Path:
        """`app.db.name` for `app.db`."""
        return Path(f"{self.path}.{name}")

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the database into a new file while it is in use; the file appears when it is whole."""
        await self.open()
        target = Path(path)
        part = target.with_name(target.name + ".part")

        def copy() -> None:
            part.unlink(missing_ok=True)
            source, sink = connect(self.path, writable=False), apsw.Connection(str(part))
            try:
                with sink.backup("main", source, "main") as running:
                    while not running.done:
                        running.step(1000)
            finally:
                source.close()
                sink.close()
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)

        try:
            await asyncio.to_thread(copy)
        except (apsw.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise self._translate(error) from error


def _apply(connection: apsw.Connection, checked: list[tuple[Operation, str]]) -> None:
    """One batch inside the open transaction; operations of one kind that stand in a row are one call."""
    expected = [operation for operation, _ in checked if type(operation) is Expect]
    if expected:
        _expect(connection, expected)
    pending: list[tuple[str, ...]] = []
    make: Callable[[Table], str] = upsert_sql
    table: Table | None = None
    for operation, text in checked:
        if type(operation) is Expect:
            continue
        wanted = upsert_sql if type(operation) is Put else delete_sql
        if operation.table is not table or wanted is not make:
            if table is not None and pending:
                _run(connection, make(table), pending)
                pending = []
            table, make = operation.table, wanted
        place = (operation.table.tenant, operation.key)
        pending.append((*place, text) if wanted is upsert_sql else place)
    if table is not None:
        _run(connection, make(table), pending)


def _run(connection: apsw.Connection, sql: str, rows: list[tuple[str, ...]]) -> None:
    if len(rows) == 1:
        connection.execute(sql, rows[0])
    else:
        connection.executemany(sql, rows)


# Many writes in a row are fenced by the same row.
_known = functools.lru_cache(maxsize=1024)(loads)
# From so many rows of a table on, they are looked up in one query.
_MANY = 4


def _expect(connection: apsw.Connection, expected: list[Expect]) -> None:
    """Every precondition holds, or a `Conflict` names the first that does not."""
    table = expected[0].table
    found: dict[str, str] | None = None
    if len(expected) >= _MANY and all(one.table is table or one.table == table for one in expected):
        keys = dumps([one.key for one in expected])
        found = dict(connection.execute(several_sql(table), (table.tenant, keys)))
    for one in expected:
        text: Any
        if found is not None:
            text = found.get(one.key)
        else:
            text = connection.execute(one_sql(one.table), (one.table.tenant, one.key)).get
        if (one.where is None) is not (text is None) or (
            one.where and not compile_filter(one.where)(_known(text) if len(text) < 1024 else loads(text))
        ):
            raise Conflict(broken(one), adapter="sqlite")
