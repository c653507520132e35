"""Qdrant's engine in this process: what is written is there after closing; a folder is opened once."""

import pytest

pytest.importorskip("qdrant_edge", reason="the extra qdrant-edge is not installed")

from mastra.errors import BadSetting, IndexMissing, VectorError
from mastra.ports.vectors import IndexInfo, VectorRow
from mastra.vectors.qdrant_edge import QdrantEdgeVectors


async def test_what_was_written_is_there_after_closing(tmp_path):
    store = QdrantEdgeVectors.from_url(f"qdrant-edge:///{tmp_path}/v")
    await store.create("docs", 2, "dotproduct")
    await store.upsert("docs", [VectorRow("a", [1, 2], {"kind": "x", "n": 1}, "text"), VectorRow("b", [2, 1])])
    await store.close()
    again = QdrantEdgeVectors(tmp_path / "v")
    assert await again.describe("docs") == IndexInfo("docs", 2, "dotproduct", 2)
    [match] = await again.query("docs", [1, 1], where={"kind": "x"})
    assert (match.id, match.metadata, match.document) == ("a", {"kind": "x", "n": 1}, "text")
    await again.close()


async def test_a_folder_is_opened_by_one_store_at_a_time(tmp_path):
    one, other = QdrantEdgeVectors(tmp_path), QdrantEdgeVectors(tmp_path)
    await one.create("docs", 2)
    with pytest.raises(VectorError, match="has the index open"):
        await other.query("docs", [1, 0])
    await one.close()
    assert await other.query("docs", [1, 0]) == []
    await other.close()


async def test_half_an_index_is_none_and_can_be_made(tmp_path):
    (tmp_path / "docs" / "shard").mkdir(parents=True)
    store = QdrantEdgeVectors(tmp_path)
    with pytest.raises(IndexMissing):
        await store.describe("docs")
    await store.create("docs", 2)
    assert await store.names() == ["docs"]
    await store.close()


def test_a_url_without_a_folder_is_refused():
    for url in ("qdrant-edge:", "qdrant-edge://host/folder"):
        with pytest.raises(BadSetting):
            QdrantEdgeVectors.from_url(url)
