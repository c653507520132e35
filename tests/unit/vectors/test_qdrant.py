"""What the Qdrant adapter asks, and its rows in the client's local mode."""

import pytest

pytest.importorskip("qdrant_client")

from mastra.errors import VectorError
from mastra.ports.vectors import VectorRow
from mastra.vectors.qdrant import QdrantVectors, _narrow, _payload, _point, translate


def test_ids_are_kept_apart_and_stay_the_same():
    assert _point("a") == _point("a") != _point("b")


def test_texts_are_compared_there_and_everything_is_kept_exactly():
    kept = _payload(VectorRow("a", [1], {"kind": "x", "tags": ["y", 1], "big": 2**60, "a.b": "z"}, "text"))
    assert kept["texts"] == {"kind": "x", "tags": ["y", 1]}
    assert str(2**60) in kept["raw"]


def test_only_plain_fields_are_asked_for():
    assert _narrow({"a.b": "x", "kind": {"$ne": "x"}}) is None
    narrowed = _narrow({"kind": "x", "$and": [{"n": {"$in": ["a", "b"]}}]})
    assert narrowed is not None
    assert isinstance(narrowed.must, list)
    assert len(narrowed.must) == 2


async def test_the_local_mode_keeps_rows():
    store = QdrantVectors.from_url("qdrant:memory")
    await store.create("docs", 2)
    await store.upsert("docs", [VectorRow("a", [1, 0], {"kind": "x"}), VectorRow("b", [0, 1])])
    assert [match.id for match in await store.query("docs", [1, 0], where={"kind": "x"})] == ["a"]
    await store.close()


def test_an_error_names_no_secret():
    told = translate(ConnectionError("http://key:hunter2@h"))
    assert isinstance(told, VectorError)
    assert told.retryable
    assert "hunter2" not in f"{told}"
