"""Opening SQLite files: versions, layouts, damage."""

from pathlib import Path

import apsw
import pytest

from mastra.errors import BadSetting, SchemaTooNew, StorageCorrupt, StorageError, StorageFull, StorageUnavailable
from mastra.storage.sqlite import SqliteStorage
from mastra.storage.sqlite_file import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, check_version, translate
from mastra.types.records import Order, Put, Table

LAYOUTS = Path(__file__).parent / "layouts"


def test_an_sqlite_that_can_lose_data_is_refused():
    check_version("3.51.3")
    check_version("3.54.1")
    for old in ("3.40.1", "3.51.2"):
        with pytest.raises(BadSetting, match="pip install"):
            check_version(old)


async def test_a_new_file_carries_our_mark_and_layout(tmp_path):
    storage = SqliteStorage(tmp_path / "a.db")
    await storage.open()
    await storage.close()
    reader = apsw.Connection(str(tmp_path / "a.db"))
    assert (reader.pragma("application_id"), reader.pragma("user_version")) == (APPLICATION_ID, SCHEMA_VERSION)
    assert reader.pragma("journal_mode") == "wal"
    reader.close()


async def test_a_newer_layout_is_refused_by_name(tmp_path):
    path = str(tmp_path / "a.db")
    writer = apsw.Connection(path)
    writer.pragma("application_id", APPLICATION_ID)
    writer.pragma("user_version", SCHEMA_VERSION + 1)
    writer.close()
    with pytest.raises(SchemaTooNew, match=r"a\.db"):
        await SqliteStorage(path).open()


async def test_a_database_of_another_program_is_refused(tmp_path):
    path = str(tmp_path / "a.db")
    writer = apsw.Connection(path)
    writer.execute("CREATE TABLE theirs(x)")
    writer.close()
    with pytest.raises(StorageCorrupt, match="another program"):
        await SqliteStorage(path).open()


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StorageCorrupt):
        await SqliteStorage(path).open()
    assert path.read_bytes().startswith(b"not a database")


async def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(StorageUnavailable):
        await SqliteStorage(tmp_path).open()


def test_errors_get_our_words():
    assert isinstance(translate(apsw.FullError("full"), "a.db"), StorageFull)
    assert isinstance(translate(apsw.NotADBError("x"), "a.db"), StorageCorrupt)
    assert isinstance(translate(apsw.IOError("x"), "a.db"), StorageUnavailable)
    assert translate(apsw.BusyError("x"), "a.db").retryable


@pytest.mark.parametrize("layout", sorted(LAYOUTS.glob("sqlite-*.sql")), ids=lambda path: path.stem)
async def test_a_database_of_every_released_layout_is_brought_forward(tmp_path, layout):
    path = tmp_path / "old.db"
    old = apsw.Connection(str(path))
    old.execute(layout.read_text(encoding="utf-8"))
    old.close()
    storage = SqliteStorage(path)
    events, acme = Table("events", ("status", "status+at")), Table("events", ("status", "status+at"), "acme")
    page = await storage.scan(events, {"status": "new"}, order=Order("at", descending=True))
    assert [record.key for record in page.records] == ["e3", "e1"]
    assert await storage.get(events, "e0") == {"status": "done", "at": 0, "text": "Grüße 🌍"}
    assert await storage.count(acme) == 1
    newer = Table("events", ("status", "status+at", "text"))
    await storage.write([Put(newer, "e4", {"status": "new", "at": 4, "text": "a"})])
    assert await storage.count(newer, {"text": "Grüße 🌍"}) == 4
    await storage.integrity_check()
    await storage.close()
    reopened = apsw.Connection(str(path))
    assert reopened.pragma("user_version") == SCHEMA_VERSION
    reopened.close()


def test_every_layout_is_kept():
    kept = {int(path.stem.partition("-")[2]) for path in LAYOUTS.glob("sqlite-*.sql")}
    assert kept == set(MIGRATIONS) == set(range(1, SCHEMA_VERSION + 1))


async def test_a_layout_is_looked_at_without_a_trace(tmp_path):
    path = tmp_path / "new.db"
    assert await SqliteStorage(path).layout() == (0, SCHEMA_VERSION)
    assert not path.exists()
    storage = SqliteStorage(path)
    await storage.open()
    await storage.close()
    before = path.read_bytes()
    assert await SqliteStorage(path).layout() == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert path.read_bytes() == before
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    connection.close()
    with pytest.raises(SchemaTooNew):
        await SqliteStorage(path).layout()
    theirs = tmp_path / "theirs.db"
    connection = apsw.Connection(str(theirs))
    connection.execute("CREATE TABLE t(x)")
    connection.close()
    with pytest.raises(StorageCorrupt):
        await SqliteStorage(theirs).layout()
    (tmp_path / "junk.db").write_bytes(b"junk" * 1000)
    with pytest.raises(StorageError):
        await SqliteStorage(tmp_path / "junk.db").layout()
