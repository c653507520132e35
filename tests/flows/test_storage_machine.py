"""Random work on SQLite, with closing and opening between, beside the in-memory twin: they never differ."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mastra.errors import Conflict
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Delete, Expect, Order, Put, Table

TABLES = [Table("one", ("a", "a+b"), tenant) for tenant in ("", "x")] + [Table("two", ("b",))]
tables = st.sampled_from(TABLES)
keys = st.sampled_from(["k1", "k2", "k3", "k4"])
scalars = st.sampled_from([None, 0, 1, True, 2.5, "a", "b", ""])
values = st.fixed_dictionaries({}, optional={"a": scalars, "b": scalars, "c": st.lists(scalars, max_size=2)})
wheres = st.sampled_from([None, {}, {"a": "a"}, {"b": {"$gte": 1}}, {"c": 1}, {"a": None}])
operations = st.one_of(
    st.builds(Put, tables, keys, values), st.builds(Delete, tables, keys), st.builds(Expect, tables, keys, wheres)
)


class StorageMachine(RuleBasedStateMachine):
    """The file and its twin get the same work."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.twin = MemoryStorage()
        self.file = self.opened()

    def opened(self) -> SqliteStorage:
        storage = SqliteStorage(Path(self.folder.name) / "m.db", durability="process")
        self.runner.run(storage.open())
        return storage

    @rule(batch=st.lists(operations, max_size=5))
    def write(self, batch):
        outcomes = []
        for storage in (self.twin, self.file):
            try:
                self.runner.run(storage.write(batch))
                outcomes.append("written")
            except Conflict:
                outcomes.append("conflict")
        assert outcomes[0] == outcomes[1]

    @rule(table=tables, where=wheres, down=st.booleans(), limit=st.integers(1, 3))
    def scan(self, table, where, down, limit):
        order = Order("b", down)
        pages = []
        for storage in (self.twin, self.file):
            found, after = [], None
            while True:
                page = self.runner.run(storage.scan(table, where, order=order, after=after, limit=limit))
                found += page.records
                after = page.after
                if after is None:
                    break
            pages.append(found)
        assert pages[0] == pages[1]
        assert self.runner.run(self.file.count(table, where)) == len(pages[0])

    @rule()
    def close_and_open(self):
        self.runner.run(self.file.close())
        self.file = self.opened()

    @invariant()
    def both_hold_the_same(self):
        for table in TABLES:
            wanted = {key: self.runner.run(self.twin.get(table, key)) for key in ("k1", "k2", "k3", "k4")}
            found = self.runner.run(self.file.get_many(table, list(wanted)))
            assert found == {key: value for key, value in wanted.items() if value is not None}

    def teardown(self):
        self.runner.run(self.file.close())
        self.runner.close()
        self.folder.cleanup()


TestStorageMachine = StorageMachine.TestCase
TestStorageMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
