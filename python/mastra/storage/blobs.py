"""Large values beside any storage: kept once in files named by their content, and referenced from the rows.

A file is synced before the row that names it is written, so a row never points at nothing. Files that no row names any
more are removed by `sweep`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from mastra.errors import BadSetting, InvalidInput, StorageCorrupt, StorageFull, StorageUnavailable, Unsupported
from mastra.ports.storage import Storage, SupportsLayout
from mastra.registry import open_url
from mastra.storage.rows import MAX_INDEXED_BYTES, MAX_INDEXED_INT, check_batch, fields_of
from mastra.types.filters import compile_filter
from mastra.types.json import loads
from mastra.types.records import Expect, Filter, Layout, Operation, Order, Page, Put, Record, Table

LARGE = 256 * 1024
# Fields that a reference keeps of its row.
MOST_FIELDS = 64
# A row of ours may not be mistaken for a reference; the name is refused in what users store.
MARK = "mastra:blob"
_HASH = re.compile(r"[0-9a-f]{64}")


class BlobStorage(Storage):
    """Any storage with its large values in files; a filter sees the whole value all the same."""

    def __init__(self, storage: Storage, folder: str | os.PathLike[str], *, large: int = LARGE) -> None:
        self._storage = storage
        self._folder = Path(folder)
        self._large = large

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`blobs:///folder?storage=sqlite:///app.db`; two slashes more for an absolute folder."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        folder = unquote(parts.path)[1:]
        if not folder or set(options) != {"storage"}:
            raise BadSetting("Blobs need a folder and a storage.", hint="Use blobs:///folder?storage=sqlite:///app.db")
        return cls(open_url("mastra.storage", options["storage"]), folder)

    async def open(self) -> None:
        """Make the folder and open the storage."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        await self._storage.open()

    async def layout(self) -> Layout:
        """The layout of the storage behind it; files of large values have none."""
        if not isinstance(self._storage, SupportsLayout):
            raise Unsupported(f"{type(self._storage).__name__} has no layout.")
        return await self._storage.layout()

    async def close(self) -> None:
        """Close the storage."""
        await self._storage.close()

    def _path(self, digest: str) -> Path:
        if not _HASH.fullmatch(digest):
            raise StorageCorrupt("A row names a large value by something that is no hash.", adapter="blobs")
        return self._folder / digest[:2] / digest

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        value = await self._storage.get(table, key)
        return None if value is None else await self._whole(value)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist."""
        found = await self._storage.get_many(table, keys)
        return {key: await self._whole(value) for key, value in found.items()}

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Rows that match `where`; a large one is read before the filter decides."""
        matcher = compile_filter(where)
        # A reference has the indexed fields of its row, so what is only about those is decided below.
        only_indexed = where is None or set(where) <= set(fields_of(table))
        if only_indexed:
            page = await self._storage.scan(table, where, order=order, after=after, limit=limit)
            return Page([Record(item.key, await self._whole(item.value)) for item in page.records], page.after)
        wide: Filter = {"$or": [where or {}, {MARK: {"$exists": True}}]}
        records: list[Record] = []
        while True:
            page = await self._storage.scan(table, wide, order=order, after=after, limit=limit - len(records))
            for item in page.records:
                value = await self._whole(item.value)
                if matcher(value):
                    records.append(Record(item.key, value))
            after = page.after
            if after is None or len(records) == limit:
                return Page(records, after)

    async def write(self, batch: Sequence[Operation]) -> None:
        """Large values into files first, then the whole batch."""
        lighter: list[Operation] = []
        for operation, text in check_batch(batch):
            if isinstance(operation, Put) and MARK in operation.value:
                raise InvalidInput(f"A row may not have a field {MARK!r}.")
            if isinstance(operation, Put) and len(text) > self._large:
                reference = await asyncio.to_thread(self._keep, text.encode())
                light = {**_scalars(operation.value), MARK: reference}
                lighter.append(Put(operation.table, operation.key, light))
            elif isinstance(operation, Expect) and operation.where:
                lighter.append(await self._expectation(operation))
            else:
                lighter.append(operation)
        await self._storage.write(lighter)

    async def _expectation(self, operation: Expect) -> Expect:
        """A large row is compared here, and then expected to be the same file still."""
        value = await self._storage.get(operation.table, operation.key)
        if value is None or MARK not in value:
            return operation
        if compile_filter(operation.where)(await self._whole(value)):
            return Expect(operation.table, operation.key, {MARK: value[MARK]})
        return Expect(operation.table, operation.key, {MARK: "no such value"})

    def _keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            if path.exists() and path.stat().st_size == len(data):
                os.utime(path)
                return digest
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{digest}.{os.getpid()}.{time.monotonic_ns()}.part")
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            kind = StorageFull if error.errno == 28 else StorageUnavailable
            raise kind("A large value could not be written; nothing was stored.", adapter="blobs") from error
        return digest

    async def _whole(self, value: dict[str, Any]) -> dict[str, Any]:
        digest = value.get(MARK)
        if not isinstance(digest, str):
            return value
        path = self._path(digest)
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise StorageCorrupt(f"The large value {path} is missing.", adapter="blobs") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise StorageCorrupt(f"The large value {path} is damaged.", adapter="blobs")
        whole: dict[str, Any] = loads(data)
        return whole

    async def sweep(self, tables: Sequence[Table], *, min_age_s: float = 3600.0) -> int:
        """Remove files that no row of `tables` names and that are older than `min_age_s`; how many.

        Name every table and tenant of the storage: what is left out counts as not referenced.
        """
        named: set[str] = set()
        for table in tables:
            after: str | None = None
            while True:
                page = await self._storage.scan(table, {MARK: {"$exists": True}}, after=after, limit=1000)
                named |= {record.value[MARK] for record in page.records}
                after = page.after
                if after is None:
                    break
        return await asyncio.to_thread(self._remove_unnamed, named, min_age_s)

    def _remove_unnamed(self, named: set[str], min_age_s: float) -> int:
        removed = 0
        for path in self._folder.glob("??/*"):
            if path.name not in named and time.time() - path.stat().st_mtime >= min_age_s:
                path.unlink()
                removed += 1
        return removed


def _scalars(value: dict[str, Any]) -> dict[str, Any]:
    """What a filter on indexed fields, also on ones that are declared later, may ask of a row."""
    short: dict[str, Any] = {}
    for key, item in value.items():
        if len(short) < MOST_FIELDS and len(key) <= 40 and _is_short(item):
            short[key] = item
    return short


def _is_short(item: Any) -> bool:
    if isinstance(item, str):
        return len(item.encode()) <= MAX_INDEXED_BYTES
    return item is None or isinstance(item, float) or (isinstance(item, int) and abs(item) <= MAX_INDEXED_INT)
