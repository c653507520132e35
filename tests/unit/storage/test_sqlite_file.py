"""Opening SQLite files: versions, layouts, damage."""

import apsw
import pytest

from mastra.errors import BadSetting, SchemaTooNew, StorageCorrupt, StorageFull, StorageUnavailable
from mastra.storage.sqlite import SqliteStorage
from mastra.storage.sqlite_file import APPLICATION_ID, SCHEMA_VERSION, check_version, translate


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
