"""The package in examples/plugin, installed like a stranger's, brings an adapter that is found by its URL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin"
PROGRAM = """
import asyncio, sys
from mastra import registry

async def main(folder):
    cache = registry.open_url("mastra.caches", f"folder://{folder}")
    await cache.open()
    assert await cache.get("k") is None
    await cache.set("k", b"value")
    assert await cache.get("k") == b"value"
    assert await cache.get_or_set("k", None) == b"value"
    await cache.set("k", b"gone", ttl_s=-1)
    assert await cache.get("k") is None
    await cache.delete("k")
    await cache.delete("k")
    await cache.close()
    print(type(cache).__module__, sorted(registry.names("mastra.caches")))

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools", reason="needs the plug-in's build backend")
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    target = folder / "site"
    command = ["install", "-q", "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run(code: str, *arguments: str, path: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_an_installed_plug_in_is_found_by_its_scheme(installed: Path, tmp_path: Path) -> None:
    done = run(PROGRAM, str(tmp_path / "cache"), path=installed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mastra_folder_cache")
    assert "'folder'" in done.stdout


def test_without_it_the_scheme_is_unknown(tmp_path: Path) -> None:
    done = run(PROGRAM, str(tmp_path), path=None)
    assert done.returncode != 0
    assert "There is no cache called 'folder'" in done.stderr
