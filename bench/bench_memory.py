"""A reading of the process's memory: ours beside psutil's, with and without the proportional set.

Run: pytest bench/bench_memory.py -o python_files='bench_*.py' --benchmark-only --benchmark-group-by=func
What the counters cost while an index is built: bench/memory_overhead.sh.
"""

from __future__ import annotations

import pytest

from mastra.native.memory import MemoryMonitor, memory_counts, process_memory

psutil = pytest.importorskip("psutil")
PROCESS = psutil.Process()


@pytest.mark.parametrize("peer", ["ours", "psutil"])
def test_resident(benchmark, peer):
    read = {"ours": lambda: process_memory()["resident"], "psutil": lambda: PROCESS.memory_info().rss}[peer]
    assert benchmark(read) > 1 << 20


@pytest.mark.parametrize("peer", ["ours", "psutil"])
def test_proportional(benchmark, peer):
    read = {
        "ours": lambda: process_memory(with_proportional=True)["proportional"],
        "psutil": lambda: PROCESS.memory_full_info().pss,
    }[peer]
    assert benchmark(read) > 1 << 20


def test_counters(benchmark):
    assert benchmark(memory_counts)


def test_whole_report(benchmark):
    assert benchmark(MemoryMonitor().read).level
