"""What stores over a wire share, with a store that is a dictionary and compares the texts it is asked to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import IndexExists, IndexMissing
from mastra.ports.vectors import Match, VectorRow
from mastra.testing.contracts.vectors import CHECKS
from mastra.types.filters import matches
from mastra.vectors.memory import MemoryVectors
from mastra.vectors.remote import RemoteVectors, Stored, demanded_texts, payload, stored_metadata


class DictVectors(RemoteVectors):
    """Texts are compared as a server does it: against what `payload` gave out, never against the metadata."""

    adapter = "dict"

    def __init__(self):
        self.inner = MemoryVectors()
        self.kept = {}

    async def make(self, index, dimension, metric):
        if index not in self.kept:
            await self.inner.create(index, dimension, metric)
            self.kept[index] = {}
        return await self.shape(index)

    async def shape(self, index):
        info = await self.inner.describe(index)
        return info.dimension, info.metric

    async def size(self, index):
        return (await self.inner.describe(index)).row_count

    async def names(self):
        return await self.inner.names()

    async def remove_index(self, index):
        await self.inner.drop(index)
        del self.kept[index]

    async def put(self, index, rows):
        for row, vector in rows:
            self.kept[index][row.id] = (row, payload(row.metadata), vector.tolist())
        await self.inner.upsert(index, [VectorRow(row.id, vector.tolist()) for row, vector in rows])

    def _has(self, index, row_id, texts):
        kept = self.kept[index][row_id][1][1]
        return all(set(kept.get(field, ())) & set(wanted) for field, wanted in texts.items())

    def _stored(self, index, row_id):
        row, (raw, _), vector = self.kept[index][row_id]
        return Stored(row_id, stored_metadata(raw), row.document, vector)

    async def nearest(self, index, vector, metric, count, texts, *, with_vector):
        found = []
        for match in await self.inner.query(index, vector.tolist(), k=10_000, include_vector=with_vector):
            if self._has(index, match.id, texts):
                row = self._stored(index, match.id)
                found.append(Match(match.id, match.score, row.metadata, match.vector, row.document))
        return found[:count]

    async def fetch(self, index, ids):
        return [self._stored(index, row_id) for row_id in ids if row_id in self.kept[index]]

    async def every(self, index, texts):
        for row_id in list(self.kept[index]):
            if self._has(index, row_id, texts):
                yield self._stored(index, row_id)

    async def remove(self, index, ids):
        for row_id in ids:
            del self.kept[index][row_id]
        await self.inner.delete(index, ids)


@pytest.mark.parametrize("sentence", CHECKS)
async def test_the_contract_holds_over_the_shared_part(sentence):
    await CHECKS[sentence](DictVectors())


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "b", "1", "x" * 600]))
METADATA = st.dictionaries(st.sampled_from(["kind", "n", "a.b", "$x"]), SCALARS | st.lists(SCALARS, max_size=2))
FILTERS = st.dictionaries(
    st.sampled_from(["kind", "n"]), SCALARS | st.fixed_dictionaries({"$in": st.lists(SCALARS, max_size=3)})
)


@given(METADATA, FILTERS, FILTERS)
def test_no_row_that_matches_is_left_out_by_the_texts_a_store_is_asked_for(metadata, one, other):
    where = {**one, "$and": [other]} if other else one
    raw, texts = payload(metadata)
    assert stored_metadata(raw) == metadata
    if matches(where, metadata):
        wanted = demanded_texts(where)
        assert all(set(texts.get(field, ())) & set(values) for field, values in wanted.items())


def test_only_what_must_be_a_text_is_asked_for():
    assert demanded_texts({"kind": "a", "n": {"$in": ["b", "c"]}}) == {"kind": ["a"], "n": ["b", "c"]}
    for where in (
        None,
        {"$or": [{"kind": "a"}]},
        {"kind": {"$ne": "a"}},
        {"kind": 1},
        {"a.b": "x"},
        {"k": {"$gt": "a"}},
    ):
        assert demanded_texts(where) == {}


async def test_an_unknown_index_and_another_shape_are_refused():
    store = DictVectors()
    await store.create("one", 2)
    with pytest.raises(IndexExists):
        await store.create("one", 3)
    with pytest.raises(IndexMissing):
        await store.query("two", [1, 0])
