"""The counters of the core return to their start, limits are found, and pressure rings once."""

import gc
import random
import threading
from collections import deque

import numpy as np
import pytest

from mastra.errors import NativeInvalidArgument
from mastra.native.cache import Cache
from mastra.native.index import VectorIndex
from mastra.native.json import PartialJson
from mastra.native.memory import MemoryMonitor, memory_counts, memory_limits, process_memory, reset_memory_peaks
from mastra.native.pool import ObjectPool
from mastra.native.sse import NdjsonParser, RecordParser, SseParser
from mastra.native.text import Bm25Index

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30


@pytest.fixture
def system(tmp_path):
    """Writes a made-up /proc and /sys; returns its root as text."""

    def write(**files):
        defaults = {
            "proc/meminfo": f"MemTotal: {8 * MB} kB\nMemFree: 1 kB\nMemAvailable: {6 * MB} kB\n",
            "proc/self/status": f"Name:\tx\nVmSize:\t {900 * KB} kB\nVmHWM:\t {500 * KB} kB\nVmRSS:\t {400 * KB} kB\n",
            "proc/self/smaps_rollup": f"55d0-7ffe ---p [rollup]\nRss: 1 kB\nPss:  {300 * KB} kB\nPss_Dirty: 1 kB\n",
        }
        for name, text in (defaults | files).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path)

    return write


# How a parser is made, what leaves it in the middle of something, and what may follow as often as one likes.
STREAMS = [
    (SseParser, b"data: a\ndata: " + b"b" * 5000, b"c\n\ndata: d\nda"),
    (RecordParser, b'{"a": "' + b"b" * 5000, b'"}\x1e{"a": "'),
    (NdjsonParser, b'{"a": "' + b"b" * 5000, b'"}\n{"a": "'),
    (PartialJson, b'["' + b"b" * 5000, b'", "\\u00e4'),
]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_hundred_thousand_mixed_operations_bring_every_counter_back():
    """Leaks are visible as numbers: what is live at the end is what was live at the start."""
    # One pool of the process lends the buffers of all parsers and keeps what it made: as many as are out at once.
    warm = [(make(), start) for make, start, _ in STREAMS for _ in range(20)]
    assert all(each.feed(beginning) is not None for each, beginning in warm)
    del warm
    gc.collect()
    start = {name: counts["live"] for name, counts in memory_counts().items()}
    chance, rows = random.Random(5), np.random.default_rng(5).normal(size=(64, 16)).astype("f4")

    def parts():
        return VectorIndex(16), Cache(max_entries=200), ObjectPool(bytearray, capacity=32), Bm25Index()

    index, cache, pool, words = parts()
    open_streams, borrowed = deque(maxlen=10), deque(maxlen=10)
    for turn in range(100_000):
        number = chance.randrange(500)
        match chance.randrange(11):
            case 0:
                index.add(rows[number % 64], ids=[number], upsert=True)
            case 1:
                index.remove([number], missing_ok=True)
            case 2:
                assert len(index.search(rows[number % 64], k=3)[0]) <= 3
            case 3:
                cache.set(str(number), bytes(number))
            case 4:
                cache.get(str(number))
            case 5:
                pool.release(pool.acquire())
            case 6:
                words.add(str(number), f"text {number} of {turn % 97}")
            case 7:
                words.search(f"text {number}")
            case 8:
                borrowed.append(pool.borrow())
            case 9:
                make, beginning, end = STREAMS[number % len(STREAMS)]
                open_streams.append((make(), end))
                open_streams[-1][0].feed(beginning)
            case _:
                # Whole, and some of them in the middle of the next.
                assert all(each.feed(end) is not None for each, end in open_streams)
        if turn % 20_000 == 19_999:
            assert sum(counts["live"] for counts in memory_counts().values()) > sum(start.values())
            del index, cache, pool, words
            index, cache, pool, words = parts()
    del index, cache, pool, words, open_streams, borrowed
    gc.collect()
    assert {name: counts["live"] for name, counts in memory_counts().items()} == start


def test_every_category_is_counted_and_a_closed_part_gives_its_bytes_back():
    before = memory_counts()
    assert set(before) == {"codes", "links", "cache", "pool", "buffers", "text", "other"}
    pool = ObjectPool(list, capacity=1000)
    during = memory_counts()["pool"]
    assert during["live"] >= before["pool"]["live"] + 1000 * 64
    assert during["allocations"] == before["pool"]["allocations"] + 1
    del pool
    after = memory_counts()["pool"]
    assert after["live"] == before["pool"]["live"]
    assert after["peak"] >= during["live"]
    reset_memory_peaks()
    assert memory_counts()["pool"]["peak"] == after["live"]


@pytest.mark.parametrize("storage", ["default", "compact", "f16", "f32"])
def test_an_index_counts_its_rows_and_gives_every_byte_back(storage, tmp_path):
    np = pytest.importorskip("numpy")
    rows = np.random.default_rng(1).normal(size=(3000, 64)).astype(np.float32)
    before = {name: use["live"] for name, use in memory_counts().items()}
    index = VectorIndex(64, storage=storage)
    index.add(rows)
    during = memory_counts()
    assert during["codes"]["live"] >= before["codes"] + 3000 * 32
    assert during["links"]["live"] >= before["links"] + 3000 * 32 * 4
    assert during["other"]["live"] >= before["other"] + 3000 * 8
    index.remove(np.arange(1000))
    index.optimize()
    index.save(str(tmp_path / "rows.index"))
    opened = VectorIndex.open(str(tmp_path / "rows.index"), read_only=True)
    # What is mapped from the file belongs to the system's page cache: it is not counted.
    assert memory_counts()["codes"]["live"] < during["codes"]["live"] + 3000 * 32
    del index, opened
    assert {name: use["live"] for name, use in memory_counts().items()} == before


