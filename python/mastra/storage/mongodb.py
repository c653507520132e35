"""Storage in MongoDB: a document a row, its value as JSON text, its short fields as texts that sort and can be indexed.

Batches about one row are one operation; all others are transactions, which MongoDB has in replica sets only.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from mastra.errors import (
    BadSetting,
    CommitUnknown,
    Conflict,
    InvalidInput,
    MastraError,
    MissingExtra,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageUnavailable,
)  # fmt: skip
from mastra.storage.keyset import CHUNK, KeysetStorage, Place, place_of
from mastra.storage.layouts import known_layout
from mastra.storage.plans import Plan, plan
from mastra.storage.rows import (
    MAX_INDEXED_BYTES,
    MAX_INDEXED_INT,
    broken,
    check_batch,
    check_key,
    check_scan,
    check_table,
    encode_value,
)  # fmt: skip
from mastra.storage.sortkeys import sort_bytes
from mastra.types.filters import Condition, compile_filter
from mastra.types.ids import new_id
from mastra.types.json import loads
from mastra.types.records import Expect, Filter, Layout, Operation, Order, Put, Record, Table

try:
    import pymongo
    from bson.codec_options import CodecOptions
    from pymongo import errors as mongo_errors
    from pymongo.read_concern import ReadConcern
    from pymongo.write_concern import WriteConcern
except ImportError as error:
    raise MissingExtra("mongodb", feature="MongoDB storage", module="pymongo") from error

LAYOUT = 1
MAX_TRIES = 50
# A document holds 16 MB; what is left over is for the short fields.
MAX_TEXT = 15 * 1024 * 1024
_DATABASE = re.compile(r"[A-Za-z0-9_\-]{1,60}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_NO_TRANSACTIONS = {20, 263}
_TOO_LARGE = {10334, 17280, 17419, 17420}
_OPS = {"$gt", "$gte", "$lt", "$lte"}
Document = dict[str, Any]


class MongoStorage(KeysetStorage):
    """Rows in a MongoDB 5 or newer that runs as a replica set, or whatever else takes transactions on its wire."""

    def __init__(self, url: str, *, database: str = "mastra", writers: int = 16) -> None:
        if not _DATABASE.fullmatch(database):
            raise BadSetting(f"{database[:60]!r} is not the name of a database.", hint="Use letters, digits, _ and -.")
        self._url = url
        self._database = database
        # Transactions at once: more of them on the same rows only undo each other.
        self._gate = asyncio.Semaphore(writers)
        self._client: pymongo.AsyncMongoClient[Document] | None = None
        self._declared: set[tuple[str, tuple[str, ...]]] = set()
        self._opening = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`mongodb://user:password@host/database?replicaSet=rs0`; `writers=` is ours, the rest is the driver's."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        writers = options.pop("writers", "16")
        if not writers.isdecimal() or not 1 <= int(writers) <= 1000:
            raise BadSetting(f"writers={writers!r} is not between 1 and 1000.")
        options.setdefault("serverSelectionTimeoutMS", "15000")
        database = unquote(parts.path.lstrip("/")) or "mastra"
        # Without a path the driver would sign in at the wrong database.
        path = parts.path if parts.path not in {"", "/"} else "/"
        plain = urlunsplit((parts.scheme, parts.netloc, path, urlencode(options), ""))
        return cls(plain, database=database, writers=int(writers))

    async def open(self) -> None:
        """Connect, check the layout, and find out whether the server takes transactions."""
        async with self._opening:
            if self._client is not None:
                return
            client: pymongo.AsyncMongoClient[Document] | None = None
            try:
                client = self._connect()
                database = client.get_database(self._database)
                layouts = database.get_collection("mastra_layout")
                await layouts.update_one({"_id": "layout"}, {"$setOnInsert": {"version": LAYOUT}}, upsert=True)
                self._known(await layouts.find_one({"_id": "layout"}))
                async with client.start_session() as session, await session.start_transaction():
                    await layouts.find_one({"_id": "layout"}, session=session)
            except Exception as error:
                if client is not None:
                    await client.close()
                raise translate(error) from error
            self._client = client

    def _known(self, found: Document | None) -> Layout:
        version = (found or {}).get("version", 0)
        return known_layout(version, LAYOUT, f"The database {self._database!r}", "mongodb")

    async def layout(self) -> Layout:
        """The layout in the database as it is; nothing is made."""
        try:
            async with self._connect() as client:
                layouts = client.get_database(self._database).get_collection("mastra_layout")
                return self._known(await layouts.find_one({"_id": "layout"}))
        except Exception as error:
            raise translate(error) from error

    def _connect(self) -> pymongo.AsyncMongoClient[Document]:
        try:
            return pymongo.AsyncMongoClient(self._url, tz_aware=True)
        except ValueError as error:
            raise BadSetting(
                "The URL of MongoDB is not valid.", hint="mongodb://user:password@host/database"
            ) from error

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        self._declared.clear()
        if client is not None:
            await client.close()

    def _rows(self, table: Table) -> Any:
        assert self._client is not None
        return self._client.get_database(
            self._database,
            codec_options=CodecOptions(tz_aware=True),
            write_concern=WriteConcern(w="majority", j=True),
        ).get_collection(f"m_{table.name}")

    async def ready(self, table: Table) -> None:
        """Open, and make the table's indexes on its first use."""
        check_table(table)
        if (table.name, table.indexes) in self._declared and self._client is not None:
            return
        await self.open()
        assert self._client is not None
        try:
            rows = self._rows(table)
            # Every short field is kept, so an index that is declared later finds the rows that are there.
            await rows.create_index([("t", 1), ("k", 1)], name="key")
            for entry in table.indexes:
                fields = [(f"f.{field}", 1) for field in entry.split("+")]
                await rows.create_index([("t", 1), *fields, ("k", 1)], name=f"i_{entry.replace('+', '__')}")
            tables = self._client.get_database(self._database).get_collection("mastra_tables")
            await tables.update_one(
                {"_id": table.name}, {"$addToSet": {"indexes": {"$each": list(table.indexes)}}}, upsert=True
            )
        except Exception as error:
            raise translate(error) from error
        self._declared.add((table.name, table.indexes))

    # ---------------------------------------------------------------- reading

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        return (await self.get_many(table, [key])).get(key)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist."""
        wanted = [_id(table, key) for key in dict.fromkeys(map(check_key, keys))]
        await self.ready(table)
        if not wanted:
            return {}
        try:
            found = [document async for document in self._rows(table).find({"_id": {"$in": wanted}})]
        except Exception as error:
            raise translate(error) from error
        return {record.key: record.value for record in (_record(table, document) for document in found)}

    async def find(
        self, table: Table, chosen: Plan, order: Order | None, place: Place | None, limit: int
    ) -> list[Record]:
        """One page of a scan."""
        return [_record(table, document) for document in await self._find(table, chosen, order, place, limit)]

    async def _find(
        self, table: Table, chosen: Plan, order: Order | None, place: Place | None, limit: int
    ) -> list[Document]:
        query = _query(table, chosen)
        direction = -1 if order is not None and order.descending else 1
        if place is not None:
            query = {"$and": [query, _after(order, place)]}
        sort = [("k", 1)] if order is None else [(f"f.{order.field}", direction), ("k", direction)]
        try:
            return [document async for document in self._rows(table).find(query).sort(sort).limit(limit)]
        except Exception as error:
            raise translate(error) from error

    async def count_exact(self, table: Table, chosen: Plan) -> int:
        """Counted by the server."""
        try:
            return int(await self._rows(table).count_documents(_query(table, chosen)))
        except Exception as error:
            raise translate(error) from error

    # ---------------------------------------------------------------- writing

    async def write(self, batch: Sequence[Operation]) -> None:
        """All of `batch` or nothing, held by a majority of the servers when it returns."""
        checked = check_batch(batch)
        for operation, text in checked:
            if len(text) > MAX_TEXT // 4 and len(text.encode()) > MAX_TEXT:
                raise InvalidInput(
                    f"The row {operation.key!r} is larger than the {MAX_TEXT:,} bytes that MongoDB takes.",
                    hint="Keep large values in files: blobs:///folder?storage=mongodb://...",
                )
        for table in {operation.table for operation, _ in checked}:
            await self.ready(table)
        if not checked:
            return
        places = {(operation.table.name, operation.table.tenant, operation.key) for operation, _ in checked}
        async with self._gate:
            for attempt in range(MAX_TRIES):
                done = await (self._write_one(checked) if len(places) == 1 else self._transaction(checked))
                if done:
                    return
                # The server undid it all, or the row changed under our eyes: doing it again is safe.
                await asyncio.sleep(0.002 * attempt)
        raise StorageUnavailable("The database was busy for too long.", adapter="mongodb")

    async def _write_one(self, checked: list[tuple[Operation, str]]) -> bool:
        """A batch about one row, as one operation that names the version it read. False: the row changed meanwhile."""
        expected = [operation for operation, _ in checked if isinstance(operation, Expect)]
        table, key = checked[0][0].table, checked[0][0].key
        last, text = checked[-1]
        rows, row_id = self._rows(table), _id(table, key)
        try:
            if not expected:
                if isinstance(last, Put):
                    await rows.replace_one({"_id": row_id}, _document(last, text), upsert=True)
                else:
                    await rows.delete_one({"_id": row_id})
                return True
            known = await rows.find_one({"_id": row_id})
            _check_expected(table, expected, known)
            if isinstance(last, Expect):
                return True
            if known is None:
                if isinstance(last, Put):
                    await rows.insert_one(_document(last, text))
                return True
            guard = {"_id": row_id, "r": known["r"]}
            if isinstance(last, Put):
                return bool((await rows.replace_one(guard, _document(last, text))).matched_count)
            return bool((await rows.delete_one(guard)).deleted_count)
        except mongo_errors.DuplicateKeyError as error:
            # Another insert came first. What expected the row to be absent finds it at the next try.
            if expected and expected[0].where is None:
                raise Conflict(broken(expected[0]), adapter="mongodb") from error
            return False
        except Exception as error:
            raise translate(error, writing=True) from error

    async def _transaction(self, checked: list[tuple[Operation, str]]) -> bool:
        """False: the server undid it because another transaction was in the way."""
        assert self._client is not None
        committing = False
        try:
            async with self._client.start_session() as session:
                await session.start_transaction(
                    read_concern=ReadConcern("snapshot"), write_concern=WriteConcern(w="majority", j=True)
                )
                try:
                    await self._apply(session, checked)
                    committing = True
                    await _commit(session)
                finally:
                    if session.in_transaction:
                        await session.abort_transaction()
        except mongo_errors.DuplicateKeyError as error:
            raise Conflict("A row that was expected to be absent is there.", adapter="mongodb") from error
        except mongo_errors.PyMongoError as error:
            unknown = committing and error.has_error_label("UnknownTransactionCommitResult")
            if error.has_error_label("TransientTransactionError") and not unknown and _is_conflict(error):
                return False
            raise translate(error, writing=unknown) from error
        return True

    async def _apply(self, session: Any, checked: list[tuple[Operation, str]]) -> None:
        writes: dict[tuple[str, str, str], tuple[Operation, str]] = {}
        expected: dict[tuple[str, str, str], list[Expect]] = {}
        for operation, text in checked:
            place = (operation.table.name, operation.table.tenant, operation.key)
            if isinstance(operation, Expect):
                expected.setdefault(place, []).append(operation)
            else:
                writes[place] = (operation, text)
        absent: set[tuple[str, str, str]] = set()
        for place in sorted(expected):
            operations = expected[place]
            table, row_id = operations[0].table, _id(operations[0].table, operations[0].key)
            rows = self._rows(table)
            known = await rows.find_one({"_id": row_id}, session=session)
            _check_expected(table, operations, known)
            if known is None:
                absent.add(place)
                # Put in its place, so that another insert of the key and this transaction cannot both be committed.
                held = Put(table, operations[0].key, {})
                await rows.insert_one(_document(held, "{}"), session=session)
            elif place not in writes:
                # A row that is only looked at is touched, so that a change of it and this one cannot both be, either.
                await rows.update_one({"_id": row_id}, {"$set": {"r": new_id()}}, session=session)
        await self._apply_writes(session, writes, absent)

    async def _apply_writes(
        self,
        session: Any,
        writes: dict[tuple[str, str, str], tuple[Operation, str]],
        absent: set[tuple[str, str, str]],
    ) -> None:
        by_table: dict[str, list[Any]] = {}
        tables: dict[str, Table] = {}
        # One order for everybody, so that two batches rarely undo each other.
        for _, (operation, text) in sorted(writes.items()):
            row_id = _id(operation.table, operation.key)
            work: Any = pymongo.DeleteOne({"_id": row_id})
            if isinstance(operation, Put):
                work = pymongo.ReplaceOne({"_id": row_id}, _document(operation, text), upsert=True)
            by_table.setdefault(operation.table.name, []).append(work)
            tables[operation.table.name] = operation.table
        for name, work in by_table.items():
            await self._rows(tables[name]).bulk_write(work, ordered=True, session=session)
        for name, tenant, key in absent - writes.keys():
            table = Table(name, (), tenant)
            await self._rows(table).delete_one({"_id": _id(table, key)}, session=session)

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Take rows, each by one operation that names the version it saw: two callers never get the same."""
        check_scan(table, order, limit)
        matcher = compile_filter(where)
        chosen = plan(table, where, order)
        await self.ready(table)
        claimed: list[Record] = []
        place: Place | None = None
        while len(claimed) < limit:
            documents = await self._find(table, chosen, order, place, CHUNK)
            for document in documents:
                record = _record(table, document)
                if len(claimed) == limit or not matcher(record.value):
                    continue
                new = Put(table, record.key, {**record.value, **changes})
                try:
                    guard = {"_id": document["_id"], "r": document["r"]}
                    done = await self._rows(table).replace_one(guard, _document(new, encode_value(table, new.value)))
                except Exception as error:
                    raise translate(error, writing=True) from error
                if done.matched_count:
                    claimed.append(Record(record.key, new.value))
            if len(documents) < CHUNK:
                break
            place = place_of(_record(table, documents[-1]), order)
        return claimed

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        await self.open()
        assert self._client is not None
        found: list[Table] = []
        try:
            declared = self._client.get_database(self._database).get_collection("mastra_tables")
            async for document in declared.find({}).sort("_id"):
                table = Table(document["_id"], tuple(document.get("indexes", ())))
                tenants = await self._rows(table).distinct("t")
                found += [Table(table.name, table.indexes, tenant) for tenant in sorted(tenants)]
        except Exception as error:
            raise translate(error) from error
        return found


