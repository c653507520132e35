"""Observational memory: history becomes notes."""

import asyncio
from datetime import timedelta

from tests.unit.memory.conftest import say

from mastra.errors import ModelUnavailable
from mastra.memory.memory import Memory
from mastra.memory.observation_options import ObservationalMemory
from mastra.memory.observations import REFLECT
from mastra.ports.model import ChatModel
from mastra.providers.scripted import ScriptedModel
from mastra.runtime.services import Services
from mastra.testing.clock import HandClock
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


async def record_of(memory, thread="t"):
    return await memory._observer.read(thread, "u")


async def test_notes_are_taken_ahead_of_time_and_used_when_the_messages_grow_too_long(storage):
    model = NoteTaker()
    memory = bound(storage, model, message_tokens=70, buffer_tokens=20, buffer_activation=0.5)
    await talk(memory, *(f"{number} is a number that I like to talk about" for number in range(4)))
    record = await record_of(memory)
    assert record["activeObservations"] == ""
    assert len(record["buffered"]) >= 1
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert recall.system == (), "what is not used yet is not told"
    assert len(recall.messages) == 4
    taken = len(model.asked)
    await talk(memory, *(f"{number} is a number that I like to talk about" for number in range(4, 7)))
    record = await record_of(memory)
    assert "0 is a number" in record["activeObservations"]
    recall = await memory.recall(thread_id="t", resource_id="u")
    told = recall.system[0] + " ".join(message.text for message in recall.messages)
    assert all(f"{number} is a number" in told for number in range(7)), "nothing is lost between notes and messages"
    assert len(recall.messages) > 1, "only a share of the messages was taken away"
    assert all("0 is a number" not in asked.partition("<messages>")[2] for asked in model.asked[taken:])


async def test_a_turn_waits_when_too_much_stands_unobserved(storage):
    model = NoteTaker(failures=2)
    memory = bound(storage, model, message_tokens=20, block_after=40)
    await talk(memory, *(f"{number} is a number that I like to talk about" for number in range(4)))
    assert await record_of(memory) is None, "the observer failed each time"
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert "0 is a number" in recall.system[0], "it was asked again before the turn"
    assert [message.text[:1] for message in recall.messages] == ["3"]


async def test_notes_are_used_after_a_pause(storage):
    clock = HandClock()
    options = {"message_tokens": 1_000, "buffer_tokens": 10, "activate_after_idle": timedelta(minutes=5)}
    memory = Memory(observational=ObservationalMemory(model=NoteTaker(), keep_last=1, **options))
    memory.bind(Services(storage=storage, clock=clock))
    for number in range(3):
        message = say(f"{number} is a number that I like", id=f"m{number}", at=number)
        await memory.record(thread_id="t", resource_id="u", messages=[message])
        await memory.settle()
    assert (await memory.recall(thread_id="t", resource_id="u")).system == ()
    await clock.advance(timedelta(minutes=6).total_seconds())
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert "0 is a number" in recall.system[0]
    assert [message.text[:1] for message in recall.messages] == ["2"]
    assert (await record_of(memory))["buffered"] == []


async def test_named_facts_are_kept_beside_the_notes(storage):
    answers = [
        "- likes tea\n@current task: buy tea\n@mood: calm",
        "- bought tea\n@Current Task: drink it\n@current task",
    ]
    model = ScriptedModel(answers)
    memory = bound(storage, model, message_tokens=10, extract=["current task"])
    await talk(memory, "I like tea and I want to buy some", "now I bought some tea in the town", "so now what")
    record = await record_of(memory)
    assert record["extracted"] == {"current task": "drink it"}
    system = (await memory.recall(thread_id="t", resource_id="u")).system[0]
    assert "current task: drink it" in system
    assert "- likes tea\n@mood: calm\n- bought tea\n@current task" in system, "other lines stay notes"
    assert "current task" in model.requests[0].messages[0].text


async def test_messages_may_use_what_the_notes_do_not_need(storage):
    alone = bound(storage, NoteTaker(), message_tokens=20, observation_tokens=200)
    shared = bound(storage, NoteTaker(), message_tokens=20, observation_tokens=200, share_token_budget=True)
    texts = [f"{number} is a number that I like to talk about" for number in range(6)]
    await talk(alone, *texts, thread="a")
    await talk(shared, *texts, thread="b")
    assert await record_of(alone, "a") is not None
    assert await record_of(shared, "b") is None, "the messages fit into what is left of both limits"
    await talk(shared, *(f"{number} is a number that I like to talk about" for number in range(10, 30)), thread="b")
    assert await record_of(shared, "b") is not None


async def test_long_pauses_are_told(storage):
    clock = HandClock()
    memory = Memory(observational=ObservationalMemory(model="scripted/x", temporal_markers=True))
    memory.bind(Services(storage=storage, clock=clock))
    for number, minutes in enumerate((0, 1, 180)):
        message = say(f"text {number}", id=f"m{number}", at=60 * minutes)
        await memory.record(thread_id="t", resource_id="u", messages=[message])
    await clock.advance(timedelta(days=2).total_seconds())
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert [message.text for message in recall.messages] == ["text 0", "text 1", "[2 hours later]text 2"]
    assert recall.system == ("The last message before this turn was 1 day ago.",)


async def test_two_processes_observe_a_thread_once(storage):
    first, second = (bound(storage, NoteTaker(), message_tokens=20, buffer_tokens=10) for _ in range(2))
    await asyncio.gather(first.open(), second.open())
    for number in range(6):
        memory = first if number % 2 else second
        await talk(memory, f"{number} is a number that I like to talk about")
        await asyncio.gather(first._observer.run_if_due("t", "u"), second._observer.run_if_due("t", "u"))
    record = await record_of(first)
    notes = record["activeObservations"] + "".join(piece["notes"] for piece in record["buffered"])
    assert [notes.count(f"{number} is a number") for number in range(5)] == [1] * 5
