"""The vector contract must catch stores that break it."""

import pytest

from mastra.testing.contracts.vectors import CHECKS
from mastra.vectors.memory import MemoryVectors


class Late(MemoryVectors):
    """Filters after the search, so that fewer than k come back."""

    async def query(self, index, vector, *, k=10, where=None, include_vector=False):
        found = await super().query(index, vector, k=k, include_vector=include_vector)
        allowed = {match.id for match in await super().query(index, vector, k=1000, where=where)}
        return [match for match in found if match.id in allowed]


class Undead(MemoryVectors):
    """Removes nothing."""

    async def delete(self, index, ids=None, *, where=None):
        return len(ids or ())


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        (Late, "filters_mean_what_they_mean_in_python"),
        (Undead, "rows_are_removed_by_id_and_by_filter"),
        (Undead, "tenants_in_one_index_never_meet"),
    ],
)
async def test_a_broken_store_is_caught(adapter, sentence):
    with pytest.raises(AssertionError):
        await CHECKS[sentence](adapter())
