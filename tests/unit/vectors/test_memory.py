"""Vectors in memory, beyond the contract."""

import pytest

from mastra.errors import IndexMissing
from mastra.ports.vectors import VectorRow
from mastra.vectors.memory import MemoryVectors


async def test_what_comes_out_is_not_what_is_inside():
    store = MemoryVectors()
    await store.create("c", 2)
    metadata = {"tags": ["a"]}
    await store.upsert("c", [VectorRow("x", [1, 0], metadata)])
    metadata["tags"].append("b")
    [match] = await store.query("c", [1, 0])
    match.metadata["tags"].append("c")
    assert (await store.query("c", [1, 0]))[0].metadata == {"tags": ["a"]}


async def test_a_misspelt_index_gets_a_suggestion():
    store = MemoryVectors()
    await store.create("documents", 2)
    with pytest.raises(IndexMissing, match="documents"):
        await store.describe("document")
