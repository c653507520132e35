from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mastra import Agent, Mastra
from mastra.errors import BadSetting
from mastra.ports.storage import Storage
from mastra.registry import open_url
from mastra.server.audit import AUDIT, HEAD, SECRET_VARIABLE, AuditLog, recent
from mastra.server.http import create_app
from mastra.types.records import Delete, Operation, Page, Put

SECRET = "a secret of the tests"


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    opened: Storage = open_url("mastra.storage", "memory:")
    await opened.open()
    yield opened
    await opened.close()


def audit(storage: Storage, **facts: Any) -> AuditLog:
    return AuditLog(storage, secret=SECRET, **facts)


async def written(storage: Storage, count: int = 5, **facts: Any) -> AuditLog:
    log = audit(storage, **facts)
    for number in range(count):
        log.append({"at": f"2026-03-01T00:00:{number:02}.000Z", "actor": "ann", "params": {"b": number, "a": "x"}})
    await log.flush()
    return log


async def test_an_untouched_chain_holds(storage: Storage) -> None:
    assert await audit(storage).verify() == (0, None)
    log = await written(storage, 2_500, batch=100)
    assert await log.verify() == (2_500, None)
    # Another process with the same secret goes on where this one stopped.
    await written(storage, 3)
    assert await audit(storage).verify() == (2_503, None)


async def test_rows_of_two_processes_make_one_chain(storage: Storage) -> None:
    first, second = audit(storage, batch=3), audit(storage, batch=2)
    for number in range(40):
        first.append({"at": "2026-03-01T00:00:00.000Z", "n": number})
        second.append({"at": "2026-03-01T00:00:00.000Z", "n": -number})
    await asyncio.gather(first.flush(), second.flush())
    assert await audit(storage).verify() == (80, None)
    order = [row["n"] for row in reversed(await recent(storage, limit=100)) if row["n"] > 0]
    assert sorted(order) == list(range(1, 40))


async def key(storage: Storage, number: int) -> tuple[str, dict[str, Any]]:
    name = f"{number:016d}"
    row = await storage.get(AUDIT, name)
    assert row is not None
    return name, row


async def test_a_changed_row_is_found(storage: Storage) -> None:
    log = await written(storage)
    name, row = await key(storage, 3)
    await storage.write([Put(AUDIT, name, {**row, "actor": "bob"})])
    count, broken = await log.verify()
    assert (count, broken) == (2, (3, "the row was changed"))


async def test_a_change_deep_inside_is_found(storage: Storage) -> None:
    log = await written(storage)
    name, row = await key(storage, 2)
    await storage.write([Put(AUDIT, name, {**row, "params": {"b": 1, "a": "y"}})])
    assert (await log.verify())[1] == (2, "the row was changed")


async def test_keys_in_another_order_are_no_change(storage: Storage) -> None:
    log = await written(storage)
    for number in range(1, 6):
        name, row = await key(storage, number)
        params = dict(sorted(row["params"].items()))
        await storage.write([Put(AUDIT, name, {**dict(reversed(row.items())), "params": params})])
    assert await log.verify() == (5, None)


async def test_a_dropped_row_is_found(storage: Storage) -> None:
    log = await written(storage)
    await storage.write([Delete(AUDIT, f"{2:016d}")])
    assert await log.verify() == (1, (2, "a row is missing or out of order"))


async def test_swapped_rows_are_found(storage: Storage) -> None:
    log = await written(storage)
    (second, row2), (third, row3) = await key(storage, 2), await key(storage, 3)
    await storage.write([Put(AUDIT, second, {**row3, "number": 2}), Put(AUDIT, third, {**row2, "number": 3})])
    assert (await log.verify())[1] == (2, "the row was changed")


async def test_rows_cut_off_at_the_end_are_found(storage: Storage) -> None:
    log = await written(storage)
    await storage.write([Delete(AUDIT, f"{5:016d}")])
    assert await log.verify() == (4, (5, "rows are missing at the end"))
    # Nor can the head be moved back without the secret.
    _, row = await key(storage, 4)
    head = await storage.get(HEAD, "head")
    assert head is not None
    await storage.write([Put(HEAD, "head", {**head, "number": 4, "hash": row["hash"]})])
    assert await log.verify() == (4, (4, "the head of the chain was changed"))
    await storage.write([Delete(HEAD, "head")])
    assert await log.verify() == (4, (4, "the head of the chain is missing"))


