"""The portable objects of a build run on any x86-64, and the check of a build sees one that does not."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "wheels" / "cross")]

import objects  # noqa: E402 - a script, not a package

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="about x86-64 objects"),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="needs binutils"),
]

ADD = "void add(float* a, const float* b) { for (int i = 0; i < 64; ++i) a[i] += b[i]; }\n"


def compiled(folder: Path, name: str, *flags: str) -> None:
    folder.mkdir(exist_ok=True)
    source = folder / name
    source.write_text(ADD)
    subprocess.run(["g++", "-O3", *flags, "-c", source, "-o", folder / f"{name}.o"], check=True)


def test_the_objects_of_the_core_are_portable_but_for_the_instruction_sets(tmp_path: Path) -> None:
    for command in (
        ["cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DMASTRA_BUILD_PYTHON=OFF"],
        ["cmake", "--build", tmp_path, "--target", "mastra_core", "--parallel", "2"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.rglob("*.cpp.o"))) > 20
    assert objects.build_complaints(tmp_path) == []


def test_a_portable_file_that_was_compiled_for_newer_machines_is_told(tmp_path: Path) -> None:
    compiled(tmp_path, "arena.cpp")
    compiled(tmp_path, "avx2.cpp", "-mavx2")
    assert objects.build_complaints(tmp_path) == []
    compiled(tmp_path, "arena.cpp", "-mavx")
    compiled(tmp_path, "avx512.cpp")
    (tmp_path / "build.ninja").write_text("  FLAGS = -O3 -march=native -fPIC\n")
    told = "; ".join(objects.build_complaints(tmp_path))
    assert "arena.cpp.o uses v" in told
    assert "avx512.cpp.o has no wide instruction" in told
    assert "compiled with -march=native" in told
    assert objects.build_complaints(tmp_path / "nothing") == [f"no objects in {tmp_path / 'nothing'}"]