def test_the_process_is_as_large_as_it_says():
    memory, physical = process_memory(with_proportional=True), memory_limits()["physical"]
    proportional, resident, peak = (memory[name] for name in ("proportional", "resident", "peak_resident"))
    assert proportional is not None
    assert resident is not None
    assert peak is not None
    assert physical is not None
    assert 5 * MB < proportional <= resident + MB
    assert resident <= peak
    assert physical > resident


def test_process_numbers_are_read_from_the_system(system):
    root = system()
    assert process_memory(root=root, with_proportional=True) == {
        "resident": 400 * MB, "peak_resident": 500 * MB, "proportional": 300 * MB, "virtual_size": 900 * MB
    }  # fmt: skip
    assert process_memory(root=root)["proportional"] is None


def test_the_smallest_limit_on_the_way_up_a_version_2_group_holds(system):
    group = "sys/fs/cgroup"
    root = system(
        **{
            "proc/self/cgroup": "0::/app/web\n",
            f"{group}/app/web/memory.max": "max\n",
            f"{group}/app/web/memory.current": f"{GB}\n",
            f"{group}/app/memory.max": f"{2 * GB}\n",
            f"{group}/app/memory.current": f"{GB + 300 * MB}\n",
            f"{group}/app/memory.stat": f"anon 1\ninactive_file {300 * MB}\n",
            f"{group}/memory.max": f"{4 * GB}\n",
        }
    )
    limits = memory_limits(root=root)
    assert (limits["control_group"], limits["control_group_use"]) == (2 * GB, GB)
    assert MemoryMonitor(root=root).read().share == 0.5
    assert MemoryMonitor(root=root).read().tightest == "control_group"


def test_a_version_1_group_is_read_and_its_no_limit_is_none(system):
    group = "sys/fs/cgroup/memory"
    root = system(
        **{
            "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n",
            f"{group}/x/memory.limit_in_bytes": f"{GB}\n",
            f"{group}/x/memory.usage_in_bytes": f"{512 * MB}\n",
            f"{group}/x/memory.stat": "total_inactive_file 0\n",
            f"{group}/memory.limit_in_bytes": "9223372036854771712\n",
        }
    )
    limits = memory_limits(root=root)
    assert (limits["control_group"], limits["control_group_use"]) == (GB, 512 * MB)


def test_a_system_that_says_nothing_gives_none_and_no_pressure(tmp_path):
    assert set(process_memory(root=str(tmp_path)).values()) == {None}
    report = MemoryMonitor(root=str(tmp_path)).read()
    assert (report.share, report.tightest, report.level) == (0.0, "", "ok")


def test_the_level_rises_and_falls_with_a_margin(system):
    def use(share):
        return system(**{"proc/meminfo": f"MemTotal: 1000 kB\nMemAvailable: {1000 - round(1000 * share)} kB\n"})

    monitor, seen = MemoryMonitor(root=use(0.1)), []
    remove = monitor.on_change(lambda report: seen.append((report.level, round(report.share, 2))))
    for share in (0.5, 0.71, 0.68, 0.71, 0.9, 0.99, 0.99, 0.93, 0.80, 0.69, 0.66):
        use(share)
        monitor.check()
    assert seen == [("elevated", 0.71), ("high", 0.9), ("critical", 0.99), ("elevated", 0.8), ("ok", 0.66)]
    remove()
    remove()
    use(0.99)
    assert monitor.check().level == "critical"
    assert len(seen) == 5


def test_a_callback_that_raises_is_counted_and_the_next_one_runs(system, caplog):
    monitor, seen = MemoryMonitor(root=system(), budget_bytes=MB), []
    monitor.on_change(lambda _: 1 / 0)
    monitor.on_change(seen.append)
    assert monitor.check().tightest == "budget"
    assert [report.level for report in seen] == ["critical"]
    assert monitor.failed_callbacks == 1
    assert "ZeroDivisionError" in caplog.text


def test_callbacks_run_on_the_monitors_own_thread_and_may_stop_it():
    rang, names = threading.Event(), []
    monitor = MemoryMonitor(budget_bytes=1, interval_s=60)
    monitor.on_change(lambda _: (names.append(threading.current_thread().name), monitor.stop(), rang.set()))
    with monitor:
        monitor.start()
        assert rang.wait(20)
    assert names == ["mastra-memory-monitor"]


def test_the_numbers_can_be_scraped(system):
    text = MemoryMonitor(root=system()).read().prometheus()
    assert 'mastra_memory_core_bytes{category="cache"} ' in text
    assert f"mastra_memory_process_resident_bytes {400 * MB}\n" in text
    assert "mastra_memory_share 0.250000\n" in text
    assert "None" not in text


@pytest.mark.parametrize(
    "wrong", [{"elevated": 0.9}, {"critical": 1.1}, {"interval_s": 0}, {"budget_bytes": 0}, {"elevated": 0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(NativeInvalidArgument):
        MemoryMonitor(**wrong)
