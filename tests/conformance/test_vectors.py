"""Every vector store against the shipped contract suite."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.backends import VECTORS, VectorsFactory

from mastra.testing.contracts.vectors import CHECKS


@pytest.mark.parametrize("backend", VECTORS)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_vectors(sentence: str, backend: VectorsFactory, tmp_path: Path) -> None:
    async with backend(tmp_path) as store:
        await CHECKS[sentence](store)
