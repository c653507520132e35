"""The event bus in Redis or Valkey: one stream per topic, readable by every process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mastra.buses.topics import check_data, check_topic
from mastra.errors import BadSetting, BusError, InvalidInput, MissingExtra
from mastra.ports.bus import BusEvent, EventBus
from mastra.types.json import dumps, loads

_CURSOR = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?")
# A read that waits comes back this often, so that a dead connection is noticed.
_BLOCK_MS = 2_000
_AT_ONCE = 100


class RedisBus(EventBus):
    """Redis Streams. Each topic keeps about its last `keep` events."""

    def __init__(self, url: str, *, prefix: str = "mastra:bus:", keep: int = 10_000) -> None:
        if keep < 1:
            raise BadSetting("A bus keeps at least one event of each topic.")
        self._url = url
        self._prefix = prefix
        self._keep = keep
        self._client: Any = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`redis://host:6379/0?prefix=app:&keep=1000`; `rediss://` for TLS."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        prefix, keep = options.pop("prefix", "mastra:bus:"), options.pop("keep", "10000")
        if not keep.isdigit():
            raise BadSetting("keep must be a number of events.")
        return cls(urlunsplit(parts._replace(query=urlencode(options))), prefix=prefix, keep=int(keep))

    async def open(self) -> None:
        """Connect."""
        if self._client is not None:
            return
        try:
            from redis import asyncio as redis  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtra("redis", feature="The Redis event bus", module="redis") from error
        client = redis.from_url(self._url, socket_connect_timeout=5, decode_responses=True)
        try:
            with _translated():
                await client.ping()
        except BaseException:
            await client.aclose()
            raise
        self._client = client

    async def close(self) -> None:
        """Let the connections go."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ready(self) -> Any:
        if self._client is None:
            await self.open()
        return self._client

    async def publish(self, topic: str, data: dict[str, Any]) -> str:
        """Add an event; its cursor once Redis has accepted it."""
        key = self._prefix + check_topic(topic)
        body = dumps(check_data(data))
        client = await self._ready()
        with _translated():
            return str(await client.xadd(key, {"data": body}, maxlen=self._keep, approximate=True))

    @asynccontextmanager
    async def subscribe(self, topic: str, *, after: str | None = None) -> AsyncIterator[AsyncIterator[BusEvent]]:
        """Events as they come; with `after`, first those since."""
        key = self._prefix + check_topic(topic)
        if after is not None and not _CURSOR.fullmatch(after):
            raise InvalidInput(
                f"{after[:40]!r} is not a cursor of this bus.", hint='Use one that publish gave, or "0".'
            )
        client = await self._ready()
        if after is None:
            # The last one now: what is published from here on is new.
            with _translated():
                last = await client.xrevrange(key, count=1)
            after = last[0][0] if last else "0-0"
        yield _read(client, key, after)  # pyright: ignore[reportArgumentType]  # mypy reads it right


async def _read(client: Any, key: str, position: str) -> AsyncIterator[BusEvent]:
    while True:
        with _translated():
            answer = await client.xread({key: position}, count=_AT_ONCE, block=_BLOCK_MS)
        for _, events in answer or ():
            for cursor, fields in events:
                position = cursor
                yield BusEvent(cursor, loads(fields["data"]))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    from redis.exceptions import RedisError  # noqa: PLC0415 - an extra

    try:
        yield
    except (RedisError, OSError) as error:
        raise BusError(f"Redis failed: {error}", adapter="redis", retryable=True) from error
