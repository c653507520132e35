"""Models behind proxies and behind a certificate authority of one's own: real servers on this machine."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mastra.errors import ModelUnavailable
from mastra.providers.transport import HttpOptions
from mastra.testing.contracts.model import PIECES, collect, expect_whole
from mastra.testing.fault_server import FaultServer, Reply
from mastra.testing.wire_samples import WIRE_FORMATS

WIRE = WIRE_FORMATS["openai-chat"]
GOOD = Reply(headers={"content-type": WIRE.content_type}, pieces=(WIRE.encode(WIRE.text(PIECES)),))
PASSWORD = "hunter2-canary-proxy"


@dataclass
class Proxy:
    """A proxy that tunnels (CONNECT) and forwards (an absolute URL), and writes down what it was asked."""

    credentials: str | None = None
    refuses: bytes | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            self.asked.append(f"{method} {target}")
            wanted = f"Basic {base64.b64encode((self.credentials or '').encode()).decode()}".encode()
            if self.refuses is not None or (self.credentials is not None and wanted not in head):
                status = self.refuses or b"407 Proxy Authentication Required"
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            if method == "CONNECT":
                host, _, port = target.partition(":")
                upstream = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                host, _, path = target.removeprefix("http://").partition("/")
                name, _, port = host.partition(":")
                upstream = await asyncio.open_connection(name, int(port))
                upstream[1].write(head.replace(target.encode(), b"/" + path.encode(), 1))
            await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def running(proxy: Proxy) -> AsyncIterator[Proxy]:
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def tls_of(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


async def said(url: str, http: HttpOptions) -> Any:
    model = WIRE.make(url, http=http)
    try:
        return await collect(model)
    finally:
        await model.close()


# ---------------------------------------------------------------- a certificate authority of one's own


async def test_an_authority_of_ones_own_is_trusted_when_it_is_named(authority: Path) -> None:
    async with FaultServer(GOOD, tls=tls_of(authority)) as server:
        assert server.url.startswith("https://localhost:")
        for verify in (str(authority / "ca.pem"), ssl.create_default_context(cafile=str(authority / "ca.pem")), False):
            expect_whole(*await said(server.url, HttpOptions(verify=verify)))


async def test_an_unknown_authority_is_refused(authority: Path) -> None:
    async with FaultServer(GOOD, tls=tls_of(authority)) as server:
        deltas, error = await said(server.url, HttpOptions())
        assert deltas == []
        assert isinstance(error, ModelUnavailable)
        # A certificate does not become good by asking again.
        assert not error.retryable
        assert "certificate" in str(error)
        assert server.requests == []


async def test_a_certificate_for_another_name_is_refused(authority: Path) -> None:
    async with FaultServer(GOOD, tls=tls_of(authority)) as server:
        http = HttpOptions(verify=str(authority / "ca.pem"))
        _, error = await said(server.url.replace("localhost", "127.0.0.1"), http)
        assert isinstance(error, ModelUnavailable)
        assert not error.retryable


async def test_an_authority_in_the_environment_is_trusted(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    async with FaultServer(GOOD, tls=tls_of(authority)) as server:
        expect_whole(*await said(server.url, HttpOptions()))
        _, error = await said(server.url, HttpOptions(trust_env=False))
        assert isinstance(error, ModelUnavailable)


# ---------------------------------------------------------------- proxies


async def test_a_proxy_tunnels_https_and_sees_no_key(authority: Path) -> None:
    async with FaultServer(GOOD, tls=tls_of(authority)) as server, running(Proxy()) as proxy:
        expect_whole(*await said(server.url, HttpOptions(proxy=proxy.url, verify=str(authority / "ca.pem"))))
        assert proxy.asked == [f"CONNECT {server.url.removeprefix('https://')}"]
        assert "proxy-authorization" not in server.requests[0].headers


async def test_a_proxy_forwards_plain_http() -> None:
    async with FaultServer(GOOD) as server, running(Proxy()) as proxy:
        expect_whole(*await said(server.url, HttpOptions(proxy=proxy.url)))
        assert proxy.asked == [f"POST {server.url}{server.requests[0].path}"]


@pytest.mark.parametrize("tunnel", [True, False])
async def test_a_proxy_with_a_password(authority: Path, tunnel: bool) -> None:
    tls = tls_of(authority) if tunnel else None
    async with FaultServer(GOOD, tls=tls) as server, running(Proxy(credentials=f"me:{PASSWORD}")) as proxy:
        verify = str(authority / "ca.pem")
        with_password = proxy.url.replace("http://", f"http://me:{PASSWORD}@")
        expect_whole(*await said(server.url, HttpOptions(proxy=with_password, verify=verify)))
        wrong = proxy.url.replace("http://", f"http://me:{PASSWORD}-not@")
        http = HttpOptions(proxy=wrong, verify=verify)
        _, error = await said(server.url, http)
        assert isinstance(error, ModelUnavailable), error
        assert not error.retryable
        assert "proxy" in str(error)
        assert PASSWORD not in f"{error} {error!r} {error.details} {http!r}"
        assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "retryable"), [(b"403 Forbidden", False), (b"502 Bad Gateway", True)])
async def test_a_proxy_that_opens_no_tunnel(authority: Path, status: bytes, retryable: bool) -> None:
    async with running(Proxy(refuses=status)) as proxy:
        _, error = await said("https://localhost:9/v1", HttpOptions(proxy=proxy.url))
        assert isinstance(error, ModelUnavailable)
        assert error.retryable == retryable


async def test_a_proxy_that_is_not_there() -> None:
    _, error = await said("https://localhost:9/v1", HttpOptions(proxy="http://127.0.0.1:9"))
    assert isinstance(error, ModelUnavailable)
    assert error.retryable


async def test_the_environments_proxy_is_used_and_its_exceptions_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FaultServer(GOOD) as server, running(Proxy()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        expect_whole(*await said(server.url, HttpOptions()))
        assert len(proxy.asked) == 1
        expect_whole(*await said(server.url, HttpOptions(trust_env=False)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        expect_whole(*await said(server.url, HttpOptions()))
        assert len(proxy.asked) == 1
