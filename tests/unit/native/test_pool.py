"""A pool hands out objects that nobody else has, and says so when it is used wrongly."""

import contextlib
import gc
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


def test_a_lease_is_for_one_block_at_a_time():
    pool = ObjectPool(list, capacity=2)
    lease = pool.lease()
    with lease, pytest.raises(NativeInvalidArgument, match="entered"):
        lease.__enter__()
    with pytest.raises(NativeInvalidArgument, match="not entered"):
        lease.__exit__(None, None, None)
    assert pool.stats()["outstanding"] == 0


def test_a_borrowed_object_is_free_when_nobody_holds_it_and_is_wiped_for_the_next():
    pool = ObjectPool(bytearray, reset=bytearray.clear, capacity=2)
    first = pool.borrow()
    first += b"scratch"
    second = pool.borrow()
    assert second is not first
    assert pool.stats()["outstanding"] == 2
    with pytest.raises(NativeLimit, match="capacity 2"):
        pool.borrow()
    first_id = id(first)
    view = memoryview(first)
    del first
    with pytest.raises(NativeLimit):  # the view still holds it
        pool.borrow()
    view.release()
    again = pool.borrow()
    assert (id(again), bytes(again)) == (first_id, b"")
    del again, second
    assert pool.stats() == {"hits": 1, "misses": 2, "outstanding": 0, "high_water": 2, "capacity": 2}


def test_borrowed_and_acquired_objects_share_the_room_and_are_told_apart():
    pool = ObjectPool(list, reset=list.clear, capacity=1)
    item = pool.borrow()
    item.append(1)
    with pytest.raises(NativeInvalidArgument, match="was borrowed"):
        pool.release(item)
    with pytest.raises(NativeLimit):
        pool.acquire()
    first = id(item)
    del item
    item = pool.acquire()  # came back by itself
    assert (id(item), item) == (first, [])
    with pytest.raises(NativeLimit):
        pool.borrow()
    pool.release(item)
    del item
    assert id(pool.borrow()) == first


def test_many_borrowed_objects_are_found_again_wherever_they_lie():
    pool = ObjectPool(list, capacity=300)
    held = [pool.borrow() for _ in range(300)]
    for at in (299, 150, 0, 298, 75):
        wanted = id(held[at])
        held[at] = None
        held[at] = pool.borrow()
        assert id(held[at]) == wanted
    assert pool.stats()["misses"] == 300
    held.clear()
    assert pool.stats()["outstanding"] == 0


def test_a_closed_pool_lends_nothing_and_leaves_what_is_lent():
    gone = []

    class Item:
        def __del__(self):
            gone.append(1)

    pool = ObjectPool(Item, capacity=3)
    out, back = pool.borrow(), pool.borrow()
    del back
    pool.close()
    assert gone == [1]
    with pytest.raises(NativeClosed):
        pool.borrow()
    assert pool.stats()["outstanding"] == 0
    del out
    assert gone == [1, 1]


def test_a_reset_that_fails_or_closes_while_lending_costs_no_place():
    answers = [OSError("broken")]

    def reset(item):
        if answers:
            raise answers.pop()
        pool.close()

    pool = ObjectPool(list, reset=reset, capacity=1)
    pool.borrow()
    with pytest.raises(OSError, match="broken"):
        pool.borrow()
    assert pool.borrow() == []
    with pytest.raises(NativeClosed):
        pool.borrow()
    assert pool.stats()["outstanding"] == 0

    pool = ObjectPool(list, reset=lambda _: pool.close(), capacity=1)
    pool.borrow()
    with pytest.raises(NativeClosed):
        pool.acquire()


def test_a_make_that_closes_the_pool_lends_nothing():
    pool = ObjectPool(lambda: [pool.close()], capacity=1)
    with pytest.raises(NativeClosed):
        pool.borrow()


def test_a_pool_in_a_cycle_is_collected():
    gone = []

    class Owner:
        def __init__(self):
            self.pool = ObjectPool(self.make, reset=self.reset)
            self.lease = self.pool.lease()
            self.out = self.pool.acquire()
            self.lent = self.pool.borrow()
            self.pool.release(self.pool.acquire())

        def make(self):
            return [self]

        def reset(self, item):
            pass

        def __del__(self):
            gone.append(1)

    Owner()
    gc.collect()
    assert gone == [1]


def test_the_type_of_the_objects_can_be_named():
    assert ObjectPool[list].__origin__ is ObjectPool


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


@pytest.mark.parametrize("form", ["lease", "borrow"])
def test_threads_never_share_an_object(form):
    pool = ObjectPool(lambda: [0], capacity=16)
    clashes = []

    def use(item):
        if item[0] != 0:
            clashes.append(item)
        item[0] = 1
        item[0] = 0

    def work():
        for _ in range(3_000):
            if form == "borrow":
                use(pool.borrow())
            else:
                with pool.lease() as item:
                    use(item)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
    assert pool.stats()["outstanding"] == 0
    assert pool.stats()["hits"] + pool.stats()["misses"] == 24_000
