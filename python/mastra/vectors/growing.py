"""For stores that cannot say all of a filter themselves: ask for more until enough rows match."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mastra.ports.vectors import Match
from mastra.types.filters import compile_filter
from mastra.types.records import Filter

MOST = 100_000


async def search_growing(fetch: Callable[[int], Awaitable[list[Match]]], k: int, where: Filter | None) -> list[Match]:
    """The `k` best that match; `fetch(n)` gives the `n` best, narrowed as far as the store can."""
    if not where:
        return await fetch(k)
    matcher = compile_filter(where)
    wanted = max(4 * k, 64)
    while True:
        found = await fetch(wanted)
        fitting = [match for match in found if matcher(match.metadata or {})]
        if len(fitting) >= k or len(found) < wanted or wanted >= MOST:
            return fitting[:k]
        wanted *= 4
