"""The in-process cache in pure Python: the same limits and expiry; it forgets the least recently used first."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from mastra.errors import NativeInvalidArgument, NativeInvalidEncoding

if TYPE_CHECKING:
    from collections.abc import Callable

# What an entry costs beside its key and value.
ENTRY_BYTES = 112
MOST_SHARDS = 256
# A time to live beyond a century is none.
LONGEST_S = 3e9


class CacheStore:
    """Objects by key, at most `max_entries` and `max_bytes` of them (0: no limit). For any thread."""

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 0,
        shards: int = 1,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if max_entries < 1 or not 1 <= shards <= MOST_SHARDS:
            raise NativeInvalidArgument("a cache needs room for one entry and 1 to 256 shards")
        if max_bytes < 0:
            raise TypeError("max_bytes must not be negative")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock or time.monotonic
        self._entries: OrderedDict[str, tuple[Any, int, float]] = OrderedDict()
        self._bytes = 0
        self._mutex = threading.RLock()
        self._counts = dict.fromkeys(("hits", "misses", "sets", "evictions", "expirations"), 0)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, default: Any = None, /) -> Any:
        """The value, or `default` when there is none or it is too old."""
        _check_key(key)
        with self._mutex:
            entry = self._fresh(key)
            if entry is None:
                self._counts["misses"] += 1
                return default
            self._counts["hits"] += 1
            self._entries.move_to_end(key)
            return entry[0]

    def set(
        self, key: str, value: Any, *, ttl_s: float | None = None, size: int | None = None, only_new: bool = False
    ) -> bool:
        """Keeps the value, for at most `ttl_s` seconds; False when it is too large, or there with `only_new`."""
        _check_key(key)
        if ttl_s is not None and not ttl_s > 0:
            raise NativeInvalidArgument("ttl_s must be above 0")
        if size is not None and size < 0:
            raise TypeError("size must not be negative")
        expires = self._clock() + ttl_s if ttl_s is not None and ttl_s < LONGEST_S else math.inf
        weight = ENTRY_BYTES + len(key.encode()) + (_weight(value) if size is None else size)
        with self._mutex:
            if only_new and self._fresh(key) is not None:
                return False
            self._drop(key)
            if self._max_bytes and weight > self._max_bytes:
                return False
            self._counts["sets"] += 1
            self._entries[key] = (value, weight, expires)
            self._bytes += weight
            while len(self._entries) > self._max_entries or (self._max_bytes and self._bytes > self._max_bytes):
                self._drop(next(iter(self._entries)))
                self._counts["evictions"] += 1
            return True

    def delete(self, key: str) -> bool:
        """Forgets the value; whether there was one."""
        _check_key(key)
        with self._mutex:
            return self._drop(key)

    def clear(self) -> None:
        """Forgets everything."""
        with self._mutex:
            self._entries.clear()
            self._bytes = 0

    def purge(self) -> int:
        """Forgets what is too old; returns how many."""
        now = self._clock()
        with self._mutex:
            old = [key for key, entry in self._entries.items() if now >= entry[2]]
            for key in old:
                self._drop(key)
            self._counts["expirations"] += len(old)
            return len(old)

    def stats(self) -> dict[str, int]:
        """hits, misses, sets, evictions, expirations, entries, bytes."""
        with self._mutex:
            return {**self._counts, "entries": len(self._entries), "bytes": self._bytes}

    def _fresh(self, key: str) -> tuple[Any, int, float] | None:
        entry = self._entries.get(key)
        if entry is not None and self._clock() >= entry[2]:
            self._counts["expirations"] += 1
            self._drop(key)
            return None
        return entry

    def _drop(self, key: str) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= entry[1]
        return True


def _check_key(key: str) -> None:
    if not isinstance(key, str):
        raise TypeError("the key of a cache is a str")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise NativeInvalidEncoding("the key holds a lone surrogate") from None


def _weight(value: Any) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        width = 1 if not value or max(value) < "\u0100" else 2 if max(value) < "\U00010000" else 4
        return len(value) * width
    return 0
