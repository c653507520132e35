"""A disk for SQLite that fails at a chosen call, and that remembers what a power cut would leave of its files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

NAME = "mastra-faulty-disk"
# The system's own file access.
BASE = apsw.vfs_names()[0]
SECTOR = 512


class _Kept:
    """One file: what was synced, and what was written since."""

    def __init__(self, synced: bytes | None) -> None:
        # None: the folder does not know the file yet.
        self.synced = synced
        self.pending: list[tuple[int, bytes | None]] = []


class Disk(apsw.VFS):
    """SQLite's own file access with failures put in. `fail_at` counts down over the calls of the `failing` kinds."""

    def __init__(self) -> None:
        self.fail_at: int | None = None
        self.failure: Any = apsw.IOError
        self.failing = frozenset({"write", "sync", "truncate", "open"})
        self.calls = 0
        self.failed = 0
        self.watching = False
        self.files: dict[str, _Kept] = {}
        # Called at every write and sync while watching: a power cut may come now.
        self.on_call: Any = None
        super().__init__(NAME, BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        self.call("open")
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        self.files.pop(filename, None)

    def call(self, kind: str) -> None:
        """Count a call, and fail when its number has come."""
        if self.on_call is not None and kind in {"write", "sync"}:
            self.on_call()
        if kind not in self.failing:
            return
        self.calls += 1
        if self.fail_at is not None:
            self.fail_at -= 1
            if self.fail_at < 0:
                self.fail_at = None
                self.failed += 1
                raise self.failure(f"the disk fails at a {kind}")

    def kept(self, path: str) -> _Kept:
        """What is known of a file."""
        found = self.files.get(path)
        if found is None:
            there = Path(path)
            found = self.files[path] = _Kept(there.read_bytes() if there.exists() else None)
        return found

    def cut(self, folder: Path, rng: random.Random) -> None:
        """Write into `folder` what a power cut now would leave: synced bytes, and any part of what came after."""
        folder.mkdir()
        for path, kept in self.files.items():
            pending = [(at, data) for at, data in kept.pending if rng.random() < 0.5]
            if kept.synced is None and not pending:
                continue
            data = bytearray(kept.synced or b"")
            for at, piece in pending:
                if piece is None:
                    del data[at:]
                    continue
                # The last sector that was being written may hold half of each.
                part = piece if rng.random() < 0.7 else piece[: rng.randrange(0, len(piece) + 1, SECTOR)]
                data.extend(b"\0" * (at + len(part) - len(data)))
                data[at : at + len(part)] = part
            (folder / Path(path).name).write_bytes(data)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.kept = disk.kept(self.path) if disk.watching and self.path else None
        super().__init__(BASE, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self.disk.call("write")
        super().xWrite(data, offset)
        if self.kept is not None:
            self.kept.pending.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self.disk.call("truncate")
        super().xTruncate(newsize)
        if self.kept is not None:
            self.kept.pending.append((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self.disk.call("sync")
        super().xSync(flags)
        if self.kept is not None:
            assert self.path is not None
            self.kept.synced = Path(self.path).read_bytes()
            self.kept.pending.clear()


@contextmanager
def faulty_disk() -> Iterator[Disk]:
    """Every SQLite file that is opened inside is on this disk."""
    disk = Disk()
    try:
        yield disk
    finally:
        apsw.set_default_vfs(BASE)
        disk.unregister()