def _id(table: Table, key: str) -> str:
    # A space sorts before every character of a tenant and cannot be in one.
    return f"{table.tenant} {key}"


def _document(operation: Put, text: str) -> Document:
    """A row as it is kept. `r` changes with every write."""
    table = operation.table
    fields = {
        field: _encode(item)
        for field, item in operation.value.items()
        if item is not None and _FIELD.fullmatch(field) and _is_short(item)
    }
    row_id = _id(table, operation.key)
    return {"_id": row_id, "t": table.tenant, "k": operation.key, "r": new_id(), "v": text, "f": fields}


def _is_short(item: Any) -> bool:
    if isinstance(item, str):
        return len(item) <= MAX_INDEXED_BYTES and len(item.encode()) <= MAX_INDEXED_BYTES
    return isinstance(item, float) or (isinstance(item, int) and abs(item) <= MAX_INDEXED_INT)


def _encode(value: Any) -> str:
    """A text that sorts as `Order` promises: '1' and a sortable number, '2' and a text. A missing field is missing."""
    return f"2{value}" if isinstance(value, str) else f"1{sort_bytes(value)[1:].hex()}"


def _record(table: Table, document: Document) -> Record:
    key = str(document["k"])
    try:
        value = loads(document["v"])
        if not isinstance(value, dict):
            raise TypeError(key)  # noqa: TRY301 - the same refusal as for bad JSON
    except (KeyError, TypeError, ValueError) as error:
        raise StorageCorrupt(f"The row {key!r} of {table.name!r} is not JSON.", adapter="mongodb") from error
    return Record(key, value)


