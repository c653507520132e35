"""The port to event buses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager


class BusEvent(NamedTuple):
    """An event and the cursor to continue after it."""

    cursor: str
    data: dict[str, Any]


class EventBus(ABC):
    """Topics that events are published to and read from, in order, from any process that shares the bus."""

    async def open(self) -> None:
        """Connect. Idempotent."""
        return

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        return

    @abstractmethod
    async def publish(self, topic: str, data: dict[str, Any]) -> str:
        """Add an event; its cursor once it is accepted."""

    @abstractmethod
    def subscribe(
        self, topic: str, *, after: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[BusEvent]]:
        """Events as they come; with `after`, first those that came since that cursor (`"0"`: all kept)."""
