"""The cache in Redis or Valkey: shared by processes, with announcements for the in-process caches before it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mastra.caches.flights import Flights
from mastra.caches.lru import check_entry
from mastra.errors import BadSetting, CacheError, MissingExtra
from mastra.ports.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

OPTIONS = ("prefix", "timeout_s")
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0
# A connection that went away in silence is noticed after this long.
HEALTH_CHECK_S = 5


class RedisCache(Cache):
    """Bytes by key under a prefix. Everything that Redis or the network refuses is a `CacheError`."""

    is_shared = True

    def __init__(self, url: str, *, prefix: str = "mastra:cache:", timeout_s: float = 2.0) -> None:
        if not timeout_s > 0:
            raise BadSetting("timeout_s must be above 0.")
        self._url = url
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._channel = f"{prefix}changed"
        self._client: Any = None
        self._flights = Flights()
        self._sender = secrets.token_hex(8)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`redis://user:password@host:6379/0?prefix=app:&timeout_s=2`; `rediss://` for TLS."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        ours = {name: options.pop(name) for name in OPTIONS if name in options}
        try:
            timeout_s = float(ours.get("timeout_s", "2"))
        except ValueError as error:
            raise BadSetting("timeout_s must be a number of seconds.") from error
        rest = urlunsplit(parts._replace(query=urlencode(options)))
        return cls(rest, prefix=ours.get("prefix", "mastra:cache:"), timeout_s=timeout_s)

    @property
    def sender(self) -> str:
        """Who this instance is among announcements."""
        return self._sender

    async def open(self) -> None:
        """Make the connection pool; the first use connects."""
        if self._client is not None:
            return
        try:
            from redis import asyncio as redis  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtra("redis", feature="The Redis cache", module="redis") from error
        try:
            self._client = redis.from_url(
                self._url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                health_check_interval=HEALTH_CHECK_S,
            )
        except ValueError as error:
            raise BadSetting(f"The URL of the Redis cache cannot be read: {error}.") from error

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        check_entry(key)
        with self._errors():
            value: bytes | None = await self._opened().get(self._prefix + key)
        return value

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep the value, for at most `ttl_s` seconds."""
        await self._set(key, value, ttl_s, only_new=False)

    async def delete(self, key: str) -> None:
        """Forget the value."""
        check_entry(key)
        with self._errors():
            await self._opened().delete(self._prefix + key)

    async def get_or_set(self, key: str, make: Callable[[], Awaitable[bytes]], *, ttl_s: float | None = None) -> bytes:
        """The value, made once for all in this process who wait for it; one that was set meanwhile stays."""

        async def work() -> bytes:
            found = await self.get(key)
            if found is None:
                found = await make()
                await self._set(key, found, ttl_s, only_new=True)
            return found

        check_entry(key, ttl_s=ttl_s)
        return await self._flights.once(key, work)

    async def get_with_ttl(self, key: str) -> tuple[bytes, float | None] | None:
        """The value and the seconds it has left."""
        check_entry(key)
        with self._errors():
            pipeline = self._opened().pipeline(transaction=True)
            pipeline.get(self._prefix + key)
            pipeline.pttl(self._prefix + key)
            value, left = await pipeline.execute()
        if value is None or left == 0:
            return None
        return value, None if left < 0 else left / 1000

    async def announce(self, key: str) -> None:
        """Tell every listener that the key has changed."""
        with self._errors():
            await self._opened().publish(self._channel, f"{self._sender} {key}")

    async def listen(self, on_change: Callable[[str, str], None], on_gap: Callable[[bool], None]) -> None:
        """Pass announcements on until cancelled; connect again after a loss."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - an extra

        wait_s = FIRST_WAIT_S
        while True:
            subscription = self._opened().pubsub()
            try:
                await subscription.subscribe(self._channel)
                while True:
                    message = await subscription.get_message(timeout=HEALTH_CHECK_S)
                    if message is None:
                        continue
                    if message["type"] == "subscribe":  # the client connects again by itself: each is a new start
                        wait_s = FIRST_WAIT_S
                        on_gap(True)
                    elif message["type"] == "message":
                        sender, _, key = message["data"].decode(errors="replace").partition(" ")
                        on_change(key, sender)
            except (RedisError, OSError):
                on_gap(False)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await subscription.aclose()

    async def _set(self, key: str, value: bytes, ttl_s: float | None, *, only_new: bool) -> None:
        check_entry(key, value, ttl_s)
        milliseconds = None if ttl_s is None else max(1, round(ttl_s * 1000))
        with self._errors():
            await self._opened().set(self._prefix + key, value, px=milliseconds, nx=only_new)

    def _opened(self) -> Any:
        if self._client is None:
            raise CacheError("The Redis cache is not open.", adapter="redis", hint="Await open() first.")
        return self._client

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        from redis.exceptions import AuthenticationError, RedisError  # noqa: PLC0415 - an extra

        try:
            yield
        except AuthenticationError as error:
            raise CacheError("Redis refuses the credentials.", adapter="redis") from error
        except (RedisError, OSError) as error:
            raise CacheError(
                f"Redis failed: {type(error).__name__}.",
                adapter="redis",
                retryable=True,
                hint="See whether the server is up and the URL is right.",
            ) from error
