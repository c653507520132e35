"""The unmodified npm client `@mastra/client-js` against a real server on a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import warnings
from pathlib import Path

import pytest
import uvicorn
from tests.wire.wire_application import make

from mastra.server.http import create_app

VERSION = "1.47.0"
SUITE = Path(__file__).with_name("client_suite.mjs")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mastra-tests" / f"client-js-{VERSION}"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def client_folder() -> Path:
    """A folder with the client in it, installed once and kept."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        reason = "Node.js is missing: the real client was NOT tested against the server"
        warnings.warn(pytest.PytestWarning(reason), stacklevel=1)
        pytest.skip(reason)
    installed = CACHE / "node_modules" / "@mastra" / "client-js" / "package.json"
    if not installed.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true}', encoding="utf-8")
        command = [npm, "install", "--no-audit", "--no-fund", f"@mastra/client-js@{VERSION}"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode != 0:
            pytest.skip(f"the npm registry cannot be reached: the real client was NOT tested ({done.stderr[-200:]})")
    assert json.loads(installed.read_text(encoding="utf-8"))["version"] == VERSION
    return CACHE


async def run_suite(folder: Path, url: str, *arguments: str) -> list[dict]:
    process = await asyncio.create_subprocess_exec(
        "node", str(SUITE), url, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()[-2000:]
    return [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_the_real_client_gets_what_it_expects(client_folder: Path, tmp_path: Path, kind: str) -> None:
    storage = "memory:" if kind == "memory" else f"sqlite:///{tmp_path / 'app.db'}"
    app = create_app(make(storage=storage))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        results = await run_suite(client_folder, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await task
    failed = [f"{one['name']}: {one.get('detail', '')}" for one in results if not one["ok"]]
    assert failed == []
    assert len(results) >= 30
