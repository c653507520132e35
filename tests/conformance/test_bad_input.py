"""What no backend can hold is refused at the door of every one of them by a typed error."""

from __future__ import annotations

import pytest
from tests.conformance.backends import STORAGES, StorageFactory

from mastra.testing.contracts.bad_input import CHECKS


@pytest.mark.parametrize("backend", STORAGES)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_storage(sentence: str, backend: StorageFactory, tmp_path) -> None:
    async with backend(tmp_path) as storage:
        await CHECKS[sentence](storage)
