"""The cache contract must catch adapters that break it."""

import pytest

from mastra.caches.lru import LruCache
from mastra.ports.cache import Cache
from mastra.testing.contracts.cache import CHECKS


class Endless(LruCache):
    """Ignores the time to live."""

    async def set(self, key, value, *, ttl_s=None):
        await super().set(key, value)


class Eager(LruCache):
    """Makes a value for each caller."""

    async def get_or_set(self, key, make, *, ttl_s=None):
        return await Cache.get_or_set(self, key, make, ttl_s=ttl_s)


class Hoarder(LruCache):
    """Never deletes."""

    async def delete(self, key):
        return


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        (Endless, "wrong_input_is_refused"),
        (Eager, "a_missing_value_is_made_once"),
        (Eager, "a_value_set_while_another_is_made_stays"),
        (Hoarder, "the_last_value_wins_and_a_deleted_one_is_gone"),
    ],
)
async def test_a_broken_adapter_is_caught(adapter, sentence):
    with pytest.raises(AssertionError):
        await CHECKS[sentence](adapter())
    await CHECKS[sentence](LruCache())
