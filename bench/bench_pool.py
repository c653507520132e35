"""The object pool from Python under contention: nanoseconds to take an object and give it back, on 1 to 8 threads.

Peers are what one would write without it: a `queue.SimpleQueue` of objects, and a list under a lock. None of them
makes, wipes or checks anything here. Run: python bench/bench_pool.py [pairs]
"""

from __future__ import annotations

import queue
import sys
import threading
import time

from mastra.native.pool import ObjectPool

ROOM = 16


class LockedList:
    def __init__(self):
        self.lock, self.free = threading.Lock(), [[] for _ in range(ROOM)]

    def acquire(self):
        with self.lock:
            return self.free.pop()

    def release(self, item):
        with self.lock:
            self.free.append(item)


def filled_queue():
    out = queue.SimpleQueue()
    for _ in range(ROOM):
        out.put([])
    return out


def nothing(_, times):
    for _ in range(times):
        pass


def pairs(pool, times):
    for _ in range(times):
        item = pool.acquire()
        pool.release(item)


def borrows(pool, times):
    for _ in range(times):
        item = pool.borrow()  # noqa: F841 - the next one gives this one back


def leases(pool, times):
    for _ in range(times):
        with pool.lease():
            pass


def queued(pool, times):
    for _ in range(times):
        item = pool.get()
        pool.put(item)


RUNS = {
    "empty loop": (nothing, lambda: None),
    "borrow": (borrows, lambda: ObjectPool(list, capacity=ROOM)),
    "acquire and release": (pairs, lambda: ObjectPool(list, capacity=ROOM)),
    "lease": (leases, lambda: ObjectPool(list, capacity=ROOM)),
    "SimpleQueue": (queued, filled_queue),
    "list under a lock": (pairs, LockedList),
}


def nanoseconds(run, pool, threads, times):
    go = threading.Barrier(threads + 1)

    def work():
        go.wait()
        run(pool, times // threads)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    go.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - start) / times * 1e9


def main(times):
    for threads in (1, 2, 4, 8):
        best = dict.fromkeys(RUNS, float("inf"))
        for _ in range(7):
            for name, (run, make) in RUNS.items():
                best[name] = min(best[name], nanoseconds(run, make(), threads, times))
        loop = best.pop("empty loop")
        peer = best["SimpleQueue"] - loop
        figures = [f"{name} {took - loop:.1f} ({peer / (took - loop):.1f}x)" for name, took in best.items()]
        print(f"{threads} threads: {', '.join(figures)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400_000)
