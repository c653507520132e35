"""Asking for more until enough rows match."""

from mastra.ports.vectors import Match
from mastra.vectors.growing import search_growing


async def test_it_asks_for_more_only_while_it_helps():
    asked = []

    async def fetch(count):
        asked.append(count)
        return [Match(str(n), -n, {"n": n}) for n in range(min(count, 1000))]

    found = await search_growing(fetch, 3, {"n": {"$gte": 500}})
    assert [match.id for match in found] == ["500", "501", "502"]
    assert asked == [64, 256, 1024]
    assert await search_growing(fetch, 3, {"n": -1}) == []
    assert len(await search_growing(fetch, 3, None)) == 3
    assert asked[-1] == 3
