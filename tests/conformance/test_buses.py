"""Every event bus against the shipped contract suite."""

from __future__ import annotations

import pytest
from tests.conformance.backends import BUSES, BusFactory

from mastra.testing.contracts.bus import CHECKS


@pytest.mark.parametrize("backend", BUSES)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_buses(sentence: str, backend: BusFactory) -> None:
    async with backend() as bus:
        await CHECKS[sentence](bus)
