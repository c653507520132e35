"""A query that is cancelled while its answer is on the way: the next user of the pool never reads that answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from mastra.registry import open_url
from mastra.types.ids import new_id
from mastra.types.records import Put, Table

pytestmark = pytest.mark.service

URLS = {
    "mariadb": "mariadb://root@127.0.0.1:3306/test",
    "postgres": "postgres://postgres@127.0.0.1:5432/test?schema=mastra_contract&sslmode=disable",
}


@pytest.mark.parametrize("backend", sorted(URLS))
@pytest.mark.parametrize("writing", [False, True])
async def test_the_next_reader_gets_its_own_answer(backend: str, writing: bool) -> None:
    storage = open_url("mastra.storage", URLS[backend])
    storage._pool_size = 1
    await storage.open()
    table = Table(f"cancel_{new_id()[:8]}", ("n",))
    await storage.write([Put(table, f"k{i}", {"n": i}) for i in range(20)])
    sleeping = (
        "SELECT SLEEP(0.3), 'somebody elses'" if backend == "mariadb" else "SELECT pg_sleep(0.3), 'somebody elses'"
    )

    async def slow() -> None:
        async with storage.session(write=writing) as session:
            await session.run(sleeping)

    for delay in (0.0, 0.001, 0.01, 0.05):
        task = asyncio.create_task(slow())
        await asyncio.sleep(delay)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for i in range(20):
            assert await asyncio.wait_for(storage.get(table, f"k{i}"), 10) == {"n": i}
        await storage.write([Put(table, "last", {"n": 99})])
        assert await storage.get(table, "last") == {"n": 99}
    await storage.close()
