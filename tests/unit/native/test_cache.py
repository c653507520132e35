"""A cache keeps what is asked for, never serves what is too old, and makes a missing value once."""

import asyncio
import gc
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeInvalidArgument, NativeInvalidEncoding
from mastra.native.cache import Cache, CacheStore
from mastra.native.memory import memory_counts


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def store(face):
    """Makes a plain cache of either face."""
    return face("cache").CacheStore


def test_what_was_set_is_read_until_it_is_deleted(store):
    cache = store()
    value = object()
    assert cache.set("a", value)
    assert cache.get("a") is value
    assert cache.set("a", 2)
    assert (cache.get("a"), cache.get("b"), cache.get("b", 7), len(cache)) == (2, None, 7, 1)
    assert cache.delete("a")
    assert not cache.delete("a")
    assert cache.get("a") is None
    cache.set("é🙂", 1)
    cache.clear()
    assert len(cache) == 0


def test_an_entry_is_gone_at_its_last_moment(store):
    clock = Clock()
    cache = store(clock=clock)
    cache.set("a", 1, ttl_s=10)
    cache.set("b", 2, ttl_s=20)
    cache.set("c", 3)
    clock.now += 9.999
    assert cache.get("a") == 1
    clock.now += 0.001
    assert cache.get("a") is None
    clock.now += 10
    assert cache.purge() == 1
    assert (cache.get("c"), len(cache), cache.stats()["expirations"]) == (3, 1, 2)


def test_set_only_new_keeps_what_is_there_unless_it_is_too_old(store):
    clock = Clock()
    cache = store(clock=clock)
    assert cache.set("a", 1, ttl_s=5, only_new=True)
    assert not cache.set("a", 2, only_new=True)
    clock.now += 5
    assert cache.set("a", 2, only_new=True)
    assert cache.get("a") == 2


def test_entries_and_bytes_are_bounded(store):
    cache = store(max_entries=10)
    for number in range(100):
        cache.set(str(number), number)
    assert len(cache) == 10
    assert cache.stats()["evictions"] == 90
    cache = store(max_bytes=10_000)
    for number in range(100):
        cache.set(str(number), bytes(1000))
        assert cache.stats()["bytes"] <= 10_000
    assert 5 <= len(cache) <= 9
    assert cache.set("weighed", object(), size=5_000)
    assert not cache.set("99", bytes(20_000))
    assert cache.get("99") is None


def test_what_is_asked_for_often_survives_a_scan():
    cache = CacheStore(max_entries=100)
    for number in range(50):
        cache.set(f"hot{number}", number)
    for _ in range(3):
        for number in range(50):
            cache.get(f"hot{number}")
    for number in range(10_000):
        cache.set(f"scan{number}", number)
    assert sum(cache.get(f"hot{number}") is not None for number in range(50)) == 50


@pytest.mark.parametrize("shards", [1, 8])
def test_the_counts_are_true(shards):
    cache = CacheStore(shards=shards)
    for number in range(100):
        cache.set(f"k{number}", b"12345678")
    for number in range(150):
        cache.get(f"k{number}")
    stats = cache.stats()
    assert (stats["hits"], stats["misses"], stats["sets"], stats["entries"]) == (100, 50, 100, 100)
    assert stats["bytes"] > 100 * 8


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "get", "delete", "tick", "purge"]), st.integers(0, 7), st.integers(1, 5)),
    max_size=60,
)


@given(OPERATIONS)
def test_a_cache_never_serves_another_value_than_the_last_one_set(operations):
    clock, model = Clock(), {}
    cache = CacheStore(max_entries=5, clock=clock)
    for number, (what, key, ttl) in enumerate(operations):
        name = f"k{key}"
        if what == "set":
            cache.set(name, number, ttl_s=ttl)
            model[name] = (number, clock.now + ttl)
        elif what == "delete":
            cache.delete(name)
            model.pop(name, None)
        elif what == "tick":
            clock.now += ttl / 2
        elif what == "purge":
            cache.purge()
        else:
            got = cache.get(name)
            value, expires = model.get(name, (None, 0))
            assert got is None or (got == value and clock.now < expires)
        assert len(cache) <= 5


