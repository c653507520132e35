"""All rows of a storage as lines of JSON, and back: for moving to another backend, and for keeping copies.

A file ends with the number of its rows and a checksum over all that is before; one without is refused whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mastra.errors import Conflict, InvalidInput, StorageCorrupt, Unsupported
from mastra.ports.storage import Storage
from mastra.types.json import dumps, loads
from mastra.types.records import Expect, Operation, Put, Table

FORMAT = 1
BATCH = 500


@runtime_checkable
class SupportsTables(Protocol):
    """Storage that can list what it holds."""

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        ...


async def export_rows(storage: Storage, path: str | os.PathLike[str]) -> int:
    """Write every row to a new file, which appears when it is whole; the number of rows."""
    if not isinstance(storage, SupportsTables):
        raise Unsupported("This storage cannot list its tables.")
    target = Path(path)
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    total = 0

    with part.open("wb") as file:

        def line(value: dict[str, Any]) -> None:
            data = dumps(value).encode() + b"\n"
            digest.update(data)
            file.write(data)

        line({"mastra": "rows", "format": FORMAT})
        for table in await storage.tables():
            line({"table": table.name, "indexes": list(table.indexes), "tenant": table.tenant})
            after: str | None = None
            while True:
                page = await storage.scan(table, after=after, limit=BATCH)
                for record in page.records:
                    line({"key": record.key, "value": record.value})
                total += len(page.records)
                after = page.after
                if after is None:
                    break
        file.write(dumps({"rows": total, "sha256": digest.hexdigest()}).encode() + b"\n")
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    part.replace(target)
    return total


async def import_rows(storage: Storage, path: str | os.PathLike[str], *, replace: bool = False) -> int:
    """Read a file that `export_rows` wrote; rows that exist already stop it unless `replace`. The number of rows.

    The whole file is checked before the first row is written.
    """
    total = await asyncio.to_thread(check_file, path)
    table: Table | None = None
    batch: list[Operation] = []
    for value in _lines(path):
        if "table" in value:
            table = Table(value["table"], tuple(value["indexes"]), value["tenant"])
        elif "key" in value and table is not None:
            if not replace:
                batch.append(Expect(table, value["key"]))
            batch.append(Put(table, value["key"], value["value"]))
            if len(batch) >= BATCH:
                await _write(storage, batch)
                batch = []
    if batch:
        await _write(storage, batch)
    return total


async def _write(storage: Storage, batch: list[Operation]) -> None:
    try:
        await storage.write(batch)
    except Conflict as error:
        raise InvalidInput(
            "The storage holds a row of the file already.", hint="Import into an empty storage, or replace rows."
        ) from error


def check_file(path: str | os.PathLike[str]) -> int:
    """The number of rows of a whole file; `StorageCorrupt` for any other."""
    digest = hashlib.sha256()
    rows = 0
    last = b""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file):
            if number:
                digest.update(last)
                rows += last.startswith(b'{"key":')
            elif not line.startswith(b'{"mastra":"rows","format":1}'):
                raise StorageCorrupt(f"{path} is not an export of rows, or a newer one.")
            last = line
    try:
        end = loads(last)
        whole = end == {"rows": rows, "sha256": digest.hexdigest()} and last.endswith(b"\n")
    except ValueError:
        whole = False
    if not whole:
        raise StorageCorrupt(f"{path} is damaged or not whole.", hint="Export again; nothing was imported.")
    return rows


def _lines(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    # Binary files are split at LF only; a text may hold any other line separator.
    with Path(path).open("rb") as file:
        for line in file:
            yield loads(line)
