"""SQLite storage on a disk that fails at every call in turn, and on one that loses what was not synced."""

from __future__ import annotations

import asyncio
import os
import random
import shutil

import apsw
import pytest
from tests.faults.disk import faulty_disk

from mastra.errors import CommitUnknown, StorageError, StorageFull, StorageUnavailable
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Delete, Expect, Order, Put, Table

TABLE = Table("rows", ("n",))
SEEDS = int(os.environ.get("POWER_CUT_SEEDS", "2"))
FAILURES = [
    pytest.param(apsw.IOError, StorageUnavailable, id="io"),
    pytest.param(apsw.FullError, StorageFull, id="full"),
]


async def contents(storage) -> dict[str, int]:
    page = await storage.scan(TABLE, order=Order("n"), limit=1000)
    return {record.key: record.value["n"] for record in page.records}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("failure", "expected"), FAILURES)
async def test_a_failure_at_any_call_is_told_changes_nothing_and_passes(tmp_path, failure, expected):
    number, failed = 0, 0
    with faulty_disk() as disk:
        disk.failure = failure
        while True:
            path = tmp_path / f"{number}.db"
            storage = SqliteStorage(path)
            await storage.write([Put(TABLE, "old", {"n": 0}), Put(TABLE, "gone", {"n": 1})])
            before = await contents(storage)
            batch = [Put(TABLE, f"k{n}", {"n": n, "text": "x" * 9_000}) for n in range(2, 12)]
            disk.failed, disk.fail_at = 0, number
            try:
                await storage.write([*batch, Delete(TABLE, "gone"), Expect(TABLE, "old", {"n": 0})])
            except expected:
                failed += 1
                assert await contents(storage) == before
            else:
                # A failure after the commit, at a checkpoint, is nobody's failure.
                assert "gone" not in await contents(storage)
            done, disk.fail_at = not disk.failed, None
            await storage.write([Put(TABLE, "later", {"n": 99})])
            after = await contents(storage)
            assert after["later"] == 99
            await storage.integrity_check()
            await storage.close()
            reopened = SqliteStorage(path)
            assert await contents(reopened) == after
            await reopened.close()
            if done:
                break
            number += 1
    assert failed > 3, "the disk was never asked"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("failure", "expected"), FAILURES)
async def test_a_failure_while_a_file_is_made_leaves_one_that_opens(tmp_path, failure, expected):
    number = 0
    with faulty_disk() as disk:
        disk.failure = failure
        while True:
            path = tmp_path / f"{number}.db"
            disk.failed, disk.fail_at = 0, number
            storage = SqliteStorage(path)
            try:
                await storage.open()
                await storage.write([Put(TABLE, "k", {"n": 1})])
            except StorageError:
                await storage.close()
            done, disk.fail_at = not disk.failed, None
            again = SqliteStorage(path)
            await again.write([Put(TABLE, "k", {"n": 2})])
            assert await contents(again) == {"k": 2}
            await again.close()
            await storage.close()
            if done:
                break
            number += 1
    assert number > 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
async def test_a_write_that_failed_is_not_there_after_a_crash(tmp_path, lasting):
    """Whatever the disk did last: told as failed, it is gone; told as unknown, it is there whole or gone."""
    number, told = 0, []
    with faulty_disk() as disk:
        while True:
            path = tmp_path / f"{number}" / "a.db"
            storage = SqliteStorage(path)
            await storage.write([Put(TABLE, "old", {"n": 0}), Put(TABLE, "gone", {"n": 1})])
            before = await contents(storage)
            batch = [Put(TABLE, f"k{n}", {"n": n, "text": "x" * 9_000}) for n in range(2, 6)]
            disk.failed, disk.fail_at = 0, number
            if lasting:
                # From the first failure on every write and sync fails.
                disk.on_call = lambda: disk.failed and setattr(disk, "fail_at", 0)
            failure = None
            try:
                await storage.write([*batch, Delete(TABLE, "gone")])
            except StorageUnavailable as error:
                failure = error
                told.append(type(error))
                assert await contents(storage) == before
            failed, disk.fail_at, disk.on_call = disk.failed, None, None
            # A crash now: what was written is in the files, synced or not.
            crashed = tmp_path / f"{number}-crashed"
            shutil.copytree(path.parent, crashed)
            (crashed / "a.db-shm").unlink(missing_ok=True)
            await storage.close()
            reopened = SqliteStorage(crashed / "a.db")
            await reopened.integrity_check()
            now = await contents(reopened)
            await reopened.close()
            whole = {"old": 0, **{f"k{n}": n for n in range(2, 6)}}
            allowed = [whole] if failure is None else [before, whole] if type(failure) is CommitUnknown else [before]
            assert now in allowed, (number, failure)
            if not failed:
                break
            number += 1
    assert len(told) > 3, "the disk was never asked"
    assert set(told) == {CommitUnknown if lasting else StorageUnavailable}


