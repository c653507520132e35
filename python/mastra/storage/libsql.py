"""Storage in libSQL (sqld, Turso) over HTTP: the statements of SQLite, each batch in one request.

A batch is written only when the rows that it expects are still what they were when their conditions were tried, so the
one write lock of the database is never held while something travels over the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Self, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx

from mastra.errors import (
    BadSetting,
    CommitUnknown,
    Conflict,
    InvalidInput,
    MastraError,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageUnavailable,
)  # fmt: skip
from mastra.storage.keyset import KeysetStorage, Place, place_of
from mastra.storage.layouts import known_layout
from mastra.storage.plans import Plan
from mastra.storage.rows import broken, check_batch, check_key, check_scan, check_table, encode_value
from mastra.storage.sqlite_file import NOTE_TABLE, missing, sql_name
from mastra.storage.sqlite_sql import (
    delete_several_sql,
    one_sql,
    scan_sql,
    several_sql,
    upsert_several_sql,
    upsert_sql,
    where_sql,
)
from mastra.types.filters import compile_filter
from mastra.types.json import dumps, loads
from mastra.types.records import Expect, Filter, Layout, Operation, Order, Put, Record, Table

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")
Statement: TypeAlias = tuple[str, Sequence[Any]]

LAYOUT = 1
# From nothing to layout 1.
MAKE = (
    "CREATE TABLE IF NOT EXISTS mastra_layout(version INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS mastra_tables(name TEXT PRIMARY KEY, indexes TEXT NOT NULL)",
    "INSERT INTO mastra_layout VALUES(1) ON CONFLICT DO NOTHING",
)
# A server takes texts of 5 MB and gives answers of 10 MB, unless it is told otherwise.
MAX_ROW = 5_000_000
# So many characters of keys and values are one argument of a statement; as JSON they may be four times as many bytes.
PART = 500_000
MAX_TRIES = 50
_KINDS = {str: "text", int: "integer", bool: "integer", float: "float"}


class LibsqlStorage(KeysetStorage):
    """Rows in a database of libSQL. They are as durable as its server keeps them."""

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._declared: set[tuple[str, tuple[str, ...]]] = set()
        self._opening = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`libsql://host?authToken=...`; `?tls=0` speaks plain HTTP, to a server of one's own."""
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        unknown = set(options) - {"authToken", "tls"}
        if unknown:
            raise BadSetting(f"{min(unknown)!r} is not an option of libsql.", hint="Known: authToken, tls.")
        if not parts.netloc or "@" in parts.netloc:
            raise BadSetting("A libsql URL names a host.", hint="Use libsql://host?authToken=...")
        if options.get("tls", "1") not in {"0", "1"}:
            raise BadSetting(f"tls={options['tls']!r} is neither 0 nor 1.")
        scheme = "http" if options.get("tls") == "0" else "https"
        return cls(f"{scheme}://{parts.netloc}{parts.path}", token=options.get("authToken"))

    async def open(self) -> None:
        """Connect and bring the layout forward."""
        async with self._opening:
            if self._client is not None:
                return
            self._client = self._connect()
            try:
                if (await self._layout()).found < LAYOUT:
                    await self._commit([], [(statement, ()) for statement in MAKE])
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        self._declared.clear()
        if client is not None:
            await client.aclose()

    def _connect(self) -> httpx.AsyncClient:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        return httpx.AsyncClient(headers=headers, timeout=60, transport=self._transport)

    async def layout(self) -> Layout:
        """The layout in the database as it is; nothing is made."""
        async with self._opening:
            if self._client is not None:
                return await self._layout()
            self._client = self._connect()
            try:
                return await self._layout()
            finally:
                await self.close()

    async def _layout(self) -> Layout:
        there = "SELECT count(*) FROM sqlite_schema WHERE name='mastra_layout'"
        [[[found]]] = await self._read((there, ()))
        if found:
            [[[found]]] = await self._read(("SELECT max(version) FROM mastra_layout", ()))
        return known_layout(found or 0, LAYOUT, self._url, "libsql")

    async def ready(self, table: Table) -> None:
        """Connected, and the table declared."""
        check_table(table)
        if (table.name, table.indexes) in self._declared:
            return
        await self.open()
        for attempt in range(MAX_TRIES):
            noted, found = await self._read(
                ("SELECT indexes FROM mastra_tables WHERE name=?", (table.name,)),
                ("SELECT name FROM pragma_table_xinfo(?)", (f"m_{table.name}",)),
            )
            known = noted[0][0] if noted else None
            statements, entries = missing(table, known, {row[0] for row in found})
            # Somebody else who declares the same table at this moment makes it stand otherwise.
            same = "SELECT json(CASE WHEN (SELECT indexes FROM mastra_tables WHERE name=?) IS ? THEN '1' ELSE '' END)"
            making = [*((statement, ()) for statement in statements), (NOTE_TABLE, (table.name, entries))]
            if not statements or await self._commit([(same, (table.name, known))], making):
                self._declared.add((table.name, table.indexes))
                return
            await asyncio.sleep(0.002 * attempt)
        raise _contended()

    # ---------------------------------------------------------------- reading

    async def get(self, table: Table, key: str) -> Json | None:
        """The row, or None."""
        return (await self.get_many(table, [key])).get(key)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, Json]:
        """The rows of `keys` that exist, in one request where they fit an answer."""
        wanted = list(dict.fromkeys(map(check_key, keys)))
        await self.ready(table)
        texts = await self._texts(table, wanted)
        return {key: _load(table, key, texts[key]) for key in wanted if key in texts}

    async def _texts(self, table: Table, keys: Iterable[str]) -> dict[str, str]:
        texts: dict[str, str] = {}
        todo = list(_parts(keys, len))
        while todo:
            part = todo.pop()
            try:
                [rows] = await self._read((several_sql(table), (table.tenant, dumps(part))))
            except _TooLarge:
                if len(part) == 1:
                    raise
                todo += [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                texts.update((key, text) for key, text in rows)
        return texts

    async def find(
        self, table: Table, chosen: Plan, order: Order | None, place: Place | None, limit: int
    ) -> list[Record]:
        """At most `limit` rows that meet the plan's conditions, after `place`, in order."""
        records: list[Record] = []
        size = limit
        while len(records) < limit:
            size = min(size, limit - len(records))
            statements = [
                (f"{sql} LIMIT {size}", arguments) for sql, arguments in scan_sql(table, chosen, order, place)
            ]
            try:
                answers = await self._read(*statements)
            except _TooLarge:
                if size == 1:
                    raise
                size //= 2
                continue
            rows = [row for answer in answers for row in answer][:size]
            records += [Record(key, _load(table, key, text)) for key, text in rows]
            if len(rows) < size:
                break
            place = place_of(records[-1], order)
        return records

    async def count_exact(self, table: Table, chosen: Plan) -> int:
        """How many rows meet the plan's conditions."""
        clause, arguments = where_sql(table, chosen)
        [[[total]]] = await self._read((f"SELECT count(*) FROM {sql_name(table)} WHERE {clause}", arguments))  # noqa: S608 - names are checked
        return int(total)

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        await self.open()
        [rows] = await self._read(("SELECT name, indexes FROM mastra_tables ORDER BY name", ()))
        known = [Table(name, tuple(loads(indexes))) for name, indexes in rows]
        asked = [(f"SELECT DISTINCT tenant FROM {sql_name(table)} ORDER BY 1", ()) for table in known]  # noqa: S608 - names are checked
        tenants = await self._read(*asked) if asked else []
        pairs = zip(known, tenants, strict=True)
        return [Table(table.name, table.indexes, tenant) for table, found in pairs for (tenant,) in found]

    # ---------------------------------------------------------------- writing

    async def write(self, batch: Sequence[Operation]) -> None:
        """All of `batch` or nothing, committed when it returns."""
        checked = check_batch(batch)
        for operation, text in checked:
            if len(text) > MAX_ROW // 4 and len(text.encode()) > MAX_ROW:
                raise InvalidInput(f"libSQL takes rows of at most {MAX_ROW:,} bytes.")
            await self.ready(operation.table)
        expected = [operation for operation, _ in checked if isinstance(operation, Expect)]
        writes = _writes([item for item in checked if not isinstance(item[0], Expect)])
        for attempt in range(MAX_TRIES):
            # At first the write itself finds out whether what shall be absent is.
            looked = [one for one in expected if attempt or one.where is not None]
            guards = await self._tried(looked, [one for one in expected if one not in looked])
            if not checked or await self._commit(guards, writes):
                return
            await asyncio.sleep(0.002 * attempt)
        raise _contended()

    async def _tried(self, looked: list[Expect], absent: list[Expect]) -> list[Statement]:
        """Every condition that can be tried holds; the statements that fail when one of the rows has changed since."""
        rows: dict[Table, list[tuple[str, str | None]]] = {}
        for table in dict.fromkeys(one.table for one in looked):
            mine = [one for one in looked if one.table == table]
            texts = await self._texts(table, dict.fromkeys(one.key for one in mine))
            for one in mine:
                text = texts.get(one.key)
                holds = text is None if one.where is None else text is not None
                if not holds or (one.where and not compile_filter(one.where)(_load(table, one.key, text or ""))):
                    raise Conflict(broken(one), adapter="libsql")
                rows.setdefault(table, []).append((one.key, text))
        for one in absent:
            rows.setdefault(one.table, []).append((one.key, None))
        return [guard for table, pairs in rows.items() for guard in _unchanged(table, pairs)]

    async def claim(self, table: Table, where: Filter, *, order: Order, limit: int, changes: Json) -> list[Record]:
        """Take rows: those that somebody else changes meanwhile are looked for again."""
        check_scan(table, order, limit)
        for attempt in range(MAX_TRIES):
            page = await self.scan(table, where, order=order, limit=limit)
            texts = await self._texts(table, [record.key for record in page.records])
            matcher = compile_filter(where)
            found = {key: _load(table, key, text) for key, text in texts.items()}
            claimed = [
                Record(record.key, {**found[record.key], **changes})
                for record in page.records
                if record.key in found and matcher(found[record.key])
            ]
            puts = [(Put(table, *record), encode_value(table, record.value)) for record in claimed]
            guards = _unchanged(table, [(record.key, texts[record.key]) for record in claimed])
            if not page.records or (claimed and await self._commit(guards, _writes(puts))):
                return claimed
            await asyncio.sleep(0.002 * attempt)
        raise _contended()

    # ---------------------------------------------------------------- the wire

    async def _read(self, *statements: Statement) -> list[list[list[Any]]]:
        """The rows of each statement, in one request."""
        answer = await self._send([{"stmt": _stmt(one)} for one in statements], writing=False)
        for error in answer["step_errors"]:
            if error:
                raise _translated(error)
        return [[[_value(cell) for cell in row] for row in result["rows"]] for result in answer["step_results"]]

    async def _commit(self, guards: Sequence[Statement], writes: Sequence[Statement]) -> bool:
        """One transaction in one request; False when a guard failed. Nothing is there after a failure."""
        begin: Statement = ("BEGIN IMMEDIATE", ())
        steps: list[Json] = [
            {"stmt": _stmt(one), "condition": {"type": "ok", "step": number - 1} if number else None}
            for number, one in enumerate([begin, *guards, *writes, ("COMMIT", ())])
        ]
        last = len(steps) - 1
        began, done = {"type": "ok", "step": 0}, {"type": "ok", "step": last}
        undo = {"type": "and", "conds": [began, {"type": "not", "cond": done}]}
        steps.append({"stmt": _stmt(("ROLLBACK", ())), "condition": undo})
        answer = await self._send(steps, writing=True)
        failed = next((pair for pair in enumerate(answer["step_errors"]) if pair[1]), None)
        if failed is None:
            return True
        if 1 <= failed[0] <= len(guards) and "malformed JSON" in failed[1]["message"]:
            return False
        raise _translated(failed[1])

    async def _send(self, steps: list[Json], *, writing: bool) -> Json:
        if self._client is None:
            raise StorageUnavailable("The storage is not open.", hint="Call open() first.", retryable=False)
        body = {"requests": [{"type": "batch", "batch": {"steps": steps}}, {"type": "close"}]}
        try:
            answer = await self._client.post(f"{self._url}/v3/pipeline", content=dumps(body))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _unreachable() from error
        except (httpx.HTTPError, OSError) as error:
            raise _cut_off() if writing else _unreachable() from error
        status = answer.status_code
        if status in {401, 403}:
            raise StorageUnavailable("libSQL refuses the token.", retryable=False, adapter="libsql")
        if status >= 500 and writing:
            raise _cut_off()
        if status >= 400:
            raise StorageError(f"libSQL failed with status {status}.", adapter="libsql", retryable=status >= 500)
        [told, *_] = answer.json()["results"]
        if told["type"] != "ok":
            raise _translated(told["error"])
        result: Json = told["response"]["result"]
        return result


class _TooLarge(StorageError):
    """The rows together are more than the server puts into an answer."""


def _stmt(statement: Statement) -> Json:
    sql, arguments = statement
    return {"sql": sql, "args": [_argument(value) for value in arguments], "want_rows": True}


def _argument(value: Any) -> Json:
    if value is None:
        return {"type": "null"}
    kind = _KINDS[type(value)]
    return {"type": kind, "value": str(int(value)) if kind == "integer" else value}


def _value(cell: Json) -> Any:
    return int(cell["value"]) if cell["type"] == "integer" else cell.get("value")


def _load(table: Table, key: str, text: str) -> Json:
    try:
        value: Json = loads(text)
    except ValueError as error:
        raise StorageCorrupt(f"The row {key!r} of {table.name!r} is not JSON.", adapter="libsql") from error
    return value


def _parts(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """The items in groups of which each fits one argument of a statement; a larger item is alone."""
    part: list[T] = []
    total = 0
    for item in items:
        size = size_of(item) + 20
        if part and total + size > PART:
            yield part
            part, total = [], 0
        part.append(item)
        total += size
    if part:
        yield part


def _unchanged(table: Table, rows: list[tuple[str, str | None]]) -> list[Statement]:
    """What fails when one of the rows is not what it was: an empty text is not JSON."""
    differs = (
        f"SELECT 1 FROM json_each(?) e LEFT JOIN {sql_name(table)} t ON t.tenant=? AND t.key=e.value->>0"  # noqa: S608 - names are checked
        " WHERE t.value IS NOT e.value->>1"
    )
    several = f"SELECT json(CASE WHEN EXISTS({differs}) THEN '' ELSE '1' END)"
    one = f"SELECT json(CASE WHEN ({one_sql(table)}) IS ? THEN '1' ELSE '' END)"
    return [
        (one, (table.tenant, *part[0])) if len(part) == 1 else (several, (dumps(part), table.tenant))
        for part in _parts(rows, lambda row: len(row[0]) + len(row[1] or ""))
    ]


def _writes(checked: Sequence[tuple[Operation, str]]) -> list[Statement]:
    """Operations of one kind and table that stand in a row are one statement, as far as they fit one."""
    groups = groupby(checked, key=lambda item: (item[0].table, isinstance(item[0], Put)))
    return [
        _write(table, part, is_put=is_put)
        for (table, is_put), group in groups
        for part in _parts(group, lambda item: len(item[0].key) + len(item[1]))
    ]


def _write(table: Table, part: list[tuple[Operation, str]], *, is_put: bool) -> Statement:
    if not is_put:
        return delete_several_sql(table), (table.tenant, dumps([operation.key for operation, _ in part]))
    if len(part) == 1:
        return upsert_sql(table), (table.tenant, part[0][0].key, part[0][1])
    return upsert_several_sql(table), (table.tenant, dumps([(operation.key, text) for operation, text in part]))


def _translated(error: Json) -> MastraError:
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if code == "RESPONSE_TOO_LARGE":
        return _TooLarge("The rows are more than an answer of the server holds.", adapter="libsql")
    if code == "SQLITE_TOOBIG" or "too big" in message:
        return StorageError("The row is too large for the server of libSQL.", adapter="libsql")
    if code.startswith("SQLITE_FULL"):
        return StorageFull("There is no space left for the database; nothing was written.", adapter="libsql")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StorageCorrupt("libSQL reports damage.", adapter="libsql")
    if code.startswith("SQLITE_CONSTRAINT"):
        return Conflict("The database refused the write.", adapter="libsql")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "TRANSACTION_")):
        return StorageUnavailable("The database was busy for too long; nothing was written.", adapter="libsql")
    return StorageError(f"libSQL failed: {code}: {message[:200]}", adapter="libsql")


def _unreachable() -> StorageUnavailable:
    return StorageUnavailable(
        "libSQL cannot be reached, or the connection broke.",
        hint="Nothing was written. Look whether the server runs, and try again.",
        adapter="libsql",
    )


def _cut_off() -> CommitUnknown:
    return CommitUnknown(
        "The connection broke during a commit: the write may have happened.",
        hint="Read what is there before you write it again.",
        adapter="libsql",
    )


def _contended() -> StorageUnavailable:
    return StorageUnavailable("Others changed the same rows too often.", hint="Try again.", adapter="libsql")
