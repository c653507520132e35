"""Two builds of the same commit give the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path) -> Path:
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": "1700000000",
        "CXXFLAGS": f"-ffile-prefix-map={folder}=. -ffile-prefix-map={ROOT}=.",
    }
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    command = [*pip, "-w", str(folder / "dist"), f"-Cbuild-dir={folder}/build", str(ROOT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([sys.executable, ROOT / "wheels" / "sbom.py", wheel], check=True)
    return wheel


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_builds_are_byte_equal(tmp_path: Path) -> None:
    pytest.importorskip("scikit_build_core", reason="needs the build backend in this environment")
    pytest.importorskip("pybind11", reason="the same")
    first, second = build(tmp_path / "one"), build(tmp_path / "two")
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        different = [name for name in one.namelist() if one.read(name) != two.read(name)]
        assert one.namelist() == two.namelist()
        names = set(one.namelist())
    assert different == []
    assert {
        "mastra/py.typed",
        "mastra/_core.pyi",
        "mastra/AGENTS.md",
        "mastra/llms.txt",
        "mastra/docs/errors.md",
    } <= names
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    assert first.stat().st_size <= 3 << 20