async def test_a_row_slipped_in_needs_the_secret(storage: Storage) -> None:
    await written(storage, 2)
    forger = AuditLog(storage, secret="not the secret at all")
    forger.append({"at": "2026-03-01T00:00:09.000Z", "actor": "eve"})
    await forger.flush()
    assert await audit(storage).verify() == (2, (3, "the row was changed"))


class Failing:
    """A storage whose writes fail while `broken` is set."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.broken = True

    async def write(self, operations: list[Operation]) -> None:
        if self.broken:
            raise OSError("the disk is full")
        await self._storage.write(operations)

    async def get(self, *given: Any) -> Any:
        return await self._storage.get(*given)

    async def scan(self, *given: Any, **facts: Any) -> Page:
        return await self._storage.scan(*given, **facts)


async def test_rows_wait_while_the_storage_fails_and_are_written_in_order_later(storage: Storage) -> None:
    failing: Any = Failing(storage)
    log = audit(failing, batch=2)
    for number in range(5):
        log.append({"at": f"2026-03-01T00:00:0{number}.000Z", "n": number})
    await log.flush()
    assert await recent(storage) == []
    failing.broken = False
    log.append({"at": "2026-03-01T00:00:05.000Z", "n": 5})
    await log.flush()
    assert [row["n"] for row in await recent(storage)] == [5, 4, 3, 2, 1, 0]
    assert await log.verify() == (6, None)


@pytest.mark.parametrize("secret", ["", "   ", "short"])
async def test_a_weak_secret_is_refused(storage: Storage, secret: str) -> None:
    with pytest.raises(BadSetting):
        AuditLog(storage, secret=secret)


async def test_requests_that_change_something_or_are_refused_are_kept() -> None:
    mastra = Mastra(agents=[Agent(id="clerk", instructions="x", model="scripted/hello")])
    async with mastra:
        app = create_app(mastra, audit=True, audit_secret=SECRET)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            await client.get("/api/agents")
            await client.get("/api/agents/nope")
            await client.post("/api/agents/clerk/generate", json={"messages": "hi"}, headers={"x-request-id": "r-1"})
            await client.post("/api/agents/%00/generate", json={"messages": "hi"})
        await app.shutdown()
        rows = await recent(mastra.storage)
        assert [(row["method"], row["status"]) for row in rows] == [("POST", 404), ("POST", 200), ("GET", 404)]
        assert rows[1]["requestId"] == "r-1"
        # What a storage refuses is written in another way, so that no address can hold up the log.
        assert rows[0]["params"] == {"agentId": "\\0"}
        assert "hi" not in json.dumps(rows)
        assert await audit(mastra.storage).verify() == (3, None)


APPLICATION = "from mastra import Mastra\nmastra = Mastra(storage='sqlite:///audit.db')\n"


def verify(folder: Path, *more: str, secret: str = SECRET) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mastra", "audit", "verify", "--app", "shop:mastra", *more]
    environment = {**os.environ, SECRET_VARIABLE: secret}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


async def test_the_command_proves_the_chain_and_finds_a_break(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APPLICATION)
    storage = open_url("mastra.storage", f"sqlite:///{tmp_path / 'audit.db'}")
    await storage.open()
    await written(storage)
    good = await asyncio.to_thread(verify, tmp_path)
    assert (good.returncode, good.stdout.strip()) == (0, "5 rows, the chain holds")
    name, row = await key(storage, 4)
    await storage.write([Put(AUDIT, name, {**row, "actor": "eve"})])
    await storage.close()
    bad = await asyncio.to_thread(verify, tmp_path, "--json")
    assert bad.returncode == 3
    assert json.loads(bad.stdout) == {
        "rows": 3,
        "holds": False,
        "broken": {"number": 4, "reason": "the row was changed"},
    }
    weak = await asyncio.to_thread(verify, tmp_path, secret="")
    assert weak.returncode == 1
    assert SECRET_VARIABLE in weak.stderr
