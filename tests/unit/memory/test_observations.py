"""Observational memory: history becomes notes."""

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import BadDefinition, ModelUnavailable
from mastra.memory.memory import Memory
from mastra.memory.observations import REFLECT, ObservationalMemory
from mastra.ports.model import ChatModel
from mastra.runtime.services import Services
from mastra.types.model import Finish, ResponseStart, TextDelta


class NoteTaker(ChatModel):
    """Writes one line for each message it is shown, or one line for all notes."""

    provider = "test"
    model_id = "notes"

    def __init__(self, failures=0):
        self.failures = failures
        self.asked = []

    async def stream(self, request):
        system, user = request.messages
        self.asked.append(user.parts[0].text)
        if self.failures:
            self.failures -= 1
            raise ModelUnavailable("busy")
        yield ResponseStart()
        if system.text == REFLECT:
            yield TextDelta("t", "- all in one line")
        else:
            for line in user.parts[0].text.partition("<messages>")[2].splitlines():
                if line.startswith("["):
                    yield TextDelta("t", f"- {line.partition('] ')[2]}\n")
        yield Finish("stop")


def bound(storage, model, **options):
    memory = Memory(observational=ObservationalMemory(model=model, keep_last=1, **options))
    memory.bind(Services(storage=storage))
    return memory


async def talk(memory, *texts, thread="t"):
    for text in texts:
        await memory.record(
            thread_id=thread, resource_id="u", messages=[say(text, id=f"{thread}-{text[:6].replace(chr(32), chr(95))}")]
        )
        await memory.settle()


async def test_what_was_observed_is_told_as_notes_and_the_rest_as_it_was_said(storage):
    memory = bound(storage, NoteTaker(), message_tokens=20)
    await talk(
        memory, "first thing to know about me", "second thing to know about me", "third </observations>", "fourth"
    )
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert "- user: first thing to know about me" in recall.system[0]
    shown = [message.text for message in recall.messages]
    assert shown[-1] == "fourth"
    assert not set(shown) & {"first thing to know about me", "second thing to know about me"}
    assert recall.system[0].count("</observations>") == 1


async def test_long_notes_are_made_shorter_and_the_old_ones_kept(storage):
    model = NoteTaker()
    memory = bound(storage, model, message_tokens=10, observation_tokens=30)
    await talk(memory, *(f"{number} is a number that I like to talk about" for number in range(6)))
    record = await memory._observer.read("t", "u")
    history = await memory._observer.history("t", "u")
    assert any(item["originType"] == "reflection" for item in [record, *history])
    assert record["observationTokenCount"] < 60
    assert record["generationCount"] == len(history) + 1


async def test_a_failing_model_loses_nothing(storage):
    memory = bound(storage, NoteTaker(failures=2), message_tokens=10)
    await talk(memory, "one is a number that I like", "two is a number that I like", "three", "four", "five")
    recall = await memory.recall(thread_id="t", resource_id="u")
    told = recall.system[0] + " ".join(message.text for message in recall.messages)
    assert all(word in told for word in ("one is", "two is", "three", "four", "five"))


async def test_a_resource_has_notes_over_all_its_threads(storage):
    memory = bound(storage, NoteTaker(), message_tokens=5, scope="resource")
    await talk(memory, "my dog is called Rex", "and my cat is Tom", thread="a")
    recall = await memory.recall(thread_id="b", resource_id="u")
    assert "my dog is called Rex" in recall.system[0]
    assert memory.to_wire()["observationalMemory"] == {"enabled": True}


def test_wrong_options_are_refused():
    for wrong in ({"message_tokens": 0}, {"scope": "world"}, {"keep_last": -1}):
        with pytest.raises(BadDefinition):
            ObservationalMemory(model="scripted/x", **wrong)
