"""Every cache adapter against the shipped contract suite."""

from __future__ import annotations

import pytest
from tests.conformance.backends import CACHES, CacheFactory

from mastra.testing.contracts.cache import CHECKS


@pytest.mark.parametrize("backend", CACHES)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_caches(sentence: str, backend: CacheFactory) -> None:
    async with backend() as cache:
        await CHECKS[sentence](cache)
