"""A cache that fails never takes the work down with it."""

from __future__ import annotations

import logging

import pytest
from tests.unit.runtime.small_requests import ask, text_of
from tests.unit.runtime.test_embedding_cache import Counting, Shelf

from mastra.errors import CacheError
from mastra.runtime.embedding_cache import CachedEmbedder
from mastra.runtime.response_cache import CachedModel
from mastra.runtime.spare_cache import keep, look
from mastra.testing import ScriptedModel


class Broken(Shelf):
    """A cache whose server went away."""

    async def get(self, key: str) -> bytes | None:
        raise CacheError("gone", adapter="broken")

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        raise CacheError("gone", adapter="broken")


async def test_what_works_is_handed_through() -> None:
    shelf = Shelf()
    await keep(shelf, "a", b"1", None)
    assert (await look(shelf, "a"), await look(shelf, "b")) == (b"1", None)


async def test_a_failure_is_logged_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mastra.cache"):
        assert await look(Broken(), "a") is None
        await keep(Broken(), "a", b"1", None)
    assert len(caplog.records) == 2


async def test_a_model_and_an_embedder_answer_without_their_cache() -> None:
    model = CachedModel(ScriptedModel(["one", "two"]), Broken())
    assert [text_of([delta async for delta in model.stream(ask())]) for _ in range(2)] == ["one", "two"]
    embedder = Counting()
    assert len((await CachedEmbedder(embedder, Broken()).embed(["a", "b"])).vectors) == 2
    assert embedder.asked == [["a", "b"]]


async def test_a_fault_of_ours_is_not_hidden() -> None:
    class Wrong(Shelf):
        async def get(self, key: str) -> bytes | None:
            raise TypeError("a bug")

    with pytest.raises(TypeError):
        await look(Wrong(), "a")
