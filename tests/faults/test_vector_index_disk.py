"""Every call to the disk fails once, while an index saves, adds and removes: nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

# Stands before the C library and fails the n-th call of one kind on a regular file: with an error, or by writing half.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char* kind = "";
static int left, error, hits;

void fault_arm(const char* what, int nth, int with) { kind = what; left = nth; error = with; hits = 0; }
int fault_hits(void) { kind = ""; return hits; }

static int due(const char* what, int fd) {
  struct stat of;
  if (strcmp(kind, what) != 0) return 0;
  if (fd >= 0 && (fstat(fd, &of) != 0 || !(S_ISREG(of.st_mode) || S_ISDIR(of.st_mode)))) return 0;
  if (--left != 0) return 0;
  hits++;
  errno = error;
  return 1;
}

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
ssize_t write(int fd, const void* data, size_t size) {
  NEXT(write);
  if (!due("write", fd)) return next(fd, data, size);
  return error == 0 ? next(fd, data, (size + 1) / 2) : -1;
}
int fsync(int fd) { NEXT(fsync); return due("fsync", fd) ? -1 : next(fd); }
int fdatasync(int fd) { NEXT(fdatasync); return due("fdatasync", fd) ? -1 : next(fd); }
int ftruncate(int fd, off_t size) { NEXT(ftruncate); return due("ftruncate", fd) ? -1 : next(fd, size); }
int rename(const char* from, const char* to) { NEXT(rename); return due("rename", -1) ? -1 : next(from, to); }
int link(const char* from, const char* to) { NEXT(link); return due("link", -1) ? -1 : next(from, to); }
"""

WORKER = """
import ctypes, errno, itertools, shutil, sys
from pathlib import Path
import numpy as np
from mastra.errors import NativeError, NativeIo
from mastra.native.index import VectorIndex

faults = ctypes.CDLL(sys.argv[1])
home = Path(sys.argv[2])
rows = np.random.default_rng(1).normal(size=(1200, 8)).astype("f4")
ground = home / "ground"
ground.mkdir()
index = VectorIndex(8)
index.add(rows[:1100])
index.save(ground / "i.mv")
index = VectorIndex.open(ground / "i.mv")
index.add(rows[1100:1150])
del index

def act(index, what, path):
    if what == "add":
        index.add(rows[1150:1160], ids=np.arange(5000, 5010, dtype="u8"))
    elif what == "remove":
        index.remove([3, 4])
    else:
        index.save(path)

before = set(range(1150))
after = {"add": before | set(range(5000, 5010)), "remove": before - {3, 4}, "save": before, "save elsewhere": before}
kinds = [("write", errno.ENOSPC), ("write", errno.EIO), ("write", 0), ("fsync", errno.EIO), ("fdatasync", errno.EIO),
         ("ftruncate", errno.EIO), ("rename", errno.EACCES), ("link", errno.EMLINK)]
failed = 0
for what, (kind, error) in itertools.product(after, kinds):
    for turn in itertools.count(1):
        case = f"{what}: {kind} {turn} with {error}"
        folder = home / "case"
        shutil.copytree(ground, folder)
        path = folder / "i.mv"
        index = VectorIndex.open(path)
        target = folder / "copy.mv" if what == "save elsewhere" else path
        faults.fault_arm(kind.encode(), turn, error)
        done = True
        try:
            act(index, what, target)
        except NativeIo:
            done = False
        hit = faults.fault_hits()
        if hit and error == 0:
            assert done, f"{case}: half a write is to be finished"
        want = after[what] if done else before
        assert set(index.ids().tolist()) == want, f"{case}: in memory"
        own = index.search(rows[7], k=1)[0]
        assert own[0] == 7, f"{case}: searches"
        # What failed can be done again, or says that the index must be opened again.
        again = done
        if not done:
            failed += 1
            try:
                act(index, what, target)
                again = True
            except NativeIo as problem:
                assert "open the index again" in str(problem), f"{case}: {problem}"
        del index
        there = set(VectorIndex.open(path, read_only=True).ids().tolist())
        # A save that failed at its very end may have taken the file's place: the same rows either way.
        assert there == (after[what] if again else before), f"{case}: on disk"
        if what == "save elsewhere" and again:
            assert set(VectorIndex.open(target, read_only=True).ids().tolist()) == before, f"{case}: elsewhere"
        shutil.rmtree(folder)
        if not hit:
            break
print("failed", failed)
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("needs Linux and a C compiler: the fault is put in front of the C library")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", folder / "shim.c", "-ldl"], check=True
    )
    return folder / "shim.so"


def test_a_disk_that_fails_anywhere_loses_nothing_that_was_acknowledged(shim, tmp_path):
    environment = {**os.environ, "LD_PRELOAD": str(shim)}
    command = [sys.executable, "-c", WORKER, str(shim), str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 20


FULL = """
import resource, signal, sys
import numpy as np
from mastra.errors import NativeIo
from mastra.native.index import VectorIndex

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = sys.argv[1]
VectorIndex(8).save(path)
index = VectorIndex.open(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
kept, rng = [], np.random.default_rng(1)
while True:
    try:
        kept += index.add(rng.normal(size=(7, 8)).astype("f4")).tolist()
    except NativeIo:
        break
assert kept and index.ids().tolist() == kept
del index
assert VectorIndex.open(path, read_only=True).ids().tolist() == kept
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits on the size of files")
def test_a_log_that_can_grow_no_more_keeps_what_was_acknowledged(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "i.mv")], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