def test_bytes_of_the_core_return_to_their_start():
    before = memory_counts()["cache"]["live"]
    cache = Cache(max_entries=500, max_bytes=1 << 20)
    for number in range(100_000):
        key = f"k{number * 7919 % 2000}"
        if number % 3 == 0:
            cache.set(key, bytes(number % 700))
        elif number % 3 == 1:
            cache.get(key)
        else:
            cache.delete(key)
    assert memory_counts()["cache"]["live"] - before == cache.stats()["bytes"]
    cache.clear()
    assert memory_counts()["cache"]["live"] == before


def test_values_are_let_go_and_their_destructors_may_use_the_cache():
    cache = CacheStore(max_entries=2)
    seen = []

    class Value:
        def __del__(self):
            seen.append(cache.get("other"))

    cache.set("other", 5)
    value = Value()
    gone = weakref.ref(value)
    cache.set("a", value)
    del value
    gc.collect()
    assert gone() is not None
    cache.set("a", 1)
    assert gone() is None
    assert seen == [5]


def test_wrong_arguments_are_refused(store):
    cache = store()
    with pytest.raises(TypeError):
        cache.get(1)
    with pytest.raises(TypeError):
        cache.set(b"a", 1)
    with pytest.raises(NativeInvalidEncoding):
        cache.get("\ud800")
    for ttl in (0, -1, float("nan")):
        with pytest.raises(NativeInvalidArgument):
            cache.set("a", 1, ttl_s=ttl)
    for wrong in ({"max_entries": 0}, {"shards": 0}, {"shards": 257}):
        with pytest.raises(NativeInvalidArgument):
            store(**wrong)
    with pytest.raises((TypeError, NativeInvalidArgument)):
        CacheStore.__new__(CacheStore).get("a")


def test_a_missing_value_is_made_once_for_eight_threads():
    cache, made, ready = Cache(), [], threading.Barrier(8)
    results = []

    def make():
        made.append(threading.get_ident())
        started.set()
        release.wait(10)
        return object()

    def work():
        ready.wait(10)
        results.append(cache.get_or_set("a", make))

    started, release = threading.Event(), threading.Event()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    release.set()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(map(id, results))) == 1


def test_no_update_is_lost_among_threads():
    cache = Cache(max_entries=64)

    def work(offset):
        for number in range(2_000):
            key = f"{offset}-{number % 5}"
            cache.set(key, number)
            got = cache.get(key)
            if got not in (number, None):
                wrong.append((key, got, number))

    wrong = []
    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_make_raises_reaches_the_caller_and_nothing_is_kept():
    cache = Cache()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set("a", lambda: 1 / 0)
    assert cache.get_or_set("a", lambda: 2) == 2


def test_none_is_a_value_that_is_kept():
    cache, calls = Cache(), []
    for _ in range(2):
        assert cache.get_or_set("a", lambda: calls.append(1)) is None
    assert calls == [1]


def test_a_value_deleted_or_set_while_it_is_made_is_not_overwritten():
    cache = Cache()
    assert cache.get_or_set("a", lambda: cache.delete("a") or "old") == "old"
    assert cache.get("a") is None
    assert cache.get_or_set("a", lambda: cache.set("a", "new") and "old") == "old"
    assert cache.get("a") == "new"
    assert cache.get_or_set("b", lambda: cache.clear() or "old") == "old"
    assert len(cache) == 0


async def test_a_missing_value_is_made_once_for_many_coroutines():
    cache, calls, release = Cache(), [], asyncio.Event()

    async def make():
        calls.append(1)
        await release.wait()
        return "made"

    waiting = [asyncio.create_task(cache.get_or_set_async("a", make, ttl_s=5)) for _ in range(10)]
    await asyncio.sleep(0)
    waiting[5].cancel()
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result for result in results if result == "made"] == ["made"] * 9
    assert isinstance(results[5], asyncio.CancelledError)
    assert calls == [1]


async def test_when_the_one_who_makes_is_cancelled_another_takes_over():
    cache, calls = Cache(), []

    async def make():
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return "second"

    first = asyncio.create_task(cache.get_or_set_async("a", make))
    others = [asyncio.create_task(cache.get_or_set_async("a", make)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == ["second"] * 3
    assert len(calls) == 2


async def test_an_error_of_the_coroutine_reaches_all_who_wait():
    cache = Cache()

    async def make():
        await asyncio.sleep(0)
        raise OSError("down")

    results = await asyncio.gather(*(cache.get_or_set_async("a", make) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["down"] * 3
