"""A cache that may fail: what it cannot give is made anew, what it cannot keep is not kept, and the log says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mastra.errors import CacheError

if TYPE_CHECKING:
    from mastra.ports.cache import Cache

log = logging.getLogger("mastra.cache")


async def look(cache: Cache, key: str) -> bytes | None:
    """What is kept under `key`; None also when the cache is out of order."""
    try:
        return await cache.get(key)
    except CacheError as error:
        log.warning("The cache gives nothing, the work is done anew: %s", error)
        return None


async def keep(cache: Cache, key: str, value: bytes, ttl_s: float | None) -> None:
    """Keep `value`, if the cache can."""
    try:
        await cache.set(key, value, ttl_s=ttl_s)
    except CacheError as error:
        log.warning("The cache keeps nothing: %s", error)
