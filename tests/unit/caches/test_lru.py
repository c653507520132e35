"""The in-process cache is made from a URL and says what it does not understand."""

import pytest

from mastra.caches.lru import LruCache
from mastra.errors import BadSetting
from mastra.registry import open_url


async def test_the_url_sets_the_room():
    cache = open_url("mastra.caches", "lru:?max_entries=2&max_bytes=100000")
    assert isinstance(cache, LruCache)
    for key in "abc":
        await cache.set(key, b"1")
    assert sum([await cache.get(key) is not None for key in "abc"]) == 2


@pytest.mark.parametrize("url", ["lru:?size=3", "lru:?max_entries=x", "lru:?max_entries=0", "lru:?max_bytes=-1"])
def test_a_url_that_cannot_be_is_refused(url):
    with pytest.raises(BadSetting):
        LruCache.from_url(url)
