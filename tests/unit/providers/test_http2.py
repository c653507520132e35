"""Models over HTTP/2, against a real server in a process of its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mastra.errors import StreamBroken
from mastra.providers.http2 import cancel
from mastra.providers.transport import Http, HttpOptions
from mastra.testing.contracts.model import TEXT, collect, expect_whole, request, text_of
from mastra.testing.wire_samples import WIRE_FORMATS

WIRE = WIRE_FORMATS["openai-chat"]


@pytest.fixture(scope="module")
def http2(authority: Path) -> Iterator[str]:
    """Where a server of HTTP/2 listens, a process of its own."""
    pytest.importorskip("h2", reason="HTTP/2 needs mastra[http2]")
    pytest.importorskip("hypercorn", reason="the HTTP/2 server of these tests")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "--certfile", "server.pem",
               "--keyfile", "server.key", f"{Path(__file__).with_name('http2_application.py')}:app"]  # fmt: skip
    with (authority / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=authority, stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail(f"hypercorn did not start: {(authority / 'log').read_text()}")
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


async def facts(url: str, authority: Path) -> dict[str, Any]:
    tls = ssl.create_default_context(cafile=str(authority / "ca.pem"))
    async with httpx.AsyncClient(verify=tls) as client:
        answer: dict[str, Any] = (await client.get(f"{url}/facts")).json()
        return answer


async def test_http2_carries_many_streams_over_one_connection(authority: Path, http2: str) -> None:
    before = await facts(http2, authority)
    model = WIRE.make(http2, http=HttpOptions(http2=True, verify=str(authority / "ca.pem")))
    expect_whole(*await collect(model))
    answers = await asyncio.gather(*[collect(model, request(f"number {number}")) for number in range(20)])
    await model.close()
    for deltas, error in answers:
        expect_whole(deltas, error)
    after = await facts(http2, authority)
    assert after["versions"][len(before["versions"]) :] == ["2"] * 21
    assert len({tuple(client) for client in after["clients"][len(before["clients"]) :]}) == 1


async def test_http2_streams_without_their_end_do_not_count(authority: Path, http2: str) -> None:
    model = WIRE.make(f"{http2}/cut", http=HttpOptions(http2=True, verify=str(authority / "ca.pem")))
    deltas, error = await collect(model)
    await model.close()
    assert isinstance(error, StreamBroken)
    assert text_of(deltas) == TEXT


async def test_http2_leaving_early_ends_the_stream_and_keeps_the_connection(authority: Path, http2: str) -> None:
    before = await facts(http2, authority)
    http = Http(HttpOptions(http2=True, verify=str(authority / "ca.pem")))
    stream = WIRE.make(f"{http2}/endless", http=http).stream(request())
    async for _ in stream:
        break
    await stream.aclose()
    expect_whole(*await collect(WIRE.make(http2, http=http)))
    for _ in range(100):
        if (await facts(http2, authority))["left"] > before["left"]:
            break
        await asyncio.sleep(0.02)
    after = await facts(http2, authority)
    await http.close()
    assert after["left"] == before["left"] + 1
    assert len({tuple(client) for client in after["clients"][len(before["clients"]) :]}) == 1


async def test_an_answer_that_is_not_of_http2_is_left_alone() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
        await cancel(await client.get("http://acme.example"))
