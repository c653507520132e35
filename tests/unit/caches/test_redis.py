"""What only Redis has: a prefix of its own, the time that is left, typed errors, announcements."""

import asyncio

import pytest

from mastra.caches.redis import RedisCache
from mastra.errors import BadSetting, CacheError
from mastra.types.ids import new_id

URL = "redis://127.0.0.1:6379/0"


@pytest.fixture
async def cache():
    cache = RedisCache.from_url(f"{URL}?prefix={new_id()}:")
    await cache.open()
    yield cache
    await cache.close()


@pytest.mark.service
async def test_caches_with_other_prefixes_do_not_meet(cache):
    other = RedisCache(URL, prefix="other:")
    await other.open()
    key = new_id()
    await cache.set(key, b"1")
    assert await other.get(key) is None
    await other.close()


@pytest.mark.service
async def test_the_time_that_is_left_comes_with_the_value(cache):
    await cache.set("timed", b"1", ttl_s=100)
    await cache.set("endless", b"2")
    value, left = await cache.get_with_ttl("timed")
    assert value == b"1"
    assert 99 < left <= 100
    assert await cache.get_with_ttl("endless") == (b"2", None)
    assert await cache.get_with_ttl("missing") is None


@pytest.mark.service
async def test_announcements_reach_every_listener(cache):
    heard, ready = asyncio.Queue(), asyncio.Event()
    listener = asyncio.create_task(cache.listen(lambda *what: heard.put_nowait(what), lambda _: ready.set()))
    await asyncio.wait_for(ready.wait(), 10)
    await cache.announce("a key: ø")
    assert await asyncio.wait_for(heard.get(), 10) == ("a key: ø", cache.sender)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)


async def test_a_server_that_is_not_there_is_a_typed_error():
    cache = RedisCache.from_url("redis://127.0.0.1:1/0?timeout_s=1")
    with pytest.raises(CacheError, match="not open"):
        await cache.get("a")
    await cache.open()
    with pytest.raises(CacheError) as caught:
        await cache.get("a")
    assert caught.value.retryable
    assert caught.value.__cause__ is not None
    await cache.close()


async def test_settings_that_cannot_be_are_refused():
    for url in (f"{URL}?timeout_s=x", f"{URL}?timeout_s=0"):
        with pytest.raises(BadSetting):
            RedisCache.from_url(url)
    with pytest.raises(BadSetting):
        await RedisCache("http://host").open()
