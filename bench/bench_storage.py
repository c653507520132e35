"""Storage and memory on SQLite: appends, group commit, recall, pages. Run: python bench/bench_storage.py [part ...]"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import numpy as np

from mastra.memory.decay import Decay
from mastra.memory.memory import Memory
from mastra.ports.vectors import VectorRow
from mastra.registry import open_url
from mastra.runtime.services import Services
from mastra.storage.sqlite import SqliteStorage
from mastra.types.json import dumps
from mastra.types.messages import Message
from mastra.types.records import Operation, Order, Put, Table

TABLE = Table("bench_rows", ("group+at",))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = "A sentence of the length that people write when they talk to an assistant about their plans. "


def message(number: int, thread: str = "t") -> Message:
    text = f"{TEXT}{number}"
    return Message(
        id=f"{thread}-{number}", role="user" if number % 2 else "assistant", parts=({"type": "text", "text": text},),
        created_at=NOW, extra={"content": text},
    )  # fmt: skip


async def timed(work, times: int) -> list[float]:
    out = []
    for number in range(times):
        started = time.perf_counter()
        await work(number)
        out.append((time.perf_counter() - started) * 1e6)
    return out


def show(name: str, values: list[float]) -> None:
    ordered = sorted(values)
    print(f"{name:58} median {statistics.median(values):9.0f} µs   p99 {ordered[int(len(ordered) * 0.99)]:9.0f} µs")


def floor_of_sync(folder: Path) -> float:
    """What the machine's disk needs to sync 4 kB."""
    file = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    values = []
    for _ in range(300):
        started = time.perf_counter()
        os.pwrite(file, b"x" * 4096, 0)
        os.fdatasync(file)
        values.append((time.perf_counter() - started) * 1e6)
    os.close(file)
    return statistics.median(values)


class Noting(SqliteStorage):
    """Notes what is written, so that the same bytes can be written again without us."""

    last: Sequence[Operation] = ()

    async def write(self, batch: Sequence[Operation]) -> None:
        """As it is, and noted."""
        self.last = batch
        await super().write(batch)


async def steps(folder: Path) -> None:
    """`memory.record` of a step, and by turns a bare commit of the same rows into a file with the same tables."""
    storage, twin = Noting(folder / "steps.db"), SqliteStorage(folder / "bare.db")
    memory, shaper = Memory(), Memory()
    for each, place in ((memory, storage), (shaper, twin)):
        each.bind(Services(storage=place))
        await each.record(thread_id="a", resource_id="u", run_id="r", messages=[message(0, "a")])
    await twin.close()
    bare = apsw.Connection(str(folder / "bare.db"))
    bare.execute("PRAGMA synchronous=FULL")

    def commit() -> float:
        rows = [(f"m_{put.table.name}", put.key, dumps(put.value)) for put in storage.last if isinstance(put, Put)]
        started = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        for table, key, text in rows:
            sql = "ON CONFLICT(tenant, key) DO UPDATE SET value=excluded.value"
            bare.execute(f"INSERT INTO \"{table}\"(tenant, key, value) VALUES('', ?, ?) {sql}", (key, text))
        bare.execute("COMMIT")
        return (time.perf_counter() - started) * 1e6

    ours: list[float] = []
    floor: list[float] = []
    for number in range(1, 1501):
        record = memory.record(thread_id="a", resource_id="u", run_id=f"r{number}", messages=[message(number, "a")])
        started = time.perf_counter()
        await record
        ours.append((time.perf_counter() - started) * 1e6)
        floor.append(commit())
    show("memory.record of one step, durable", ours)
    show("by turns: a bare commit of the same rows (apsw)", floor)
    bare.close()
    await memory.close()
    await storage.close()


async def appends(storage: SqliteStorage) -> None:
    await storage.write([Put(TABLE, "warm", {})])
    values = await timed(lambda n: storage.write([Put(TABLE, f"k{n}", {"group": "g", "at": n, "text": TEXT})]), 1000)
    show("durable write of one row, one writer", values)
    one = await rate(storage, 1, 1000)
    many = await rate(storage, 64, 8000)
    print(f"{'writes a second: one writer, 64 writers, ratio':58} {one:9.0f} {many:9.0f} {many / one:6.1f}x")


