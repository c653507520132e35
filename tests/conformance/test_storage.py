"""Every storage adapter against the shipped contract suite."""

from __future__ import annotations

import pytest
from tests.conformance.backends import STORAGES, StorageFactory

from mastra.testing.contracts.storage import CHECKS


@pytest.mark.parametrize("backend", STORAGES)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_storage(sentence: str, backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        await CHECKS[sentence](storage)
