"""The port to storage: rows of JSON in tables, and batches that happen whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mastra.types.records import Filter, Layout, Operation, Order, Page, Record, Table


class Storage(ABC):
    """Where rows live. Everything that mastra keeps is written through these five methods."""

    # How many batches are best written at the same time; whoever has more to write puts it together.
    writes_at_once: int = 1

    @abstractmethod
    async def open(self) -> None:
        """Connect, check the version and bring the schema forward. Idempotent; called before first use."""

    @abstractmethod
    async def close(self) -> None:
        """Finish pending writes and let go of files and connections. Idempotent."""

    @abstractmethod
    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""

    @abstractmethod
    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Rows that match `where`, ordered (by key when `order` is None), from the cursor `after` on."""

    @abstractmethod
    async def write(self, batch: Sequence[Operation]) -> None:
        """All of `batch` or nothing; durable when it returns. A broken `Expect` raises `Conflict`."""

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist, in one round trip where the backend can."""
        found: dict[str, dict[str, Any]] = {}
        for key in keys:
            row = await self.get(table, key)
            if row is not None:
                found[key] = row
        return found

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """How many rows match; backends that can count do it without reading them."""
        total, after = 0, None
        while True:
            page = await self.scan(table, where, after=after, limit=1000)
            total += len(page.records)
            after = page.after
            if after is None:
                return total


@runtime_checkable
class SupportsClaim(Protocol):
    """Storage that can take rows for one worker without two workers taking the same."""

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Up to `limit` matching rows with the top-level fields of `changes` set, atomically."""
        ...


@runtime_checkable
class SupportsTextSearch(Protocol):
    """Storage that can search texts itself.

    `field` is `title`, `content.text`, or `parts[].text` in each object of a list. A word is a run of letters and
    digits, whatever their case; a row fits when it has every word of `query`.
    """

    async def search_text(
        self, table: Table, field: str, query: str, *, where: Filter | None = None, limit: int = 10
    ) -> list[Record]:
        """The rows that fit and match `where`, best first."""
        ...


@runtime_checkable
class SupportsLayout(Protocol):
    """Storage whose layout can be looked at before it is opened, which brings it forward."""

    async def layout(self) -> Layout:
        """The layout that is there (0 when there is none) and the one of this release. Nothing is written."""
        ...


@runtime_checkable
class SupportsBeside(Protocol):
    """Storage in a file, beside which other files may be kept."""

    def beside(self, name: str) -> Path:
        """The path of a file or folder that belongs to this storage."""
        ...


@runtime_checkable
class SupportsWriteOut(Protocol):
    """Storage that can tell a cancelled writer what became of the write without a task of its own for it."""

    async def write_out(self, batch: Sequence[Operation]) -> None:
        """`Storage.write`; a cancellation is raised only when the write has ended."""
        ...
