"""A pool hands out objects that nobody else has, and says so when it is used wrongly."""

import contextlib
import threading

import pytest

from mastra.errors import NativeAlreadyExists, NativeClosed, NativeInvalidArgument, NativeLimit
from mastra.native.pool import ObjectPool


def test_a_released_object_is_wiped_and_comes_again():
    pool = ObjectPool(bytearray, reset=bytearray.clear, capacity=4)
    first = pool.acquire()
    first += b"scratch"
    pool.release(first)
    again = pool.acquire()
    assert again is first
    assert again == b""
    assert pool.stats() == {"hits": 1, "misses": 1, "outstanding": 1, "high_water": 1, "capacity": 4}


def test_objects_that_are_out_are_different_and_counted():
    pool = ObjectPool(list, capacity=3)
    out = [pool.acquire() for _ in range(3)]
    assert len({id(item) for item in out}) == 3
    with pytest.raises(NativeLimit, match="capacity 3"):
        pool.acquire()
    for item in out:
        pool.release(item)
    assert pool.stats()["outstanding"] == 0
    assert pool.stats()["high_water"] == 3


def test_double_and_foreign_releases_are_refused():
    pool = ObjectPool(list, capacity=2)
    item = pool.acquire()
    pool.release(item)
    with pytest.raises(NativeInvalidArgument, match="released before"):
        pool.release(item)
    with pytest.raises(NativeInvalidArgument, match="not of this pool"):
        pool.release([])
    with pytest.raises(NativeInvalidArgument, match="not of this pool"):
        ObjectPool(list).release(item)


def test_a_closed_pool_hands_out_nothing_and_takes_back_what_is_out():
    gone = []

    class Item:
        def __del__(self):
            gone.append(id(self))

    pool = ObjectPool(Item, capacity=2)
    out, free = pool.acquire(), pool.acquire()
    pool.release(free)
    del free
    assert gone == []
    pool.close()
    pool.close()
    assert len(gone) == 1
    with pytest.raises(NativeClosed):
        pool.acquire()
    pool.release(out)
    with pytest.raises(NativeInvalidArgument):
        pool.release(out)
    del out
    assert len(gone) == 2


def test_a_lease_gives_back_even_when_the_block_raises():
    pool = ObjectPool(list, reset=list.clear, capacity=1)
    lease = pool.lease()
    for _ in range(2):
        with contextlib.suppress(KeyError), lease as item:
            item.append(1)
            raise KeyError
    assert pool.stats()["outstanding"] == 0


def test_what_make_raises_passes_through_and_costs_no_place():
    answers = [ValueError("no"), ValueError("no"), []]

    def make():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = ObjectPool(make, capacity=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            pool.acquire()
    assert pool.acquire() == []
    assert pool.stats()["misses"] == 1


def test_an_object_whose_reset_raises_is_let_go():
    def reset(item):
        raise OSError("broken")

    pool = ObjectPool(list, reset=reset, capacity=1)
    first = pool.acquire()
    with pytest.raises(OSError, match="broken"):
        pool.release(first)
    assert pool.acquire() is not first


def test_an_object_cannot_be_in_the_pool_twice():
    same = []
    pool = ObjectPool(lambda: same, capacity=2)
    assert pool.acquire() is same
    with pytest.raises(NativeAlreadyExists):
        pool.acquire()


def test_a_reset_may_not_release_again_and_may_close():
    def reset(item):
        with pytest.raises(NativeInvalidArgument):
            pool.release(item)
        pool.close()

    pool = ObjectPool(list, reset=reset)
    pool.release(pool.acquire())
    with pytest.raises(NativeClosed):
        pool.acquire()


def test_a_pool_whose_init_was_not_called_is_an_error_and_no_crash():
    pool = ObjectPool.__new__(ObjectPool)
    with pytest.raises((TypeError, NativeInvalidArgument)):
        pool.acquire()


@pytest.mark.parametrize("capacity", [0, 1 << 40])
def test_a_capacity_out_of_range_is_refused(capacity):
    with pytest.raises((NativeInvalidArgument, TypeError)):
        ObjectPool(list, capacity=capacity)


def test_threads_never_share_an_object():
    pool = ObjectPool(lambda: [0], capacity=8)
    clashes = []

    def work():
        for _ in range(3_000):
            with pool.lease() as item:
                if item[0] != 0:
                    clashes.append(item)
                item[0] = 1
                item[0] = 0

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
    assert pool.stats()["outstanding"] == 0
    assert pool.stats()["hits"] + pool.stats()["misses"] == 24_000
