"""Mastra puts parts together, opens them in order and closes them in reverse."""

import asyncio

import pytest

from mastra import Mastra
from mastra.agents.agent import Agent
from mastra.errors import BadDefinition, NotFound, UnknownAdapter
from mastra.memory.memory import Memory
from mastra.ports.cache import Cache
from mastra.ports.storage import Storage
from mastra.ports.vectors import VectorStore
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Page


class Definition:
    def __init__(self, id):
        self.id = id
        self.services = None

    def bind(self, services):
        self.services = services


class Part:
    def __init__(self, name, log, *, fails=False):
        self.name, self.log, self.fails = name, log, fails

    async def open(self):
        if self.fails:
            raise OSError(self.name)
        self.log.append(f"open {self.name}")

    async def close(self):
        self.log.append(f"close {self.name}")


class Rows(Part, Storage):
    async def get(self, table, key):
        return None

    async def scan(self, table, where=None, *, order=None, after=None, limit=100):
        return Page([])

    async def write(self, batch):
        return None


class Bytes(Part, Cache):
    async def get(self, key):
        return None

    async def set(self, key, value, *, ttl_s=None):
        return None

    async def delete(self, key):
        return None


def test_definitions_are_bound_to_the_services_of_the_application():
    agent, workflow = Definition("a"), Definition("w")
    mastra = Mastra(agents=[agent], workflows={"other-name": workflow}, storage=Rows("s", []))
    assert agent.services is mastra.services
    assert mastra.get_agent("a") is agent
    assert mastra.get_workflow("other-name") is workflow
    assert mastra.get_workflow("w") is workflow, "the id works as well as the registered name"


def test_two_definitions_of_one_name_are_refused():
    with pytest.raises(BadDefinition, match="Two agents are called 'a'"):
        Mastra(agents=[Definition("a"), Definition("a")], storage=Rows("s", []))


def test_a_definition_without_an_id_is_refused():
    with pytest.raises(BadDefinition, match="has no id"):
        Mastra(tools=[object()], storage=Rows("s", []))


def test_an_unknown_agent_is_named_with_a_near_miss():
    mastra = Mastra(agents=[Definition("assistant")], storage=Rows("s", []))
    with pytest.raises(NotFound, match="Agent with id asistant not found") as caught:
        mastra.get_agent("asistant")
    assert caught.value.hint == "Did you mean 'assistant'?"


def test_an_unknown_adapter_is_refused_before_anything_runs():
    with pytest.raises(UnknownAdapter):
        Mastra(storage="nowhere://x")


async def test_parts_open_in_order_and_close_in_reverse():
    log = []
    mastra = Mastra(storage=Rows("storage", log), cache=Bytes("cache", log))
    async with mastra:
        assert mastra.is_open
        await mastra.open()
        assert log == ["open storage", "open cache"], "a second open does nothing"
    assert log[2:] == ["close cache", "close storage"]
    await mastra.close()
    assert len(log) == 4, "a second close does nothing"


async def test_a_part_that_cannot_open_leaves_nothing_open():
    log = []
    mastra = Mastra(storage=Rows("storage", log), cache=Bytes("cache", log, fails=True))
    with pytest.raises(OSError, match="cache"):
        await mastra.open()
    assert log == ["open storage", "close storage"]
    assert not mastra.is_open


def test_stores_are_found_by_name():
    class Store(VectorStore):
        async def create(self, index, dimension, metric="cosine"): ...
        async def drop(self, index): ...
        async def describe(self, index): ...
        async def names(self):
            return []

        async def upsert(self, index, rows): ...
        async def query(self, index, vector, *, k=10, where=None, include_vector=False):
            return []

        async def delete(self, index, ids=None, *, where=None):
            return 0

        async def update(self, index, row_id, *, vector=None, metadata=None): ...

    store = Store()
    mastra = Mastra(vectors={"main": store}, storage=Rows("s", []))
    assert mastra.get_vectors("main") is store
    with pytest.raises(NotFound, match="Vector with name other not found"):
        mastra.get_vectors("other")


class SlowReader(MemoryStorage):
    """Storage whose scans take a moment, and that notices whether one was still running when it was closed."""

    def __init__(self):
        super().__init__()
        self.running = 0
        self.running_at_close = None

    async def scan(self, *arguments, **options):
        self.running += 1
        await asyncio.sleep(0.02)
        try:
            return await super().scan(*arguments, **options)
        finally:
            self.running -= 1

    async def close(self):
        self.running_at_close = self.running
        await super().close()


async def test_closing_waits_for_the_memory_that_an_agent_brought():
    storage = SlowReader()
    agent = Agent("a", model="scripted/hi", memory=Memory(last_messages=False))
    async with Mastra(agents=[agent], storage=storage):
        await agent.generate("hello", thread="t1", resource="u1")
        assert storage.running
    assert storage.running_at_close == 0
