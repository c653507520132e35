"""What several tests of the verbs need: an environment such as a stranger has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).resolve().parents[3]
Run: TypeAlias = Callable[..., str]


def outside() -> dict[str, str]:
    """The variables of this environment that say nothing about Python or mastra."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MASTRA_", "VIRTUAL"))}


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command that must succeed, as if this environment were not there; what it prints."""

    def go(*command: object, cwd: Path, **environ: str) -> str:
        done = subprocess.run(
            [*map(str, command)], cwd=cwd, env={**outside(), **environ}, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    return go


@pytest.fixture(scope="session")
def stranger(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with mastra from a wheel (of pure Python: compiling is tried elsewhere)."""
    folder = tmp_path_factory.mktemp("stranger")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", "-Cwheel.cmake=false", f"-Cbuild-dir={folder}/build", ROOT, cwd=folder)
    return python
