"""The port to caches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Cache(ABC):
    """Bytes by key, forgotten when it suits. Losing an entry is never an error; serving a stale one is."""

    # Whether other processes see what this one puts in and takes out.
    is_shared: ClassVar[bool] = False

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


@runtime_checkable
class SupportsTiering(Protocol):
    """What a shared cache needs to stand behind an in-process one."""

    async def get_with_ttl(self, key: str) -> tuple[bytes, float | None] | None:
        """The value and the seconds it has left (None: no end), read together; None when there is no value."""

    async def announce(self, key: str) -> None:
        """Tell every listener, this process included, that the key has changed."""

    async def listen(self, on_change: Callable[[str, str], None], on_gap: Callable[[bool], None]) -> None:
        """Pass announcements on until cancelled.

        `on_change(key, sender)` for each one; `on_gap(connected)` whenever some may have been missed: at each new
        connection (True) and at each loss of one (False).
        """

    @property
    def sender(self) -> str:  # pyright: ignore[reportReturnType]  # mypy reads it right
        """Who this instance is among announcements."""
