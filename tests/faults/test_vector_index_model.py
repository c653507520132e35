"""A Hypothesis state machine: the vector index does what a dictionary of rows does, files and crashes included."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mastra.errors import NativeAlreadyExists, NativeNotFound
from mastra.native.index import VectorIndex

DIM = 6
ids_of = st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True)


class IndexMachine(RuleBasedStateMachine):
    @initialize(
        metric=st.sampled_from(["cosine", "dot", "l2"]),
        storage=st.sampled_from(["default", "compact", "f16", "f32"]),
        rows=st.sampled_from([0, 5, 1100]),
    )
    def begin(self, metric, storage, rows):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "i.mv"
        self.rng = np.random.default_rng(rows)
        self.index = VectorIndex(DIM, metric=metric, storage=storage)
        self.rows = {}
        if rows:
            self.put(range(1000, 1000 + rows), upsert=False)
        self.index.save(self.path)
        self.index = VectorIndex.open(self.path, sync=False)

    def put(self, ids, upsert):
        ids = list(ids)
        data = self.rng.normal(size=(len(ids), DIM)).astype(np.float32)
        self.index.add(data, ids=ids, upsert=upsert)
        self.rows.update(zip(ids, data, strict=True))

    @rule(ids=ids_of)
    def add(self, ids):
        if any(i in self.rows for i in ids):
            with pytest.raises(NativeAlreadyExists):
                self.put(ids, upsert=False)
        else:
            self.put(ids, upsert=False)

    @rule(ids=ids_of)
    def upsert(self, ids):
        self.put(ids, upsert=True)

    @rule(ids=ids_of)
    def remove(self, ids):
        if all(i in self.rows for i in ids):
            self.index.remove(ids)
        else:
            with pytest.raises(NativeNotFound):
                self.index.remove(ids)
            self.index.remove(ids, missing_ok=True)
        for i in ids:
            self.rows.pop(i, None)

    @rule()
    def remove_many(self):
        gone = [i for i in self.rows if i >= 1000][:400]
        self.index.remove(gone)
        for i in gone:
            del self.rows[i]

    @rule()
    def save(self):
        self.index.save(self.path)

    @rule()
    def optimize(self):
        self.index.optimize()

    @rule(mmap=st.booleans())
    def crash(self, mmap):
        """Nothing but the file and its log survives."""
        self.index = None
        self.index = VectorIndex.open(self.path, mmap=mmap, sync=False)

    @rule(k=st.integers(1, 8))
    def search(self, k):
        ids, _ = self.index.search(self.rng.normal(size=DIM).astype(np.float32), k=k)
        assert len(ids) == min(k, len(self.rows))
        assert set(ids.tolist()) <= set(self.rows)

    @rule(ids=ids_of)
    def filtered(self, ids):
        found, _ = self.index.search(np.ones(DIM, np.float32), k=100, where=ids)
        assert set(found.tolist()) == set(ids) & set(self.rows)

    @invariant()
    def agrees(self):
        if not hasattr(self, "rows"):
            return
        assert len(self.index) == len(self.rows)
        assert set(self.index.ids().tolist()) == set(self.rows)
        for i in list(self.rows)[:3]:
            assert i in self.index
            atol = {"default": 0.05, "compact": 0.6, "f16": 0.01, "f32": 1e-5}[self.index.storage]
            np.testing.assert_allclose(self.index.get(i), self.rows[i], atol=atol)
            if self.index.metric != "dot":
                near, _ = self.index.search(self.rows[i], k=5)
                assert i in near or self.index.storage == "compact"

    def teardown(self):
        self.index = None
        if hasattr(self, "folder"):
            self.folder.cleanup()


IndexMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
TestIndexMachine = IndexMachine.TestCase
