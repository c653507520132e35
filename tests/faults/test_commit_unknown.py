"""A connection that breaks while a write is committed: nobody may be told that trying again is safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest
from tests.conformance.backends import answers

from mastra.errors import CommitUnknown, StorageUnavailable
from mastra.registry import open_url
from mastra.types.ids import new_id
from mastra.types.records import Expect, Order, Put, Table

pytestmark = pytest.mark.service


class Backend(NamedTuple):
    url: str
    port: int
    # What the driver sends to commit, and to write before that.
    commit: bytes
    write: bytes | None


BACKENDS = [
    pytest.param(
        Backend("postgres://postgres@127.0.0.1:{port}/test?schema=mastra_contract&sslmode=disable", 5432,
                b"COMMIT", b"INSERT INTO mastra_contract"),
        id="postgres",
    ),
    pytest.param(
        Backend("mariadb://root@127.0.0.1:{port}/test", 3306, b"\x03COMMIT", b"INSERT INTO `m_"), id="mariadb"
    ),
    pytest.param(
        Backend("mongodb://127.0.0.1:{port}/mastra_contract?writers=1", 57017, b"writeConcern", None),
        id="mongodb",
        marks=pytest.mark.skipif(not answers("mongodb://127.0.0.1:57017"), reason="no server of that protocol here"),
    ),
    pytest.param(Backend("redis://127.0.0.1:{port}/9?prefix=contract", 6379, b"EVALSHA", None), id="redis"),
]  # fmt: skip


class Wire:
    """A way to the server that breaks when asked to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._cut: set[asyncio.Future[None]] = set()
        self.cut_at: bytes | None = None
        # Whether the server still receives what the wire broke at.
        self.delivers = True
        self.cuts = 0

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        back = asyncio.ensure_future(self._copy(from_server, writer, answered))
        try:
            while data := await reader.read(65536):
                cut = self.cut_at is not None and self.cut_at in data
                if cut:
                    self.cuts += 1
                    self._cut.add(answered)
                if not cut or self.delivers:
                    to_server.write(data)
                    await to_server.drain()
                if cut:
                    if self.delivers:
                        await answered  # the server has done it
                    break
        except (OSError, asyncio.CancelledError):
            pass  # the end of the test
        finally:
            back.cancel()
            writer.transport.abort()
            to_server.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered: asyncio.Future[None]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answered in self._cut:
                    answered.set_result(None)
                    return
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def broken_at(backend: Backend) -> AsyncIterator[tuple]:
    wire = Wire(backend.port)
    storage = open_url("mastra.storage", backend.url.format(port=await wire.open()))
    direct = open_url("mastra.storage", backend.url.format(port=backend.port))
    table = Table("contract_unknown", ("at",), f"t{new_id()}")
    try:
        await storage.write([Put(table, "before", {"at": 1})])
        await direct.get(table, "before")
        yield wire, storage, direct, table
    finally:
        await storage.close()
        await direct.close()
        await wire.close()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_write_that_may_have_happened_is_not_offered_for_a_retry(backend):
    async with broken_at(backend) as (wire, storage, direct, table):
        wire.cut_at = backend.commit
        with pytest.raises(CommitUnknown) as caught:
            await storage.write([Expect(table, "k"), Put(table, "k", {"at": 2})])
        assert wire.cuts == 1, "the driver sent the write again"
        assert not caught.value.retryable
        assert "Read what is there" in caught.value.hint
        assert await direct.get(table, "k") == {"at": 2}
        wire.cut_at = None
        assert await storage.get(table, "k") == {"at": 2}, "the storage goes on with a new connection"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_rows_that_may_have_been_claimed_are_not_offered_either(backend):
    async with broken_at(backend) as (wire, storage, direct, table):
        wire.cut_at = backend.commit
        with pytest.raises(CommitUnknown) as caught:
            await storage.claim(table, {"at": 1}, order=Order("at"), limit=1, changes={"by": "me"})
        assert not caught.value.retryable
        assert await direct.get(table, "before") == {"at": 1, "by": "me"}


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend.values[0].write])
async def test_a_break_before_the_commit_wrote_nothing_and_can_be_tried_again(backend):
    async with broken_at(backend) as (wire, storage, direct, table):
        wire.cut_at, wire.delivers = backend.write, False
        with pytest.raises(StorageUnavailable) as caught:
            await storage.write([Put(table, "k", {"at": 2})])
        assert caught.value.retryable
        assert await direct.get(table, "k") is None
        wire.cut_at = None
        await storage.write([Put(table, "k", {"at": 2})])
        assert await direct.get(table, "k") == {"at": 2}


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend.id == "redis"])
async def test_a_server_that_is_gone_before_anything_was_sent_can_be_tried_again(backend):
    async with broken_at(backend) as (wire, storage, direct, table):
        await wire.close()
        with pytest.raises(StorageUnavailable):
            await storage.get(table, "before")
        with pytest.raises(StorageUnavailable) as caught:
            await storage.write([Put(table, "k", {"at": 2})])
        assert caught.value.retryable
        assert await direct.get(table, "k") is None
