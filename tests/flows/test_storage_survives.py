"""What storage acknowledged is there after the process was killed; many processes share one file."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mastra.errors import StorageFull
from mastra.memory.tables import MESSAGES, THREADS
from mastra.memory.threads import ThreadRepo
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Put, Table

TABLE = Table("acks", ("worker",))
CYCLES = int(os.environ.get("KILL_CYCLES", "100"))

# Writes rows and a thread, and tells each acknowledgement on a line of its own. The supervisor keeps the only truth.
WORKER = """
import asyncio, sys
from datetime import UTC, datetime
from mastra.memory.threads import ThreadRepo
from mastra.storage.sqlite import SqliteStorage
from mastra.types.messages import Message
from mastra.types.records import Expect, Put, Table

TABLE = Table("acks", ("worker",))

async def main(path, worker, rounds):
    storage = SqliteStorage(path)
    await storage.open()
    threads = ThreadRepo(storage)
    async def write(lane):
        number = 0
        while number < rounds:
            key = f"{worker}-{lane}-{number}"
            puts = [Put(TABLE, f"{letter}{key}", {"worker": worker}) for letter in "ab"]
            await storage.write([Expect(TABLE, f"a{key}"), *puts])
            print("row", key, flush=True)
            parts = ({"type": "text", "text": key},)
            message = Message(id=f"m{key}", role="user", parts=parts, created_at=datetime.now(UTC))
            await threads.append(f"t{lane}", "u", [message], run_id=worker, step=number)
            print("message", key, flush=True)
            number += 1
    await asyncio.gather(*(write(lane) for lane in range(4)))
    await storage.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def start(path: Path, worker: str, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path), worker, str(rounds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def verify(path: Path, acknowledged: list[tuple[str, str]]) -> None:
    storage = SqliteStorage(path)
    try:
        await storage.integrity_check()
        for kind, key in acknowledged:
            if kind == "row":
                assert await storage.get(TABLE, f"a{key}") is not None
                assert await storage.get(TABLE, f"b{key}") is not None
            else:
                assert await storage.get(MESSAGES, f"m{key}") is not None
        half = await storage.count(TABLE)
        assert half % 2 == 0, "a batch was written in part"
        threads = ThreadRepo(storage)
        for lane in range(4):
            row = await storage.get(THREADS, f"t{lane}")
            if row is not None:
                orders = [int(item["order"].partition("/")[2]) for item in await threads.messages.rows(f"t{lane}")]
                assert sorted(orders) == list(range(1, row["seq"] + 1))
    finally:
        await storage.close()


def pair(line: str) -> tuple[str, str]:
    kind, _, key = line.partition(" ")
    return kind, key


def kill_cycles(folder: Path, cycles: int, seed: int) -> int:
    rng = random.Random(seed)
    path = folder / "kill.db"
    acknowledged: list[tuple[str, str]] = []
    for cycle in range(cycles):
        process = start(path, f"w{cycle}", 10_000)
        assert process.stdout is not None
        wanted = rng.randrange(1, 120)
        for _ in range(wanted):
            kind, _, key = process.stdout.readline().strip().partition(" ")
            acknowledged.append((kind, key))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        acknowledged += [pair(line) for line in rest.splitlines() if line.count(" ") == 1 and "-" in line]
        asyncio.run(verify(path, acknowledged[-400:] if cycle < cycles - 1 else acknowledged))
    return len(acknowledged)


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path):
    kill_cycles(tmp_path, 3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(6 * CYCLES)
def test_a_hundred_killed_processes_lose_nothing(tmp_path):
    """`KILL_CYCLES=1000` makes a thousand of them."""
    assert kill_cycles(tmp_path, CYCLES, seed=2) > 20 * CYCLES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_eight_processes_share_one_file_without_busy_errors(tmp_path):
    path = tmp_path / "shared.db"
    workers = [start(path, f"p{number}", 40) for number in range(8)]
    acknowledged: list[tuple[str, str]] = []
    for process in workers:
        out, error = process.communicate(timeout=240)
        assert process.returncode == 0, error[-2000:]
        acknowledged += [pair(line) for line in out.splitlines()]
    assert len(acknowledged) == 8 * 4 * 40 * 2
    asyncio.run(verify(path, acknowledged))


async def in_the_writer(storage: SqliteStorage, statement: str) -> None:
    """A statement that no transaction may hold."""
    assert storage._writer is not None
    await storage._writer.submit(lambda connection: connection.execute(statement), alone=True)


async def test_a_full_disk_is_told_changes_nothing_and_passes(tmp_path):
    storage = SqliteStorage(tmp_path / "full.db")
    await storage.write([Put(TABLE, "before", {"worker": "x"})])
    await in_the_writer(storage, "PRAGMA max_page_count=40")
    with pytest.raises(StorageFull):
        await storage.write(
            [Put(TABLE, "small", {"worker": "x"}), Put(TABLE, "large", {"worker": "y" * 700, "text": "z" * 300_000})]
        )
    assert await storage.count(TABLE) == 1
    await in_the_writer(storage, "PRAGMA max_page_count=1000000")
    await storage.write([Put(TABLE, "after", {"text": "z" * 300_000})])
    assert await storage.count(TABLE) == 2
    await storage.integrity_check()
    await storage.close()


async def test_what_was_not_synced_when_the_power_went_is_never_half_there(tmp_path):
    """The write-ahead log is cut at every kind of place, as a disk that lost its last writes leaves it."""
    storage = SqliteStorage(tmp_path / "a.db")
    for number in range(30):
        await storage.write([Put(TABLE, f"a{number}", {"n": number}), Put(TABLE, f"b{number}", {"n": number})])
    main, log = (tmp_path / "a.db").read_bytes(), (tmp_path / "a.db-wal").read_bytes()
    await storage.close()
    rng = random.Random(4)
    counts = set()
    for trial in range(40):
        cut = rng.randrange(0, len(log))
        folder = tmp_path / f"cut{trial}"
        folder.mkdir()
        (folder / "a.db").write_bytes(main)
        torn = bytearray(log[:cut])
        if trial % 2 and cut > 512:
            torn[cut - 512 :] = rng.randbytes(512)
        (folder / "a.db-wal").write_bytes(bytes(torn))
        reopened = SqliteStorage(folder / "a.db")
        await reopened.integrity_check()
        rows = (await reopened.scan(TABLE, limit=100)).records
        numbers = sorted(record.value["n"] for record in rows)
        assert numbers == [number for number in range(len(numbers) // 2) for _ in "ab"], json.dumps(numbers)
        counts.add(len(numbers))
        await reopened.close()
    assert len(counts) > 5


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_eight_processes_write_to_one_file_for_a_minute(tmp_path):
    path = tmp_path / "shared.db"
    seconds = float(os.environ.get("SOAK_SECONDS", "60"))
    workers = [start(path, f"p{number}", 1_000_000) for number in range(8)]
    outs = [tmp_path / f"out{number}" for number in range(8)]
    readers = [threading.Thread(target=copy_lines, args=pair) for pair in zip(workers, outs, strict=True)]
    for reader in readers:
        reader.start()
    # On a busy machine the first writes may be long in coming: the minute begins when all are at work.
    while any(process.poll() is None and not at_work(out) for process, out in zip(workers, outs, strict=True)):
        time.sleep(0.1)
    time.sleep(seconds)
    alive = [process.poll() is None for process in workers]
    for process in workers:
        process.kill()
    for reader in readers:
        reader.join()
    errors = [process.communicate()[1] for process in workers]
    assert alive == [True] * 8, "a worker ended by itself, with an error"
    assert errors == [""] * 8, "no busy error, nor any other"
    lines = [line.split(" ") for out in outs for line in out.read_text().splitlines() if line.count(" ") == 1]
    assert {key.split("-")[0] for _, key in lines} == {f"p{number}" for number in range(8)}
    asyncio.run(verify(path, [(kind, key) for kind, key in lines if len(key.split("-")) == 3]))


def at_work(out: Path) -> bool:
    return out.exists() and out.stat().st_size > 0


def copy_lines(process: subprocess.Popen[str], path: Path) -> None:
    assert process.stdout is not None
    with path.open("w", buffering=1) as file:
        file.writelines(process.stdout)
