"""Cuts the power under workflow runs on SQLite: writes that were not synced are lost, kept or torn, as disks do.

    python bench/powercut.py --cycles 1000 --fork
    python bench/powercut.py --cycles 20 --durability process     # must lose: the proof that this harness can tell

A file system of our own under SQLite keeps what was synced apart from what was only written. At a random moment the
process writes down the files as a disk might have them after a power cut, and ends. What was acknowledged before that
is told to the supervisor over a pipe; the next process opens the files, and everything acknowledged must be there.
With `--fork` the process of a cycle is a fork of the supervisor, which has loaded the library by then.
"""

# ruff: noqa: PLC0415, N802 - the supervisor must not load what it watches; the names of a file system are SQLite's
from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

SECTOR = 512
BAD = ("lost_runs", "undone", "recorded_rerun", "stuck", "damaged")


# ---------------------------------------------------------------- the disk


def make_disk():
    """A file system that remembers, for every file, what is synced and what was written since."""
    import apsw

    files = {}
    # The power goes at one moment for all files: nothing is written or synced while they are looked at.
    still = threading.Lock()

    class Kept:
        def __init__(self):
            self.synced = bytearray()
            self.pending = []

        def settle(self):
            for offset, data in self.pending:
                _put(self.synced, offset, data)
            self.pending.clear()

    class File(apsw.VFSFile):
        def __init__(self, base, name, flags):
            self.path = name if isinstance(name, str) else name.filename()
            super().__init__(base, name, flags)
            with still:
                self.kept = files.setdefault(self.path, Kept())

        def xWrite(self, data, offset):
            super().xWrite(data, offset)
            with still:
                self.kept.pending.append((offset, bytes(data)))

        def xTruncate(self, newsize):
            super().xTruncate(newsize)
            with still:
                self.kept.pending.append((newsize, None))

        def xSync(self, flags):
            super().xSync(flags)
            with still:
                self.kept.settle()

    class Disk(apsw.VFS):
        def __init__(self):
            self.under = apsw.vfs_names()[0]
            super().__init__("powercut", self.under, makedefault=True)

        def xOpen(self, name, flags):
            return File(self.under, name, flags)

        def xDelete(self, filename, syncdir):
            super().xDelete(filename, syncdir)
            with still:
                files.pop(filename, None)

    return Disk(), files, still


def _put(data, offset, written):
    if written is None:
        del data[offset:]
        return
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(written)] = written


def cut(files, folder, choose):
    """The files as a disk might have them: of what was not synced each write is lost, kept or torn, in any order."""
    for path, kept in files.items():
        data = bytearray(kept.synced)
        writes = list(kept.pending)
        choose.shuffle(writes)
        for offset, written in writes:
            fate = choose.random()
            if fate < 0.4:
                continue
            if written is None or fate >= 0.7:
                _put(data, offset, written)
            else:
                _put(data, offset, written[: choose.randrange(0, len(written) + 1, SECTOR)])
        (Path(folder) / Path(path).name).write_bytes(data)


# ---------------------------------------------------------------- the process


async def work(path, durability, seconds, seed, target):
    _disk, files, still = make_disk()
    from mastra import Workflow, step
    from mastra.runtime.services import Services
    from mastra.storage.sqlite import SqliteStorage

    def say(kind, what):
        os.write(1, f"{kind} {what}\n".encode())

    def act(name):
        async def run(value, ctx):
            say("effect", ctx.idempotency_key)
            return value

        return step(id=name)(run)

    storage = SqliteStorage(path, durability=durability)
    await storage.open()
    prefix = {}
    flow = Workflow("cut", on_step_finish=lambda record: say("record", f"{prefix[id(record)]}/{record.key}"))
    flow = flow.then(act("a")).then(act("b")).parallel([act("c"), act("d")]).then(act("e")).commit()
    flow.bind(Services(storage=storage))
    from mastra.workflows import engine

    begin = engine.Execution._begin

    def noted(self, *arguments, **options):
        record = begin(self, *arguments, **options)
        prefix[id(record)] = f"cut/{self.run.run_id}"
        return record

    engine.Execution._begin = noted

    async def lane():
        while True:
            run = await flow.create_run()
            await run.start_async({"n": 1})
            say("ack", run.run_id)
            if (await run.wait()).status == "success":
                say("done", run.run_id)

    tasks = [asyncio.ensure_future(lane()) for _ in range(4)]
    choose = random.Random(seed)
    await asyncio.sleep(choose.uniform(0.02, seconds))
    say("end", "-")
    with still:
        cut(files, target, choose)
    os._exit(0 if tasks else 1)


