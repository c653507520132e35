"""The suite for text search passes what is right and sees what is wrong."""

import pytest

from mastra.storage.memory import MemoryStorage
from mastra.testing.contracts.text_search import CHECKS


@pytest.mark.parametrize("sentence", CHECKS)
async def test_it_passes_the_reference(sentence):
    await CHECKS[sentence](MemoryStorage())


class Careless(MemoryStorage):
    """Looks for a part of the text, whatever words and conditions there are."""

    async def search_text(self, table, field, query, *, where=None, limit=10):
        page = await self.scan(table, limit=limit or 1)
        return [record for record in page.records if query.casefold() in str(record.value).casefold()]


@pytest.mark.parametrize(
    "sentence",
    ["texts_are_found_by_their_words", "texts_are_found_within_a_filter", "wrong_searches_are_refused"],
)
async def test_it_sees_what_is_wrong(sentence):
    with pytest.raises(AssertionError):
        await CHECKS[sentence](Careless())
