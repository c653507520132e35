"""What a stranger gets: the source distribution, and the wheel on every Python of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, cwd: Path) -> str:
    # Neither this environment's packages nor its settings may help the build or the installed package.
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MASTRA_", "VIRTUAL"))
    }
    done = subprocess.run([*map(str, command)], cwd=cwd, env=inherited, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed: a file that only lies about here is missed by nobody."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs the repository")
    folder = tmp_path_factory.mktemp("source") / "clone"
    run("git", "clone", "-q", "--no-hardlinks", ROOT, folder, cwd=ROOT)
    return folder


def new_environment(python: Path | str, folder: Path) -> Path:
    run(python, "-m", "venv", folder, cwd=folder.parent)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def build_wheel(python: Path, source: Path, folder: Path, *, house: Path | None = None) -> Path:
    """The wheel; with a `house` of packages from that alone, where the system can do so without any network."""
    shut = ["unshare", "-rn"] if house and shutil.which("unshare") else []
    if shut and subprocess.run([*shut, "true"], capture_output=True, check=False).returncode:
        shut = []
    only = ["--no-index", "--find-links", house] if house else []
    run(*shut, python, "-m", "pip", "wheel", "-q", "--no-deps", *only, "-w", folder / "dist",
        f"-Cbuild-dir={folder}/build", source, cwd=folder)  # fmt: skip
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def prove(python: Path, folder: Path) -> None:
    """The installed package works: every kernel, the index, an agent, a workflow, and the tour."""
    assert "smoke: ok" in run(python, "-P", ROOT / "wheels" / "smoke.py", cwd=folder)
    run(python.parent / "mastra", "demo", cwd=folder)


def install_pinned(wheel: Path, folder: Path, interpreter: str) -> Path:
    """A new environment with the wheel and the pinned list, and nothing that is not on it."""
    python = new_environment(interpreter, folder)
    pins = ROOT / "wheels" / "requirements.txt"
    run(python, "-m", "pip", "install", "-q", "--require-hashes", "--only-binary", ":all:", "-r", pins, cwd=folder)
    run(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel, cwd=folder)
    run(python, "-m", "pip", "check", cwd=folder)
    return python


def interpreters() -> list[str]:
    """Every CPython from 3.11 on that is on the path or in pyenv, one of each version."""
    found: dict[tuple[int, int], str] = {sys.version_info[:2]: sys.executable}
    places = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    places += map(str, (Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
    for place in filter(None, places):
        done = subprocess.run([place, "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"Python 3\.(\d+)", done.stdout)
        if done.returncode == 0 and version and int(version[1]) >= 11:
            found.setdefault((3, int(version[1])), place)
    return [found[version] for version in sorted(found)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_source_distribution_gives_the_wheel_of_the_clone(clone: Path, tmp_path: Path) -> None:
    python = new_environment(sys.executable, tmp_path / "tools")
    run(python, "-m", "pip", "install", "-q", "build", cwd=tmp_path)
    run(python, "-m", "build", "--sdist", "-o", tmp_path / "sdist", clone, cwd=tmp_path)
    (sdist,) = (tmp_path / "sdist").glob("*.tar.gz")
    run(python, ROOT / "wheels" / "sbom.py", sdist, cwd=tmp_path)
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"PKG-INFO", "sboms/mastra.cdx.json", "LICENSE", "CMakeLists.txt"} <= inside
    for name in ("one", "two", "house"):
        (tmp_path / name).mkdir()
    # What pyproject.toml declares, and what the backend adds where the machine has no CMake.
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    run(python, "-m", "pip", "download", "-q", "-d", tmp_path / "house", *declared, "cmake", "ninja", cwd=tmp_path)
    theirs = build_wheel(python, sdist, tmp_path / "one", house=tmp_path / "house")
    ours = build_wheel(python, clone, tmp_path / "two")
    with zipfile.ZipFile(theirs) as one, zipfile.ZipFile(ours) as two:
        assert sorted(one.namelist()) == sorted(two.namelist())
    prove(install_pinned(theirs, tmp_path / "fresh", sys.executable), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_compiler_a_wheel_of_pure_python_can_be_made(clone: Path, tmp_path: Path) -> None:
    python = new_environment(sys.executable, tmp_path / "fresh")
    run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "dist", "-Cwheel.cmake=false", clone,
        cwd=tmp_path)  # fmt: skip
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    assert '"none"' in run(python.parent / "mastra", "version", "--json", cwd=tmp_path)
    assert "left out" in run(python.parent / "mastra", "demo", cwd=tmp_path)


# One whole build for each Python: `nox -s pythons`, and not part of every run.
@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("interpreter", interpreters())
def test_the_wheel_installs_and_works_on_every_python_of_this_machine(
    interpreter: str, clone: Path, tmp_path: Path
) -> None:
    python = new_environment(interpreter, tmp_path / "fresh")
    wheel = build_wheel(python, clone, tmp_path)
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    prove(python, tmp_path)
    install_pinned(wheel, tmp_path / "pinned", interpreter)
