"""The port to caches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Cache(ABC):
    """Bytes by key, forgotten when it suits. Losing an entry is never an error; serving a stale one is."""

    async def open(self) -> None:
        """Connect. Idempotent."""
        return

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        return

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """The value, or None."""

    @abstractmethod
    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep the value, for at most `ttl_s` seconds."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Forget the value; a missing one is no error."""

    async def get_or_set(self, key: str, make: Callable[[], Awaitable[bytes]], *, ttl_s: float | None = None) -> bytes:
        """The value, made by `make` when missing. Adapters make it once for callers that wait together."""
        value = await self.get(key)
        if value is None:
            value = await make()
            await self.set(key, value, ttl_s=ttl_s)
        return value