# ---------------------------------------------------------------- the supervisor


async def look(folder, truth, total):
    """What a process finds that opens the files after the power is back."""
    from mastra import Workflow, step
    from mastra.errors import MastraError
    from mastra.runtime.services import Services
    from mastra.storage.sqlite import SqliteStorage
    from mastra.workflows.tables import RUNS

    storage = SqliteStorage(Path(folder) / "runs.db")
    again = []

    def act(name):
        async def run(value, ctx):
            again.append(ctx.idempotency_key)
            return value

        return step(id=name)(run)

    try:
        await storage.open()
        await storage.integrity_check()
        flow = Workflow("cut").then(act("a")).then(act("b")).parallel([act("c"), act("d")]).then(act("e")).commit()
        services = Services(storage=storage)
        flow.bind(services)
        for run_id in truth["ack"]:
            total["lost_runs"] += await storage.get(RUNS, f"cut/{run_id}") is None
        for run_id in truth["done"]:
            row = await storage.get(RUNS, f"cut/{run_id}")
            total["undone"] += row is None or row["status"] != "success"
        await services.workflow_worker.start()
        for _ in range(500):
            if not await flow.count_runs("running"):
                break
            await asyncio.sleep(0.01)
        total["stuck"] += await flow.count_runs("running")
        total["recorded_rerun"] += len(set(again) & set(truth["record"]))
        await services.workflow_worker.stop()
        await storage.close()
    except MastraError as error:
        print("REFUSED:", error, file=sys.stderr)
        total["damaged"] += 1


def run_apart(given, folder, left, seed):
    """What a process of its own told until the power went, and what it complained of."""
    if given.fork:
        return run_forked(given, folder, left, seed)
    arguments = ["--work", f"{folder}/runs.db", str(left), "--seed", str(seed)]
    options = ["--seconds", str(given.seconds), "--durability", given.durability]
    command = [sys.executable, __file__, *arguments, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout, done.stderr


def run_forked(given, folder, left, seed):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(theirs, 1)
        try:
            asyncio.run(work(f"{folder}/runs.db", given.durability, given.seconds, seed, str(left)))
        finally:
            os._exit(1)
    os.close(theirs)
    with os.fdopen(ours) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text, ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--durability", default="full")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--fork", action="store_true", help="fork the process of a cycle instead of starting it")
    parser.add_argument("--keep", type=Path, default=None, help="where the files of a bad cycle are kept")
    parser.add_argument("--work", nargs=2, default=None)
    given = parser.parse_args()
    if given.work:
        path, target = given.work
        asyncio.run(work(path, given.durability, given.seconds, given.seed, target))
        return 0
    seed = given.seed if given.seed is not None else random.randrange(1 << 30)
    total: Counter[str] = Counter(dict.fromkeys(BAD, 0))
    for number in range(given.cycles):
        with tempfile.TemporaryDirectory() as folder:
            left = Path(folder) / "left"
            left.mkdir()
            told, complaint = run_apart(given, folder, left, seed + number)
            if "end -" not in told:
                print(complaint, file=sys.stderr)
                return 2
            truth = {"ack": [], "done": [], "record": [], "effect": []}
            # What was told before the cut began.
            for line in told.partition("end -")[0].splitlines():
                kind, _, what = line.partition(" ")
                truth[kind].append(what)
            total["acked"] += len(truth["ack"])
            total["records"] += len(truth["record"])
            before = total.copy()
            as_cut = Path(folder) / "as-cut"
            shutil.copytree(left, as_cut)
            asyncio.run(look(left, truth, total))
            if given.keep and any(total[name] != before[name] for name in BAD):
                shutil.copytree(as_cut, given.keep / str(seed + number))
                print("kept:", given.keep / str(seed + number), dict(total), file=sys.stderr)
    print(json.dumps({"seed": seed, "cuts": given.cycles, "durability": given.durability, **total}, indent=1))
    return 1 if any(total[name] for name in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
