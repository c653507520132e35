"""kill -9 while an index saves and appends: nothing acknowledged is lost, nothing half-written is loaded."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mastra.errors import NativeCorrupt, NativeUnsupported
from mastra.native.index import VectorIndex

# Adds, removes and saves for ever; says what is acknowledged on its standard output, one line each.
WORKER = """
import sys
import numpy as np
from mastra.native.index import VectorIndex

path, seed = sys.argv[1], int(sys.argv[2])
index = VectorIndex.open(path)
rng = np.random.default_rng(seed)
print("ready", flush=True)
step = 0
while True:
    step += 1
    ids = index.add(rng.normal(size=(20, 8)).astype("f4"))
    print("add", *ids.tolist(), flush=True)
    if step % 3 == 0:
        print("removing", ids[0], flush=True)
        index.remove(ids[:1])
        print("removed", ids[0], flush=True)
    if step % 4 == 0:
        index.save(path)
"""


def survive(path, cycles, seed):
    """The number of acknowledged rows after `cycles` kills; fails as soon as one is missing."""
    chance = random.Random(seed)
    VectorIndex(8).save(path)
    acknowledged, uncertain = set(), set()
    for cycle in range(cycles):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), str(cycle)], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.06))  # the moment of the kill is the thing under test
        worker.send_signal(signal.SIGKILL)
        for line in worker.stdout.read().splitlines(keepends=True):
            words = line.split()
            if not line.endswith("\n") or not words:
                continue
            if words[0] == "add":
                acknowledged.update(map(int, words[1:]))
            elif words[0] == "removing":
                uncertain.add(int(words[1]))
            else:
                acknowledged.discard(int(words[1]))
        worker.stdout.close()
        worker.wait()
        index = VectorIndex.open(path, read_only=True)
        there = set(index.ids().tolist())
        assert acknowledged - uncertain <= there
        assert not (uncertain - acknowledged) & there
        acknowledged -= uncertain - there
        uncertain = set()
        acknowledged |= there  # written but not acknowledged in time: it stays from now on
    return len(acknowledged)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path):
    assert survive(tmp_path / "i.mv", 5, seed=1) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_by_two_hundred_kills(tmp_path):
    assert survive(tmp_path / "i.mv", 200, seed=2) > 0
    assert {path.name for path in tmp_path.iterdir()} <= {
        "i.mv", "i.mv.log", "i.mv.prev", "i.mv.prev.log", "i.mv.tmp", "i.mv.log.tmp",
        "i.mv.prev.tmp", "i.mv.prev.log.tmp",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_of_a_hundred_thousand_damaged_files_none_is_accepted(tmp_path):
    rng = np.random.default_rng(3)
    index = VectorIndex(16)
    index.add(rng.normal(size=(1100, 16)).astype("f4"))
    path = tmp_path / "i.mv"
    index.save(path)
    good = path.read_bytes()
    accepted = 0
    for turn in range(100_000):
        bad = bytearray(good)
        kind = turn % 4
        if kind == 0:
            del bad[int(rng.integers(0, len(good))) :]
        elif kind == 1:
            at = int(rng.integers(0, 4088))
            bad[at : at + 8] = rng.choice([b"\xff" * 8, b"\x00" * 8, b"\xff" * 7 + b"\x7f"])
        elif kind == 2:
            for at in rng.integers(0, len(good), int(rng.integers(1, 5))):
                bad[int(at)] ^= 1 << int(rng.integers(0, 8))
        else:
            at = int(rng.integers(0, len(good) - 4))
            bad[at : at + 4] = rng.bytes(4)
        if bytes(bad) == good:
            continue
        path.write_bytes(bad)
        try:
            VectorIndex.open(path, mmap=bool(turn & 8), read_only=True)
        except (NativeCorrupt, NativeUnsupported):
            continue
        accepted += 1
    assert accepted == 0
