"""Every storage adapter against the shipped contract suite."""

from __future__ import annotations

import pytest
from tests.conformance.backends import STORAGES, StorageFactory

from mastra.ports.storage import SupportsTextSearch
from mastra.testing.contracts import text_search
from mastra.testing.contracts.storage import CHECKS

# Adapters that leave the search of texts out: the others must have it.
WITHOUT_TEXT_SEARCH = {"LibsqlStorage", "MongoStorage", "RedisStorage"}


@pytest.mark.parametrize("backend", STORAGES)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_storage(sentence: str, backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        await CHECKS[sentence](storage)


@pytest.mark.parametrize("backend", STORAGES)
@pytest.mark.parametrize("sentence", text_search.CHECKS)
async def test_text_search(sentence: str, backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        if type(storage).__name__ in WITHOUT_TEXT_SEARCH:
            assert not isinstance(storage, SupportsTextSearch)
            return
        await text_search.CHECKS[sentence](storage)
