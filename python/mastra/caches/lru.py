"""The cache in this process: bounded, nothing shared, nothing kept after the process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from mastra.errors import BadSetting, InvalidInput, NativeInvalidArgument, NativeInvalidEncoding
from mastra.native.cache import Cache as NativeCache
from mastra.ports.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OPTIONS = ("max_entries", "max_bytes")


class LruCache(Cache):
    """Bytes by key in the compiled core's cache. Safe for any thread and any event loop."""

    def __init__(self, *, max_entries: int = 10_000, max_bytes: int = 64 << 20) -> None:
        try:
            self._cache = NativeCache(max_entries=max_entries, max_bytes=max_bytes)
        except (NativeInvalidArgument, TypeError) as error:
            raise BadSetting("max_entries must be at least 1 and max_bytes at least 0.") from error

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`lru:`, or `lru:?max_entries=1000&max_bytes=1048576`."""
        options = parse_qs(urlsplit(url).query)
        unknown = set(options) - set(OPTIONS)
        if unknown:
            raise BadSetting(f"{min(unknown)!r} is not an option of lru.", hint=f"Known: {', '.join(OPTIONS)}.")
        try:
            numbers = {name: int(values[-1]) for name, values in options.items()}
        except ValueError as error:
            raise BadSetting(f"{url!r} holds a number that is none.") from error
        return cls(**numbers)

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        try:
            value: bytes | None = self._cache.get(key)
        except NativeInvalidEncoding as error:
            raise InvalidInput("A cache key must be valid text.") from error
        return value

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep the value, for at most `ttl_s` seconds."""
        check_entry(key, value, ttl_s)
        self._cache.set(key, value, ttl_s=ttl_s)

    async def delete(self, key: str) -> None:
        """Forget the value."""
        check_entry(key)
        self._cache.delete(key)

    async def get_or_set(self, key: str, make: Callable[[], Awaitable[bytes]], *, ttl_s: float | None = None) -> bytes:
        """The value, made once for all who wait for it."""
        check_entry(key, ttl_s=ttl_s)
        return await self._cache.get_or_set_async(key, make, ttl_s=ttl_s)


def check_entry(key: str, value: bytes = b"", ttl_s: float | None = None) -> None:
    """`InvalidInput` for what no cache keeps."""
    if not isinstance(value, bytes):
        raise InvalidInput(f"A cache keeps bytes, not {type(value).__name__}.")
    if ttl_s is not None and not ttl_s > 0:
        raise InvalidInput("ttl_s must be above 0.", hint="Leave it out to keep the value without an end.")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("A cache key must be valid text.") from error
