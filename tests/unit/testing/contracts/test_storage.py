"""The storage contract must catch adapters that break it."""

import pytest

from mastra.storage.memory import MemoryStorage
from mastra.testing.contracts.storage import CHECKS
from mastra.types.records import Expect


class Forgetful(MemoryStorage):
    """Ignores preconditions."""

    async def write(self, batch):
        await super().write([operation for operation in batch if not isinstance(operation, Expect)])


class Leaky(MemoryStorage):
    """Ignores tenants."""

    def _rows(self, table):
        return super()._rows(type(table)(table.name, table.indexes, ""))


class Careless(MemoryStorage):
    """Ignores filters."""

    async def scan(self, table, where=None, **options):
        return await super().scan(table, None, **options)


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        (Forgetful, "one_of_many_wins_a_compare_and_set"),
        (Forgetful, "a_batch_happens_whole_or_not_at_all"),
        (Leaky, "tenants_never_meet"),
        (Careless, "filters_mean_what_they_mean_in_python"),
        (Careless, "filters_that_are_not_known_are_refused"),
    ],
)
async def test_a_broken_adapter_is_caught(adapter, sentence):
    with pytest.raises(AssertionError):
        await CHECKS[sentence](adapter())
