"""Storage for one tenant: the same storage, seen through a wall that no call can name its way around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mastra.errors import AccessDenied
from mastra.ports.storage import Storage, SupportsClaim
from mastra.types.ids import check_id
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Page, Put, Record, Table


class ScopedStorage(Storage):
    """Every table of every call becomes the tenant's own; opening and closing stay with the owner of the storage."""

    def __init__(self, storage: Storage, tenant: str) -> None:
        self._storage = storage
        self.tenant = tenant
        self._tables: dict[Table, Table] = {}

    def _mine(self, table: Table) -> Table:
        mine = self._tables.get(table)
        if mine is None:
            if table.tenant:
                raise AccessDenied("A table that names a tenant cannot be used inside another one.")
            mine = self._tables[table] = replace(table, tenant=self.tenant)
        return mine

    async def open(self) -> None:
        """Open the storage."""
        await self._storage.open()

    async def close(self) -> None:
        """Nothing: others may use the storage."""

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The tenant's row, or None."""
        return await self._storage.get(self._mine(table), key)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The tenant's rows of these keys."""
        return await self._storage.get_many(self._mine(table), keys)

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """The tenant's rows that match."""
        return await self._storage.scan(self._mine(table), where, order=order, after=after, limit=limit)

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """How many of the tenant's rows match."""
        return await self._storage.count(self._mine(table), where)

    async def write(self, batch: Sequence[Operation]) -> None:
        """All of the batch or nothing, in the tenant's tables."""
        await self._storage.write([self._scoped(operation) for operation in batch])

    def _scoped(self, operation: Operation) -> Operation:
        table = self._mine(operation.table)
        if isinstance(operation, Put):
            return Put(table, operation.key, operation.value)
        if isinstance(operation, Delete):
            return Delete(table, operation.key)
        return Expect(table, operation.key, operation.where)


class ClaimingScopedStorage(ScopedStorage):
    """The same over storage that can claim rows."""

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Take some of the tenant's rows."""
        assert isinstance(self._storage, SupportsClaim)
        return await self._storage.claim(self._mine(table), where, order=order, limit=limit, changes=changes)


def scoped(storage: Storage, tenant: str, owner: str | None = None) -> ScopedStorage:
    """`storage` for one tenant, or for one owner inside it."""
    name = check_id(tenant, "tenant") if owner is None else f"{check_id(tenant, 'tenant')}/{check_id(owner, 'owner')}"
    kind = ClaimingScopedStorage if isinstance(storage, SupportsClaim) else ScopedStorage
    return kind(storage, name)
