from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mastra.errors import BadSetting
from mastra.server.serve import settings_of

# The tool takes until the file `go` is there: the test decides when the run may end.
APPLICATION = """
import asyncio
from pathlib import Path
from mastra import Agent, Mastra, tool
from mastra.server.options import ServerOptions

@tool
async def wait(n: int) -> str:
    "Waits."
    while not Path("go").exists():
        await asyncio.sleep(0.02)
    return "waited"

clerk = Agent("clerk", instructions="x", model='scripted/call wait {"n": 1} | all done', tools=[wait])
mastra = Mastra(agents=[clerk], server=ServerOptions(drain_s=DRAIN))
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, drain_s: float) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    (folder / "shop.py").write_text(APPLICATION.replace("DRAIN", str(drain_s)))
    port = free_port()
    command = [sys.executable, "-m", "mastra", "start", "shop:mastra", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=dict(os.environ))
    base = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"{base}/health")
                break
            except httpx.TransportError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.05)
        yield process, base
    finally:
        process.kill()
        process.wait()


def chunks(lines: Iterator[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line[6:])


def test_a_stream_in_flight_ends_well_when_the_server_is_told_to_stop(tmp_path: Path) -> None:
    with serving(tmp_path, 15) as (process, base), httpx.Client(timeout=20) as client:
        with client.stream("POST", f"{base}/api/agents/clerk/stream", json={"messages": "x"}) as answer:
            lines = answer.iter_lines()
            seen: list[object] = []
            for chunk in chunks(lines):
                seen.append(chunk["type"])
                if chunk["type"] == "tool-call":
                    break
            process.send_signal(signal.SIGTERM)
            # Nobody new is let in from now on, but who is inside may finish.
            until = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", int(base.rsplit(":", 1)[1])), 1).close()
                except OSError:
                    break
                assert time.monotonic() < until
                time.sleep(0.02)
            (tmp_path / "go").touch()
            rest = list(lines)
        said = list(chunks(iter(rest)))
        assert "finish" in [chunk["type"] for chunk in said]
        assert "error" not in [chunk["type"] for chunk in said]
        assert [line for line in rest if line][-1] == "data: [DONE]"
        assert process.wait(10) in {0, -signal.SIGTERM}
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_stream_that_does_not_end_is_cut_at_the_deadline(tmp_path: Path) -> None:
    with serving(tmp_path, 1) as (process, base), httpx.Client(timeout=20) as client:
        with client.stream("POST", f"{base}/api/agents/clerk/stream", json={"messages": "x"}) as answer:
            lines = answer.iter_lines()
            next(chunk for chunk in chunks(lines) if chunk["type"] == "tool-call")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            try:
                rest = list(lines)
            except httpx.TransportError:
                rest = []
        assert "data: [DONE]" not in rest
        process.wait(10)
        assert time.monotonic() - began < 8


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("MASTRA_HOST", raising=False)
    server = settings_of().current.server
    assert (server.host, server.port, server.workers) == ("127.0.0.1", 4111, 1)
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setenv("MASTRA_HOST", "::1")
    server = settings_of(workers=3).current.server
    assert (server.host, server.port, server.workers) == ("::1", 8080, 3)
    assert settings_of("localhost", 99).current.server.port == 99


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "8 0"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(BadSetting, match="PORT"):
        settings_of()
