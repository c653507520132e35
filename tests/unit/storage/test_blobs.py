"""Large values in files beside any storage."""

import pytest

from mastra.errors import Conflict, StorageCorrupt
from mastra.registry import open_url
from mastra.storage.blobs import MARK, BlobStorage
from mastra.storage.memory import MemoryStorage
from mastra.testing.contracts.storage import CHECKS
from mastra.types.records import Delete, Expect, Put, Table

TABLE = Table("things", ("kind",))
LARGE = {"kind": "big", "text": "größer" * 60_000}


def blobs(tmp_path, large=256 * 1024):
    inner = MemoryStorage()
    return BlobStorage(inner, tmp_path / "blobs", large=large), inner


def files(tmp_path):
    return [path for path in (tmp_path / "blobs").glob("??/*") if path.is_file()]


@pytest.mark.parametrize(
    "sentence",
    [name for name in CHECKS if name != "claimed_rows_belong_to_one_caller"],
)
async def test_it_is_a_storage_even_when_every_row_is_large(sentence, tmp_path):
    storage, _ = blobs(tmp_path, large=0)
    await storage.open()
    await CHECKS[sentence](storage)


async def test_the_same_large_value_is_kept_once_and_small_ones_stay_rows(tmp_path):
    storage, inner = blobs(tmp_path)
    await storage.write([Put(TABLE, "a", LARGE), Put(TABLE, "b", LARGE), Put(TABLE, "c", {"kind": "small"})])
    assert len(files(tmp_path)) == 1
    assert await storage.get(TABLE, "b") == LARGE
    assert set(await inner.get(TABLE, "a")) == {"kind", MARK}
    assert await inner.get(TABLE, "c") == {"kind": "small"}


async def test_a_damaged_or_missing_file_is_named(tmp_path):
    storage, _ = blobs(tmp_path)
    await storage.write([Put(TABLE, "a", LARGE)])
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageCorrupt, match=path.name):
        await storage.get(TABLE, "a")
    path.unlink()
    with pytest.raises(StorageCorrupt, match="missing"):
        await storage.get(TABLE, "a")


async def test_an_expectation_looks_into_a_large_row(tmp_path):
    storage, _ = blobs(tmp_path)
    await storage.write([Put(TABLE, "a", LARGE)])
    await storage.write([Expect(TABLE, "a", {"text": {"$regex": "^gr"}}), Put(TABLE, "x", {})])
    with pytest.raises(Conflict):
        await storage.write([Expect(TABLE, "a", {"text": "other"})])


async def test_files_that_no_row_names_are_swept(tmp_path):
    storage, _ = blobs(tmp_path)
    await storage.write([Put(TABLE, "a", LARGE), Put(TABLE, "b", {**LARGE, "kind": "other"})])
    await storage.write([Delete(TABLE, "a")])
    assert await storage.sweep([TABLE]) == 0
    assert await storage.sweep([TABLE], min_age_s=0) == 1
    assert (await storage.get(TABLE, "b"))["kind"] == "other"


async def test_the_url_names_folder_and_storage(tmp_path):
    storage = open_url("mastra.storage", f"blobs:///{tmp_path}/blobs?storage=sqlite:///{tmp_path}/a.db")
    await storage.open()
    await storage.write([Put(TABLE, "a", LARGE)])
    assert await storage.get(TABLE, "a") == LARGE
    await storage.close()