async def rate(storage: SqliteStorage, writers: int, total: int) -> float:
    async def writer(who: int) -> None:
        for number in range(total // writers):
            await storage.write(
                [Put(TABLE, f"w{writers}-{who}-{number}", {"group": f"g{who}", "at": number, "text": TEXT})]
            )

    started = time.perf_counter()
    await asyncio.gather(*(writer(who) for who in range(writers)))
    return total / (time.perf_counter() - started)


async def recall(storage: SqliteStorage) -> None:
    memory = Memory(last_messages=20, semantic_recall=True)
    memory.bind(Services(storage=storage))
    for start in range(0, 10_000, 500):
        messages = [message(number) for number in range(start, start + 500)]
        await memory.record(thread_id="t", resource_id="u", run_id=f"r{start}", messages=messages)
    await memory.settle()
    await memory.recall(thread_id="t", resource_id="u", query="warm")
    plain = Memory(last_messages=20)
    plain.bind(Services(storage=storage))
    show("recall of the last 20 of 10,000", await timed(lambda n: plain.recall(thread_id="t", resource_id="u"), 300))
    values = await timed(lambda n: memory.recall(thread_id="t", resource_id="u", query=f"plans of {n}"), 300)
    show("the same with semantic recall over 10,000", values)


async def forgetting(storage: SqliteStorage, rows: int) -> None:
    """Turns of one user while old messages of another are removed."""
    memory = Memory(last_messages=20)
    memory.bind(Services(storage=storage))
    for start in range(0, rows, 2_000):
        thread = f"old{start // 20_000}"
        messages = [message(number, thread) for number in range(start, start + 2_000)]
        await memory.record(thread_id=thread, resource_id="old", run_id=f"r{start}", messages=messages)

    async def turn(number: int) -> None:
        await memory.recall(thread_id="live", resource_id="live")
        await memory.record(thread_id="live", resource_id="live", run_id=f"f{number}", messages=[message(number, "f")])

    # As `mastra start` does: a full collection of all that the benchmark has loaded would count as a turn's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
    values = await timed(turn, 300)
    show("a turn (recall of 20, durable record)", values)
    policy = Decay(half_life=timedelta(days=1), keep_above=0.9, keep_last=0)
    work = asyncio.create_task(memory.forget(policy, resource_id="old"))
    during: list[float] = []
    started = time.perf_counter()
    while not work.done():
        began = time.perf_counter()
        await turn(10_000 + len(during))
        during.append((time.perf_counter() - began) * 1e6)
    report = await work
    seconds = time.perf_counter() - started
    show(f"the same while {report.removed:,} messages are forgotten ({seconds:.1f} s)", during)
    # What the disk and the machine do by themselves, in as many turns.
    alone = await timed(lambda n: turn(1_000_000 + n), len(during))
    print(f"{'the longest of them, and of as many with nothing beside':58} {max(during) / 1000:9.1f} ms", end="")
    print(f"   {max(alone) / 1000:9.1f} ms")


async def starting(folder: Path, rows: int) -> None:
    """The first query of a process, with the graph's file and without."""
    url = f"sqlite:///{folder}/v.db"
    vectors = np.random.default_rng(1).normal(size=(rows, 384)).astype("f4")
    store = open_url("mastra.vectors", url)
    await store.open()
    await store.create("c", 384)
    for at in range(0, rows, 2000):
        await store.upsert("c", [VectorRow(f"r{n}", vectors[n]) for n in range(at, min(rows, at + 2000))])
    await store.close()
    for how in ("with the graph's file", "built again"):
        if how == "built again":
            shutil.rmtree(folder / "v.db.vectors")
        store = open_url("mastra.vectors", url)
        await store.open()
        began = time.perf_counter()
        await store.query("c", vectors[5].tolist(), k=3)
        print(f"{f'first query of {rows:,} vectors, {how}':58} {time.perf_counter() - began:9.2f} s")
        await store.close()


async def pages(storage: SqliteStorage, rows: int) -> None:
    table = Table(f"pages_{rows}", ("group+at",))
    for start in range(0, rows, 5000):
        batch = [
            Put(table, f"k{n}", {"group": f"g{n % 10}", "at": f"{n:09d}", "text": TEXT})
            for n in range(start, min(rows, start + 5000))
        ]
        await storage.write(batch)
    after = None
    values: list[float] = []
    for _ in range(min(200, rows // 10 // 40 - 1)):
        started = time.perf_counter()
        page = await storage.scan(table, {"group": "g3"}, order=Order("at", True), after=after, limit=40)
        values.append((time.perf_counter() - started) * 1e6)
        after = page.after
    show(f"a page of 40 of one group, {rows:,} rows", values)


async def both_pages(storage: SqliteStorage, rows: int) -> None:
    await pages(storage, 10_000)
    await pages(storage, rows)


async def main(folder: Path, only: list[str]) -> None:
    print(f"{'floor: sync of 4 kB on this disk':58} median {floor_of_sync(folder):9.0f} µs")
    storage = SqliteStorage(folder / "bench.db")
    await storage.open()
    parts = {
        "steps": lambda: steps(folder),
        "appends": lambda: appends(storage),
        "recall": lambda: recall(storage),
        "forgetting": lambda: forgetting(storage, int(os.environ.get("FORGET", "100000"))),
        "starting": lambda: starting(folder, 20_000),
        "pages": lambda: both_pages(storage, int(os.environ.get("ROWS", "1000000"))),
    }
    for name in only or parts:
        await parts[name]()
    await storage.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="steps, appends, recall, forgetting, starting, pages; all without")
    parser.add_argument("--folder", help="where the files are made")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        asyncio.run(main(Path(name), given.parts))