class Shadow:
    """The batches in the order of their acknowledgements, and those that were on their way."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int | None] = {}
        self.pending: list[dict[str, int | None]] = []


async def run_writers(storage, shadow, rng, rounds):
    async def writer(lane):
        for turn in range(rounds):
            # Each lane has its own keys, so acknowledgements of different lanes never overrule each other.
            keys = [f"{lane}-{n}" for n in range(3)]
            batch = {key: (None if rng.random() < 0.2 else turn) for key in keys}
            shadow.pending.append(batch)
            text = "x" * rng.choice([10, 3_000, 40_000])
            await storage.write(
                [
                    Delete(TABLE, key) if n is None else Put(TABLE, key, {"n": n, "text": text})
                    for key, n in batch.items()
                ]
            )
            shadow.pending.remove(batch)
            shadow.acknowledged.update(batch)

    await asyncio.gather(*(writer(lane) for lane in range(4)))


async def power_cuts(tmp_path, durability, rounds, share, seed=1):
    """How many of the power cuts lost something that was acknowledged; nothing may ever be half there."""
    rng = random.Random(seed)
    shadow = Shadow()
    cuts = []
    with faulty_disk() as disk:
        disk.watching = True
        storage = SqliteStorage(tmp_path / "a.db", durability=durability)
        await storage.open()
        await storage.write([Put(TABLE, "first", {"n": 0})])

        def maybe_cut():
            if rng.random() < share:
                folder = tmp_path / f"cut{len(cuts)}"
                # In this order: what is acknowledged between the two is in both.
                pending = [dict(batch) for batch in list(shadow.pending)]
                cuts.append((folder, dict(shadow.acknowledged), pending))
                disk.cut(folder, rng)

        disk.on_call = maybe_cut
        await run_writers(storage, shadow, rng, rounds)
        disk.on_call = None
        await storage.close()
    lost = 0
    for folder, acknowledged, pending in cuts:
        lost += not await verified(folder, acknowledged, pending)
    return len(cuts), lost


async def verified(folder, acknowledged, pending):
    storage = SqliteStorage(folder / "a.db")
    await storage.integrity_check()
    found = await contents(storage)
    await storage.close()
    whole = True
    for lane in range(4):
        keys = [f"{lane}-{n}" for n in range(3)]
        now = {key: found.get(key) for key in keys}
        said = {key: acknowledged.get(key) for key in keys}
        on_the_way = [{**said, **batch} for batch in pending if set(batch) == set(keys)]
        whole = whole and now in [said, *on_the_way]
    return whole


async def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path):
    cuts, lost = await power_cuts(tmp_path, "full", rounds=25, share=0.1)
    assert cuts > 10
    assert lost == 0


async def test_the_disk_of_these_tests_does_lose_what_is_not_synced(tmp_path):
    cuts, lost = await power_cuts(tmp_path, "process", rounds=25, share=0.1)
    assert cuts > 5
    assert lost > 0, "the simulation proves nothing"


@pytest.mark.slow
@pytest.mark.timeout(900 * SEEDS)
async def test_a_hundred_power_cuts_lose_nothing(tmp_path):
    """`POWER_CUT_SEEDS=10` makes a thousand of them."""
    total = 0
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        cuts, lost = await power_cuts(folder, "full", rounds=150, share=0.12, seed=seed)
        assert lost == 0, seed
        total += cuts
    assert total > 70 * SEEDS
