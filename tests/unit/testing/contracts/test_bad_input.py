"""The suite for bad input passes an adapter that refuses it and sees one that does not."""

from __future__ import annotations

import pytest

from mastra.storage.memory import MemoryStorage
from mastra.testing.contracts.bad_input import CHECKS
from mastra.types.records import Page


@pytest.mark.parametrize("sentence", CHECKS)
async def test_it_passes_the_reference(sentence):
    await CHECKS[sentence](MemoryStorage())


class Open(MemoryStorage):
    """Takes whatever it is given: what it cannot keep is left out without a word."""

    async def get(self, table, key):
        try:
            return await super().get(table, key)
        except Exception:
            return None

    async def scan(self, table, where=None, **options):
        try:
            return await super().scan(table, where, **options)
        except Exception:
            return Page([])

    async def write(self, batch):
        try:
            await super().write(batch)
        except Exception:
            return


@pytest.mark.parametrize("sentence", CHECKS)
async def test_it_sees_an_adapter_that_refuses_nothing(sentence):
    with pytest.raises(AssertionError):
        await CHECKS[sentence](Open())
