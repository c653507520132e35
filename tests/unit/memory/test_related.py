"""Messages that fit a question: read at once where the vectors are held, and never more than the caller may see."""

import pytest
from tests.unit.memory.conftest import say

from mastra.memory.memory import Memory
from mastra.memory.options import SemanticRecall
from mastra.memory.related import related
from mastra.memory.semantic import metadata_of
from mastra.memory.tables import MESSAGES
from mastra.ports.vectors import VectorRow
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.types.records import Put
from mastra.vectors.memory import MemoryVectors
from mastra.vectors.stored import StoredVectors

RECALL = SemanticRecall(top_k=1)


async def told(storage, vectors, *, owner="u"):
    memory = Memory(semantic_recall=RECALL, vectors=vectors, embedder="lexical/384")
    memory.bind(Services(storage=storage))
    for number, text in enumerate(["before it", "the wifi password is swordfish", "after it", "much later"]):
        message = say(text, id=f"m{number}", at=number)
        await memory.record(thread_id="t", resource_id=owner, run_id="r", step=number, messages=[message])
    await memory.settle()
    return memory


async def ask(memory, query="wifi password", *, thread="t", resource="u"):
    rows = await related(
        memory._semantic, memory.threads.messages, RECALL, query, thread_id=thread, resource_id=resource
    )
    return [row["id"] for row in rows]


@pytest.mark.parametrize("kind", ["held", "asked"])
async def test_a_match_comes_with_its_neighbours(kind):
    storage = MemoryStorage()
    memory = await told(storage, StoredVectors(storage) if kind == "held" else MemoryVectors())
    assert await ask(memory) == ["m0", "m1", "m2"]
    assert await ask(memory, thread="elsewhere") == ["m0", "m1", "m2"]
    assert await ask(memory, thread="elsewhere", resource="stranger") == []


async def test_a_message_that_is_gone_takes_its_neighbours_with_it():
    storage = MemoryStorage()
    memory = await told(storage, StoredVectors(storage))
    await memory.threads.delete_messages(["m1"])
    assert await ask(memory) == []


async def test_the_row_decides_who_may_see_it_not_its_vector():
    storage = MemoryStorage()
    memory = await told(storage, StoredVectors(storage), owner="ada")
    for record in (await storage.scan(MESSAGES, {"threadId": "t"})).records:
        await storage.write([Put(MESSAGES, record.key, {**record.value, "resourceId": "bob"})])
    assert await ask(memory, thread="elsewhere", resource="ada") == []


async def test_vectors_that_do_not_say_where_their_message_stands_are_looked_up():
    storage = MemoryStorage()
    memory = await told(storage, StoredVectors(storage))
    index = memory._semantic
    assert index is not None
    row = (await memory.threads.messages.get_many(["m1"]))["m1"]
    old = {key: value for key, value in metadata_of(row).items() if key != "order"}
    await index.vectors.upsert(index.name, [VectorRow("m1", await index.embedded("wifi password"), old)])
    assert await ask(memory) == ["m0", "m1", "m2"]
    await memory.threads.delete_messages(["m1"])
    assert await ask(memory) == []


async def test_what_another_process_embedded_is_found():
    storage = MemoryStorage()
    memory = await told(storage, StoredVectors(storage))
    assert await ask(memory, "umbrella") != ["m4"]
    other = Memory(semantic_recall=RECALL, vectors=StoredVectors(storage), embedder="lexical/384")
    other.bind(Services(storage=storage))
    message = say("the umbrella stands in the hall", id="m4", at=9)
    await other.record(thread_id="t2", resource_id="u", run_id="r2", messages=[message])
    await other.settle()
    assert await ask(memory, "umbrella") == ["m4"]
