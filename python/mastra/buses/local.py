"""The event bus inside one process: kept in memory, bounded, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from mastra.buses.topics import check_data, check_topic, number_of
from mastra.errors import BadSetting
from mastra.ports.bus import BusEvent, EventBus


class _Topic:
    def __init__(self, keep: int) -> None:
        self.events: deque[BusEvent] = deque(maxlen=keep)
        self.last = 0
        self.changed = asyncio.Event()


class LocalBus(EventBus):
    """Topics in memory. Each keeps its last `keep` events for readers that come later."""

    def __init__(self, *, keep: int = 10_000) -> None:
        if keep < 1:
            raise BadSetting("A bus keeps at least one event of each topic.")
        self._keep = keep
        self._topics: dict[str, _Topic] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:  # noqa: ARG003 - there is nothing to say about memory
        """`local:`."""
        return cls()

    def _topic(self, topic: str) -> _Topic:
        return self._topics.setdefault(check_topic(topic), _Topic(self._keep))

    async def publish(self, topic: str, data: dict[str, Any]) -> str:
        """Add an event; its cursor."""
        kept = self._topic(topic)
        kept.last += 1
        event = BusEvent(str(kept.last), check_data(data))
        kept.events.append(event)
        kept.changed.set()
        kept.changed = asyncio.Event()
        return event.cursor

    @asynccontextmanager
    async def subscribe(self, topic: str, *, after: str | None = None) -> AsyncIterator[AsyncIterator[BusEvent]]:
        """Events as they come; with `after`, first those since."""
        kept = self._topic(topic)
        yield _read(kept, kept.last if after is None else number_of(after))


async def _read(topic: _Topic, position: int) -> AsyncIterator[BusEvent]:
    while True:
        changed = topic.changed
        if topic.events and topic.last > position:
            first = int(topic.events[0].cursor)
            event = topic.events[max(0, position + 1 - first)]
            position = int(event.cursor)
            yield event
        else:
            await changed.wait()
