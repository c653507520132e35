"""Our own HTTP/1.1 transport against a real loopback server that speaks whatever the test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from mastra.providers.http11 import PooledTransport

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that answers each connection by `talk` and counts what it saw."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self.talk(reader, writer)
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        return head


@asynccontextmanager
async def client_of(talk: Talk) -> AsyncIterator[tuple[httpx.AsyncClient, Peer]]:
    peer = Peer(talk)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=4)
    async with httpx.AsyncClient(
        transport=PooledTransport(verify=False, limits=limits), base_url=f"http://127.0.0.1:{peer.port}"
    ) as client:
        yield client, peer
    server.close()
    await server.wait_closed()


def answers(*responses: bytes, close_after: bool = False) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for response in responses:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            await writer.drain()
        if not close_after:
            await reader.read()

    return talk


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with client_of(answers(OK, OK)) as (client, peer):
        assert (await client.get("/a")).text == "ok"
        assert (await client.get("/b")).text == "ok"
        assert peer.connections == 1


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_chunked_body_arrives_whole_however_it_is_cut(size: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for at in range(0, len(whole), size):
            writer.write(whole[at : at + size])
            await writer.drain()

    async with client_of(talk) as (client, _):
        assert (await client.get("/")).text == "hello world"


async def test_an_interim_answer_is_not_the_answer() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async with client_of(answers(hints + OK)) as (client, _):
        response = await client.get("/")
        assert response.status_code == 200
        assert "link" not in response.headers


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async with client_of(answers(b"HTTP/1.1 200 OK\r\n\r\nto the end", close_after=True)) as (client, _):
        assert (await client.get("/")).text == "to the end"


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\ncontent-len",
        b"",
    ],
)
async def test_a_cut_answer_is_an_error_and_never_a_short_answer(cut: bytes) -> None:
    async with client_of(answers(cut, close_after=True)) as (client, _):
        with pytest.raises(httpx.TransportError):
            await client.get("/")


@pytest.mark.parametrize("junk", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0\0\0\0\r\n\r\n"])
async def test_what_is_not_http_is_refused(junk: bytes) -> None:
    async with client_of(answers(junk, close_after=True)) as (client, _):
        with pytest.raises(httpx.TransportError):
            await client.get("/")


async def test_a_head_without_an_end_is_refused() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(2000):
            writer.write(b"x-filler: " + b"a" * 1000 + b"\r\n")
            await writer.drain()

    async with client_of(talk) as (client, _):
        with pytest.raises(httpx.TransportError):
            await client.get("/")


async def test_bytes_nobody_asked_for_close_the_connection_and_answer_nothing() -> None:
    async with client_of(answers(OK + OK, OK)) as (client, peer):
        assert (await client.get("/a")).text == "ok"
        await asyncio.sleep(0)
        assert (await client.get("/b")).text == "ok"
        assert peer.connections == 2


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b", "a\rb"])
async def test_a_header_cannot_begin_another_line(value: str) -> None:
    async with client_of(answers(OK)) as (client, peer):
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await client.get("/", headers={"x-model": value})
        assert "x-evil" not in str(caught.value)
        assert peer.connections == 0


@pytest.mark.parametrize("name", ["x model", "x:model", "", "x\r\nevil"])
async def test_a_header_name_must_be_a_token(name: str) -> None:
    async with client_of(answers(OK)) as (client, _):
        with pytest.raises(httpx.LocalProtocolError):
            await client.get("/", headers={name: "1"})


async def test_a_method_cannot_carry_a_second_request() -> None:
    async with client_of(answers(OK)) as (client, peer):
        with pytest.raises(httpx.LocalProtocolError):
            await client.request("GET / HTTP/1.1\r\nhost: evil\r\n\r\nGET", "/")
        assert peer.connections == 0


async def test_leaving_a_body_early_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nstart")
        await writer.drain()
        with suppress(ConnectionError):
            await reader.read()
        closed.set()

    async with client_of(talk) as (client, _):
        async with client.stream("GET", "/") as response:
            async for _part in response.aiter_raw():
                break
        await asyncio.wait_for(closed.wait(), 5)


async def test_a_kept_connection_that_the_peer_closed_is_replaced() -> None:
    async with client_of(answers(OK, close_after=True)) as (client, peer):
        assert (await client.get("/a")).text == "ok"
        await asyncio.sleep(0.05)
        assert (await client.get("/b")).text == "ok"
        assert peer.connections == 2
