"""What the libSQL adapter asks and how it reads answers, before a stand-in; the contract runs against a server, too."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.conformance.hrana_stub import HranaStub

from mastra.errors import (
    BadSetting,
    CommitUnknown,
    Conflict,
    InvalidInput,
    SchemaTooNew,
    StorageCorrupt,
    StorageError,
    StorageUnavailable,
)  # fmt: skip
from mastra.storage.libsql import LAYOUT, LibsqlStorage
from mastra.testing.contracts.bad_input import CHECKS as BAD_INPUT
from mastra.testing.contracts.storage import CHECKS
from mastra.types.records import Delete, Expect, Order, Put, Table

ROWS = Table("rows", ("at",))
LAYOUTS = Path(__file__).parent / "layouts"


def storage_before(server: HranaStub, token: str | None = None) -> LibsqlStorage:
    return LibsqlStorage("http://libsql.test/", token=token, transport=server)


@pytest.mark.parametrize("sentence", CHECKS)
async def test_contract(sentence: str) -> None:
    storage = storage_before(HranaStub())
    await storage.open()
    await CHECKS[sentence](storage)
    await storage.close()


@pytest.mark.parametrize("sentence", BAD_INPUT)
async def test_bad_input(sentence: str) -> None:
    storage = storage_before(HranaStub())
    await storage.open()
    await BAD_INPUT[sentence](storage)
    await storage.close()


async def test_a_batch_is_one_request_and_one_with_conditions_is_two() -> None:
    server = HranaStub()
    storage = storage_before(server)
    await storage.write([Put(ROWS, "a", {"at": 1})])
    for batch, wanted in (
        ([Put(ROWS, "b", {"at": 2}), Delete(ROWS, "c")], 1),
        ([Expect(ROWS, "d", None), Put(ROWS, "d", {"at": 3})], 1),
        ([Expect(ROWS, "a", {"at": 1}), Put(ROWS, "a", {"at": 2})], 2),
    ):
        before = server.requests
        await storage.write(batch)
        assert server.requests - before == wanted
    before = server.requests
    await storage.scan(ROWS, order=Order("at"), limit=50)
    assert server.requests - before == 1
    await storage.close()


async def test_a_row_that_changes_between_the_look_and_the_write_is_looked_at_again() -> None:
    server = HranaStub()
    one, other = storage_before(server), storage_before(server)
    await one.write([Put(ROWS, "a", {"at": 1, "n": 0})])
    await other.get(ROWS, "a")
    tried = one._tried

    async def slowly(looked, absent):
        guards = await tried(looked, absent)
        if (await other.get(ROWS, "a") or {})["n"] < 3:
            n = (await other.get(ROWS, "a") or {})["n"]
            await other.write([Put(ROWS, "a", {"at": 1, "n": n + 1})])
        return guards

    one._tried = slowly  # type: ignore[method-assign]
    await one.write([Expect(ROWS, "a", {"at": 1}), Put(ROWS, "b", {"at": 9})])
    assert await one.get(ROWS, "a") == {"at": 1, "n": 3}
    assert await one.get(ROWS, "b") == {"at": 9}
    await one.close()
    await other.close()


async def test_a_commit_that_is_cut_off_is_unknown_and_a_server_that_is_away_is_not() -> None:
    server = HranaStub()
    storage = storage_before(server)
    await storage.write([Put(ROWS, "a", {"at": 1})])
    for failure, after, kind in (
        (httpx.ReadError("cut"), True, CommitUnknown),
        (httpx.ReadTimeout("slow"), True, CommitUnknown),
        (httpx.ConnectError("refused"), False, StorageUnavailable),
    ):
        server.fail, server.after = failure, after
        with pytest.raises(kind) as caught:
            await storage.write([Put(ROWS, "b", {"at": 2})])
        assert isinstance(caught.value, CommitUnknown) is after
        server.fail = None
        assert (await storage.get(ROWS, "b") is not None) is after
        await storage.write([Delete(ROWS, "b")])
    server.answer = httpx.Response(502, text="gone")
    with pytest.raises(CommitUnknown):
        await storage.write([Put(ROWS, "b", {"at": 2})])
    with pytest.raises(StorageError) as caught_read:
        await storage.get(ROWS, "b")
    assert caught_read.value.retryable
    await storage.close()


async def test_a_wrong_token_is_told_and_never_shown() -> None:
    storage = storage_before(HranaStub(token="right"), "hunter2")
    with pytest.raises(StorageUnavailable) as caught:
        await storage.open()
    assert not caught.value.retryable
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    right = storage_before(HranaStub(token="right"), "right")
    await right.write([Put(ROWS, "a", {})])
    await right.close()


async def test_pages_that_are_more_than_an_answer_come_in_parts() -> None:
    storage = storage_before(HranaStub(most=1_000_000))
    rows = {f"k{number}": {"at": number, "text": "ä" * 60_000} for number in range(40)}
    await storage.write([Put(ROWS, key, value) for key, value in rows.items()])
    page = await storage.scan(ROWS, order=Order("at"), limit=30)
    assert [record.key for record in page.records] == list(rows)[:30]
    rest = await storage.scan(ROWS, order=Order("at"), after=page.after, limit=30)
    assert [record.key for record in rest.records] == list(rows)[30:]
    assert rest.after is None
    assert await storage.get_many(ROWS, list(rows)) == rows
    await storage.close()


async def test_a_row_that_is_too_large_is_refused_before_it_is_sent() -> None:
    server = HranaStub()
    storage = storage_before(server)
    await storage.write([Put(ROWS, "a", {})])
    before = server.requests
    with pytest.raises(InvalidInput):
        await storage.write([Put(ROWS, "b", {"text": "x" * 5_000_001})])
    assert server.requests == before
    large = {"text": '"' * 2_000_000}
    await storage.write([Put(ROWS, "b", large), Put(ROWS, "c", {})])
    await storage.write([Expect(ROWS, "b", {"text": {"$exists": True}}), Delete(ROWS, "b")])
    assert await storage.get(ROWS, "b") is None
    await storage.close()


async def test_what_the_database_complains_of_is_told_in_our_words() -> None:
    server = HranaStub()
    storage = storage_before(server)
    await storage.write([Put(ROWS, "a", {})])
    # SQLite reads this, and it is not JSON.
    server.database.execute("UPDATE m_rows SET value='{a:1}'")
    with pytest.raises(StorageCorrupt, match="'a' of 'rows'"):
        await storage.get(ROWS, "a")
    server.database.execute("CREATE UNIQUE INDEX one ON m_rows(tenant)")
    with pytest.raises(Conflict):
        await storage.write([Put(ROWS, "b", {})])
    server.database.execute("DROP INDEX one")
    server.database.pragma("max_page_count", server.database.pragma("page_count"))
    with pytest.raises(StorageError, match="no space left"):
        await storage.write([Put(ROWS, "b", {"text": "x" * 100_000}), Delete(ROWS, "a")])
    assert not server.database.in_transaction
    assert server.database.execute("SELECT count(*) FROM m_rows").get == 1
    await storage.close()


RELEASED = {int(path.stem.partition("-")[2]): path.read_text(encoding="utf-8") for path in LAYOUTS.glob("libsql-*.sql")}


@pytest.mark.parametrize("layout", sorted(RELEASED))
async def test_a_database_of_every_released_layout_is_carried_on(layout: int) -> None:
    server = HranaStub()
    server.database.execute(RELEASED[layout])
    storage = storage_before(server)
    events = Table("events", ("status", "status+at"))
    assert (await storage.layout()).found == layout
    page = await storage.scan(events, {"status": "new"}, order=Order("at", descending=True))
    assert [record.key for record in page.records] == ["e3", "e1"]
    assert await storage.get(events, "e0") == {"status": "done", "at": 0, "text": "Grüße 🌍"}
    assert await storage.count(Table("events", events.indexes, "acme")) == 1
    newer = Table("events", (*events.indexes, "text"))
    await storage.write([Put(newer, "e4", {"status": "new", "at": 4, "text": "a"})])
    assert await storage.count(newer, {"text": "Grüße 🌍"}) == 4
    assert await storage.layout() == (LAYOUT, LAYOUT)
    await storage.close()


def test_every_layout_is_kept() -> None:
    assert sorted(RELEASED) == list(range(1, LAYOUT + 1))


async def test_a_newer_layout_is_refused_and_left_alone() -> None:
    server = HranaStub()
    storage = storage_before(server)
    assert await storage.layout() == (0, LAYOUT)
    assert server.database.execute("SELECT count(*) FROM sqlite_schema").get == 0, "a look makes nothing"
    await storage.open()
    server.database.execute("INSERT INTO mastra_layout VALUES(99)")
    await storage.close()
    with pytest.raises(SchemaTooNew, match="layout 99"):
        await storage.open()
    with pytest.raises(SchemaTooNew):
        await storage.layout()


@pytest.mark.parametrize(
    "url", ["libsql:///x", "libsql://", "libsql://user:pass@host", "libsql://h?tls=2", "libsql://h?token=x"]
)
def test_settings_that_cannot_be_are_refused(url: str) -> None:
    with pytest.raises(BadSetting):
        LibsqlStorage.from_url(url)


def test_a_url_names_the_server_and_how_it_is_spoken_to() -> None:
    plain = LibsqlStorage.from_url("libsql://127.0.0.1:8080?tls=0")
    assert (plain._url, plain._token) == ("http://127.0.0.1:8080", None)
    cloud = LibsqlStorage.from_url("libsql://db-me.turso.io?authToken=a.b.c")
    assert (cloud._url, cloud._token) == ("https://db-me.turso.io", "a.b.c")
