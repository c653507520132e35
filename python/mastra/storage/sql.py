"""What the SQL servers share: one table a kind of row, a sortable column an indexed field, keyset pages, batches.

A server's own file says how to connect, how to declare a table and what its errors mean.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from mastra.errors import CommitUnknown, Conflict, StorageCorrupt, StorageUnavailable
from mastra.storage.keyset import CHUNK, KeysetStorage, Place, place_of
from mastra.storage.plans import Plan, plan
from mastra.storage.rows import (
    broken,
    check_batch,
    check_key,
    check_scan,
    check_table,
    encode_value,
)  # fmt: skip
from mastra.storage.texts import Search, check_search
from mastra.types.filters import Condition, compile_filter
from mastra.types.json import loads
from mastra.types.records import Expect, Filter, Operation, Order, Put, Record, Table

_SQL_OPS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
DEADLOCK_TRIES = 10


class Session(Protocol):
    """A connection, for the length of one call."""

    async def run(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement; its rows."""
        ...

    async def run_many(self, sql: str, arguments: list[Sequence[Any]]) -> None:
        """One statement for each of the arguments."""
        ...


class SqlStorage(KeysetStorage):
    """Rows in an SQL server. Values and keys are always bound; names come from checked declarations only."""

    adapter = ""
    # The columns of a row, quoted.
    tenant_column = "tenant"
    key_column = "key"
    value_read = "value"

    def __init__(self) -> None:
        self._declared: set[tuple[str, tuple[str, ...]]] = set()
        # Indexes of texts that are known to be there.
        self._searched: set[str] = set()

    # ---------------------------------------------------------------- a server's own part

    @abstractmethod
    def session(self, *, write: bool = False, tenant: str | None = None) -> AbstractAsyncContextManager[Session]:
        """A connection; with `write` a transaction that commits at the end or undoes everything.

        A server that guards rows itself shows those of `tenant` only; None is for work on all of them.
        """

    @abstractmethod
    async def declare(self, table: Table) -> None:
        """Make the table with its columns and indexes as far as they are missing."""

    @abstractmethod
    def translate(self, error: Exception) -> Exception:
        """The driver's error in our words; others as they are."""

    @abstractmethod
    def is_deadlock(self, error: Exception) -> bool:
        """Whether the server undid the transaction so that it can be tried again."""

    @abstractmethod
    def is_duplicate(self, error: Exception) -> bool:
        """Whether an insert met a row that is there."""

    @abstractmethod
    def name(self, table: Table) -> str:
        """The table's name, quoted."""

    @abstractmethod
    def column(self, field: str) -> str:
        """An indexed field's column, quoted."""

    @abstractmethod
    def insert_sql(self, table: Table, *, replace: bool) -> str:
        """Insert a row; with `replace` over one that is there."""

    @abstractmethod
    def insert_arguments(self, operation: Put, text: str) -> Sequence[Any]:
        """What the insert binds."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """A field's value as its column holds it: sortable, a missing one lowest, numbers before texts."""

    @abstractmethod
    async def make_text_index(self, session: Session, table: Table, search: Search) -> None:
        """Make what a text search needs, as far as it is missing."""

    @abstractmethod
    def match(self, search: Search) -> tuple[str, list[Any], str, list[Any]]:
        """A condition that every row with all words meets, and an order that puts the best first; what each binds."""

    # ---------------------------------------------------------------- reading

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        found = await self.get_many(table, [key])
        return found.get(key)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist, in one statement for each thousand."""
        wanted = list(dict.fromkeys(map(check_key, keys)))
        await self.ready(table)
        found: dict[str, dict[str, Any]] = {}
        for at in range(0, len(wanted), 1000):
            part = wanted[at : at + 1000]
            marks = ",".join(["%s"] * len(part))
            sql = (
                f"SELECT {self.key_column}, {self.value_read} FROM {self.name(table)}"  # noqa: S608 - names are checked
                f" WHERE {self.tenant_column}=%s AND {self.key_column} IN ({marks})"
            )
            rows = await self._read(table, sql, [self._bind(table.tenant), *map(self._bind, part)])
            found.update({record.key: record.value for record in self._records(table, rows)})
        return found

    async def find(
        self, table: Table, chosen: Plan, order: Order | None, place: Place | None, limit: int
    ) -> list[Record]:
        """One page of a scan."""
        sql, arguments = self._select(table, chosen, order, place)
        return self._records(table, await self._read(table, f"{sql} LIMIT {int(limit)}", arguments))

    async def count_exact(self, table: Table, chosen: Plan) -> int:
        """Counted by the server."""
        clause, arguments = self._where(table, chosen)
        sql = f"SELECT count(*) FROM {self.name(table)} WHERE {clause}"  # noqa: S608 - names are checked
        return int((await self._read(table, sql, arguments))[0][0])

    async def search_text(
        self, table: Table, field: str, query: str, *, where: Filter | None = None, limit: int = 10
    ) -> list[Record]:
        """The rows whose texts at `field` have every word of `query`, best first. The first search makes the index."""
        search = check_search(table, field, query, limit)
        matcher = compile_filter(where)
        clause, arguments = self._where(table, plan(table, where, None))
        await self.ready(table)
        if not search.words:
            return []
        await self._index_texts(table, search)
        condition, bound, ranking, rank_bound = self.match(search)
        sql = (
            f"SELECT {self.key_column}, {self.value_read} FROM {self.name(table)}"  # noqa: S608 - names are checked
            f" WHERE {clause} AND {condition} ORDER BY {ranking}, {self.key_column} LIMIT {CHUNK} OFFSET %s"
        )
        records: list[Record] = []
        at = 0
        while len(records) < limit:
            found = self._records(table, await self._read(table, sql, [*arguments, *bound, *rank_bound, at]))
            records += [record for record in found if matcher(record.value) and search.fits(record.value)]
            at += CHUNK
            if len(found) < CHUNK:
                break
        return records[:limit]

    async def _index_texts(self, table: Table, search: Search) -> None:
        if search.slug in self._searched:
            return
        try:
            async with self.session() as session:
                await self.make_text_index(session, table, search)
        except Exception as error:
            raise self.translate(error) from error
        self._searched.add(search.slug)

    async def _read(self, table: Table, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            async with self.session(tenant=table.tenant) as session:
                return await session.run(sql, arguments)
        except Exception as error:
            raise self.translate(error) from error

    def _records(self, table: Table, rows: list[tuple[Any, ...]]) -> list[Record]:
        records: list[Record] = []
        for raw_key, text in rows:
            key = raw_key.decode() if isinstance(raw_key, bytes) else raw_key
            try:
                value = loads(text)
            except ValueError as error:
                raise StorageCorrupt(f"The row {key!r} of {table.name!r} is not JSON.", adapter=self.adapter) from error
            records.append(Record(key, value))
        return records

    def _bind(self, text: str) -> Any:
        """A key or tenant as its column holds it."""
        return text

    # ---------------------------------------------------------------- statements

    def _condition(self, condition: Condition) -> tuple[str, list[Any]]:
        name = self.column(condition.field)
        if condition.op == "$in":
            marks = ",".join(["%s"] * len(condition.operand))
            return f"{name} IN ({marks})", [self.encode(item) for item in condition.operand]
        sql, arguments = f"{name} {_SQL_OPS[condition.op]} %s", [self.encode(condition.operand)]
        is_text = isinstance(condition.operand, str)
        # Texts compare with texts and numbers with numbers; in the column all texts stand after all numbers.
        if condition.op in {"$gt", "$gte"} and not is_text:
            return f"{sql} AND {name} < %s", [*arguments, self.encode("")]
        if condition.op in {"$lt", "$lte"}:
            return f"{sql} AND {name} >= %s", [*arguments, self.encode("") if is_text else self.encode(-1.7e308)]
        return sql, arguments

    def _where(self, table: Table, chosen: Plan) -> tuple[str, list[Any]]:
        parts, arguments = [f"{self.tenant_column}=%s"], [self._bind(table.tenant)]
        for condition in chosen.conditions:
            sql, values = self._condition(condition)
            parts.append(sql)
            arguments += values
        return " AND ".join(parts), arguments

    def _select(self, table: Table, chosen: Plan, order: Order | None, cursor: Place | None) -> tuple[str, list[Any]]:
        clause, arguments = self._where(table, chosen)
        key = self.key_column
        direction, sign = ("DESC", "<") if order is not None and order.descending else ("ASC", ">")
        ordering = key if order is None else f"{self.column(order.field)} {direction}, {key} {direction}"
        if cursor is not None and order is None:
            clause += f" AND {key} > %s"
            arguments.append(self._bind(cursor[0]))
        elif cursor is not None and order is not None:
            field, value = self.column(order.field), self.encode(cursor[1])
            # The first half is what an index can begin at; the second leaves out what was given already.
            clause += f" AND {field} {sign}= %s AND ({field} {sign} %s OR {key} {sign} %s)"
            arguments += [value, value, self._bind(cursor[0])]
        sql = (
            f"SELECT {key}, {self.value_read} FROM {self.name(table)} WHERE {clause}"  # noqa: S608 - names are checked
            f" ORDER BY {ordering}"
        )
        return sql, arguments

    # ---------------------------------------------------------------- writing

    async def write(self, batch: Sequence[Operation]) -> None:
        """All of `batch` or nothing, committed when it returns."""
        checked = check_batch(batch)
        for table in {operation.table for operation, _ in checked}:
            await self.ready(table)
        if checked:
            await self._try_again(checked)

    async def _try_again(self, checked: list[tuple[Operation, str]]) -> None:
        for attempt in range(DEADLOCK_TRIES):
            committing = False
            try:
                fenced = _fenced(checked)
                if fenced is not None:
                    committing = True
                    if await self._put_behind(*fenced):
                        return
                    committing = False
                async with self.session(write=True, tenant=_only_tenant(checked)) as session:
                    await self._apply(session, checked)
                    committing = True
            except Exception as error:
                if self.is_duplicate(error):
                    raise Conflict("A row that was expected to be absent is there.", adapter=self.adapter) from error
                if not self.is_deadlock(error):
                    raise self._translate_write(error, committing=committing) from error
                # The server undid it all, so doing it again is safe.
                await asyncio.sleep(0.005 * attempt)
            else:
                return
        raise StorageUnavailable("The database was busy for too long.", adapter=self.adapter)

    def _translate_write(self, error: Exception, *, committing: bool) -> Exception:
        """The error of a transaction: a connection that broke before the commit wrote nothing, one during it may."""
        translated = self.translate(error)
        if committing and isinstance(translated, StorageUnavailable):
            return CommitUnknown(
                "The connection broke during a commit: the write may have happened.",
                hint="Read what is there before you write it again.",
                adapter=self.adapter,
            )
        return translated

    async def _apply(self, session: Session, checked: list[tuple[Operation, str]]) -> None:
        absent: set[tuple[str, str, str]] = set()
        first_writes: dict[tuple[str, str, str], bool] = {}
        for operation, _ in checked:
            if not isinstance(operation, Expect):
                first_writes.setdefault(_place(operation), isinstance(operation, Put))
        expected = [operation for operation, _ in checked if isinstance(operation, Expect)]
        rows: dict[Table, list[Expect]] = {}
        for operation in sorted(expected, key=_place):
            if operation.where is None and first_writes.get(_place(operation)):
                # The insert itself finds out, without a gap between looking and writing.
                absent.add(_place(operation))
            elif operation.where is None:
                await self._expect_absent(session, operation)
            else:
                rows.setdefault(operation.table, []).append(operation)
        for table, several in rows.items():
            await self._expect(session, table, several)
        # One order for everybody, so that two batches rarely wait for each other in a circle.
        writes = sorted((item for item in checked if not isinstance(item[0], Expect)), key=lambda item: _place(item[0]))
        pending: list[Sequence[Any]] = []
        pending_sql = ""
        for operation, text in writes:
            if isinstance(operation, Put):
                sql = self.insert_sql(operation.table, replace=_place(operation) not in absent)
                absent.discard(_place(operation))
                arguments = self.insert_arguments(operation, text)
            else:
                sql, arguments = self._delete(operation)
            if sql != pending_sql and pending:
                await session.run_many(pending_sql, pending)
                pending = []
            pending_sql = sql
            pending.append(arguments)
        if pending:
            await session.run_many(pending_sql, pending)

    async def _put_behind(self, expect: Expect, put: Put, text: str) -> bool:  # noqa: ARG002 - for backends that can
        """Check and write in one way to the server; False when it cannot be done so, or when nothing was written."""
        return False

    async def _expect(self, session: Session, table: Table, expected: list[Expect]) -> None:
        keys = list(dict.fromkeys(operation.key for operation in expected))
        marks = ",".join(["%s"] * len(keys))
        sql = (
            f"SELECT {self.key_column}, {self.value_read} FROM {self.name(table)}"  # noqa: S608 - names are checked
            f" WHERE {self.tenant_column}=%s AND {self.key_column} IN ({marks}) ORDER BY {self.key_column} FOR UPDATE"
        )
        rows = await session.run(sql, [self._bind(table.tenant), *map(self._bind, keys)])
        found = {record.key: record.value for record in self._records(table, rows)}
        for operation in expected:
            value = found.get(operation.key)
            if value is None or not compile_filter(operation.where)(value):
                raise Conflict(broken(operation), adapter=self.adapter)

    async def _expect_absent(self, session: Session, operation: Expect) -> None:
        """A row that is not there cannot be locked: one is put in its place and taken out again.

        Nobody sees it, and whoever inserts the same key waits for the end of this transaction.
        """
        table = operation.table
        held = self.insert_arguments(Put(table, operation.key, {}), "{}")
        try:
            await session.run(self.insert_sql(table, replace=False), held)
        except Exception as error:
            if self.is_duplicate(error):
                raise Conflict(broken(operation), adapter=self.adapter) from error
            raise
        await session.run(*self._delete(operation))

    def _delete(self, operation: Operation) -> tuple[str, list[Any]]:
        table = operation.table
        sql = (
            f"DELETE FROM {self.name(table)}"  # noqa: S608 - names are checked
            f" WHERE {self.tenant_column}=%s AND {self.key_column}=%s"
        )
        return sql, [self._bind(table.tenant), self._bind(operation.key)]

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Take rows; rows that another caller is just taking are passed over."""
        check_scan(table, order, limit)
        matcher = compile_filter(where)
        chosen = plan(table, where, order)
        await self.ready(table)
        claimed: list[Record] = []
        committing = False
        try:
            async with self.session(write=True, tenant=table.tenant) as session:
                cursor: Place | None = None
                while len(claimed) < limit:
                    sql, arguments = self._select(table, chosen, order, cursor)
                    wanted = limit - len(claimed) if chosen.exact else CHUNK
                    rows = await session.run(f"{sql} LIMIT {int(wanted)} FOR UPDATE SKIP LOCKED", arguments)
                    found = self._records(table, rows)
                    fitting = [record for record in found if matcher(record.value)][: limit - len(claimed)]
                    claimed += [Record(record.key, {**record.value, **changes}) for record in fitting]
                    if len(found) < wanted:
                        break
                    cursor = place_of(found[-1], order)
                if claimed:
                    puts = [Put(table, record.key, record.value) for record in claimed]
                    arguments_of = [self.insert_arguments(put, encode_value(table, put.value)) for put in puts]
                    await session.run_many(self.insert_sql(table, replace=True), arguments_of)
                    committing = True
        except Exception as error:
            raise self._translate_write(error, committing=committing) from error
        return claimed

    async def ready(self, table: Table) -> None:
        """Open, and make the table on its first use."""
        check_table(table)
        if (table.name, table.indexes) in self._declared:
            return
        await self.open()
        for attempt in range(DEADLOCK_TRIES):
            try:
                await self.declare(Table(table.name, table.indexes))
                break
            except Exception as error:
                if not self.is_deadlock(error) or attempt == DEADLOCK_TRIES - 1:
                    raise self.translate(error) from error
                await asyncio.sleep(0.01 * (attempt + 1))
        self._declared.add((table.name, table.indexes))


def _only_tenant(checked: list[tuple[Operation, str]]) -> str | None:
    """Whose rows a batch is about; None when they are of several."""
    tenants = {operation.table.tenant for operation, _ in checked}
    return tenants.pop() if len(tenants) == 1 else None


def _fenced(checked: list[tuple[Operation, str]]) -> tuple[Expect, Put, str] | None:
    """The parts of a batch that is one row behind one plain condition on another: what a journal appends."""
    if len(checked) != 2:
        return None
    (expect, _), (put, text) = checked
    if not isinstance(expect, Expect) or not isinstance(put, Put) or _place(expect) == _place(put):
        return None
    if expect.where is None or len(expect.where) != 1:
        return None
    [(field, wanted)] = expect.where.items()
    plain = type(wanted) in (int, str) and field.isascii() and field.isidentifier()
    return (expect, put, text) if plain else None


def _place(operation: Operation) -> tuple[str, str, str]:
    return operation.table.name, operation.table.tenant, operation.key
