"""Two levels behave as one: changes reach every process, an outage degrades, nothing stale is served after it."""

import asyncio
import contextlib
import logging
import shutil
import socket
import subprocess
import time

import pytest

from mastra.caches.lru import LruCache
from mastra.caches.redis import RedisCache
from mastra.caches.tiered import TieredCache
from mastra.errors import Unsupported

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
]


class Server:
    """A Redis of this test's own, to be stopped and started again."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0?timeout_s=1"
        self.process = None

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
        raise AssertionError("redis-server did not start")

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def server():
    server = Server()
    server.start()
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def opened(url, **options):
    cache = TieredCache(RedisCache.from_url(url), **options)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


async def until(condition):
    for _ in range(1000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


async def test_a_change_in_one_process_empties_the_other(server):
    async with opened(server.url) as one, opened(server.url) as two:
        await one.set("a", b"1")
        assert await two.get("a") == b"1"
        await one.set("a", b"2")
        await until(lambda: reads(two, "a", b"2"))
        await two.delete("a")
        await until(lambda: reads(one, "a", None))


async def reads(cache, key, value):
    return await cache.get(key) == value


async def test_what_was_read_once_is_read_again_without_the_shared_level(server):
    async with opened(server.url) as cache:
        direct = RedisCache.from_url(server.url)
        await direct.open()
        await direct.set("a", b"1", ttl_s=100)
        assert await cache.get("a") == b"1"
        await direct.delete("a")  # without an announcement: only a near read still finds it
        assert await cache.get("a") == b"1"
        await direct.close()


async def test_a_near_value_does_not_outlive_the_shared_one(server):
    async with opened(server.url) as cache:
        await cache.set("a", b"1", ttl_s=0.2)
        other = RedisCache.from_url(server.url)
        await other.open()
        await until(lambda: reads(other, "a", None))
        assert await cache.get("a") is None
        await other.close()


async def test_an_outage_degrades_and_what_was_changed_meanwhile_is_not_served_stale(server, caplog):
    caplog.set_level(logging.WARNING, logger="mastra.caches.tiered")
    async with opened(server.url) as cache:
        await cache.set("kept", b"1")
        server.stop()
        await cache.set("alone", b"2")
        assert await cache.get("alone") == b"2"
        assert await cache.get_or_set("made", make) == b"made"
        assert any("alone" in record.message for record in caplog.records)
        server.start()
        stale = RedisCache.from_url(server.url)
        await stale.open()
        await stale.set("alone", b"old value of another process")
        await until(lambda: comes_back(cache, stale))
        assert await cache.get("alone") is None
        assert "back" in caplog.text
        await stale.close()


async def make():
    return b"made"


async def comes_back(cache, stale):
    """Connected again: a value that only the shared level has is found."""
    await stale.set("probe", b"1")
    return await cache.get("probe") == b"1"


async def test_it_starts_alone_when_the_shared_level_is_away(server):
    server.stop()
    async with opened(server.url, alone_ttl_s=0.5) as cache:
        await cache.set("a", b"1")
        assert await cache.get("a") == b"1"
        await until(lambda: reads(cache, "a", None))  # alone, a value lives half a second here


def test_a_cache_that_announces_nothing_cannot_stand_behind():
    with pytest.raises(Unsupported):
        TieredCache(LruCache())