def _check_expected(table: Table, expected: list[Expect], known: Document | None) -> None:
    for operation in expected:
        fits = known is None if operation.where is None else known is not None
        if fits and operation.where and known is not None:
            fits = compile_filter(operation.where)(_record(table, known).value)
        if not fits:
            raise Conflict(broken(operation), adapter="mongodb")


def _query(table: Table, chosen: Plan) -> Document:
    parts: list[Document] = [{"t": table.tenant}, *map(_condition, chosen.conditions)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _condition(condition: Condition) -> Document:
    """Operators are ours and every operand is a text, so nothing that a user passes is read as a query."""
    field = f"f.{condition.field}"
    if condition.op == "$in":
        return {field: {"$in": [None if item is None else _encode(item) for item in condition.operand]}}
    encoded = None if condition.operand is None else _encode(condition.operand)
    if condition.op not in _OPS:
        return {field: {"$eq": encoded}}
    # Texts compare with texts and numbers with numbers; all texts stand after all numbers.
    is_text = isinstance(condition.operand, str)
    if condition.op in {"$gt", "$gte"}:
        return {field: {condition.op: encoded, **({} if is_text else {"$lt": "2"})}}
    return {field: {condition.op: encoded, "$gte": "2" if is_text else "1"}}


def _after(order: Order | None, place: Place) -> Document:
    """The rows after a place; those without the ordered field stand before all others."""
    key, value = place
    if order is None:
        return {"k": {"$gt": key}}
    field, further = f"f.{order.field}", "$lt" if order.descending else "$gt"
    if value is None:
        same = {field: None, "k": {further: key}}
        return same if order.descending else {"$or": [same, {field: {"$gte": ""}}]}
    encoded = _encode(value)
    choices: list[Document] = [{field: encoded, "k": {further: key}}, {field: {further: encoded}}]
    if order.descending:
        choices.append({field: None})
    return {"$or": choices}


async def _commit(session: Any) -> None:
    """Commit; asking again whether it happened is safe, and the driver does it once by itself."""
    for attempt in range(3):
        try:
            await session.commit_transaction()
        except mongo_errors.PyMongoError as error:
            if attempt == 2 or not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            await asyncio.sleep(0.05 * 2**attempt)
        else:
            return


def _is_conflict(error: mongo_errors.PyMongoError) -> bool:
    """Whether another transaction was in the way; a connection that broke is told to the caller."""
    return isinstance(error, mongo_errors.OperationFailure)


def translate(error: Exception, *, writing: bool = False) -> Exception:
    """MongoDB's error in our words; one that broke off a write leaves open whether it happened."""
    # What is too large to be sent is no error of the driver's own family.
    if isinstance(error, mongo_errors.DocumentTooLarge):
        return _too_large()
    if isinstance(error, MastraError) or not isinstance(error, mongo_errors.PyMongoError):
        return error
    if isinstance(error, mongo_errors.ConfigurationError | mongo_errors.InvalidURI):
        return BadSetting(f"MongoDB cannot be reached with this URL: {type(error).__name__}.", hint="mongodb://host/db")
    if isinstance(error, mongo_errors.ServerSelectionTimeoutError):
        return StorageUnavailable("No MongoDB server answers; nothing was written.", adapter="mongodb")
    if isinstance(error, mongo_errors.ConnectionFailure):
        if writing:
            return CommitUnknown(
                "The connection broke during a write: it may have happened.",
                hint="Read what is there before you write it again.",
                adapter="mongodb",
            )
        return StorageUnavailable("The connection to MongoDB broke; nothing was written.", adapter="mongodb")
    code = error.code if isinstance(error, mongo_errors.OperationFailure) else None
    if code in _NO_TRANSACTIONS:
        return BadSetting(
            "This MongoDB has no transactions, which batches need.",
            hint="Run it as a replica set: mongod --replSet rs0, then rs.initiate() once.",
        )
    if code == 14031:
        return StorageFull("The database has no space left; nothing was written.", adapter="mongodb")
    if code in _TOO_LARGE:
        return _too_large()
    if code in {13, 18, 8000}:
        return StorageUnavailable("MongoDB refuses the user.", retryable=False, adapter="mongodb")
    return StorageError(
        f"MongoDB failed: {type(error).__name__}{'' if code is None else f' {code}'}.", adapter="mongodb"
    )


def _too_large() -> InvalidInput:
    return InvalidInput("The row is larger than MongoDB takes.", hint="Keep large values in files: blobs:///...")
