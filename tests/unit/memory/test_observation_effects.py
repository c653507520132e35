"""What an observation does beside its notes: the thread's title, the page of working memory, hooks."""

import pytest
from tests.unit.memory.conftest import say

from mastra.errors import BadDefinition, ModelUnavailable
from mastra.memory.memory import Memory
from mastra.memory.observation_effects import asked_beside, taken_apart, tell
from mastra.memory.observation_options import ObservationalMemory
from mastra.memory.observations import REFLECT
from mastra.ports.model import ChatModel
from mastra.runtime.services import Services
from mastra.types.model import Finish, ResponseStart, TextDelta
from mastra.types.prompt import SystemMessage


class Secretary(ChatModel):
    """Answers what it is told to answer."""

    provider = "test"
    model_id = "secretary"

    def __init__(self, *answers):
        self.answers = list(answers)

    async def stream(self, request):
        system = request.messages[0]
        answer = "- shorter" if system == SystemMessage(REFLECT) else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield ResponseStart()
        yield TextDelta("t", answer)
        yield Finish("stop")


def bound(storage, model, *, working=False, **options):
    observational = ObservationalMemory(model=model, keep_last=1, **{"message_tokens": 10, **options})
    memory = Memory(observational=observational, working_memory=working)
    memory.bind(Services(storage=storage))
    return memory


async def talk(memory, *texts):
    for number, text in enumerate(texts):
        message = say(text, id=f"m{number}", at=number)
        await memory.record(thread_id="t", resource_id="u", run_id="r", step=number, messages=[message])
        await memory.settle()


LONG = "I would like to talk about the ferries to Oslo and what they cost in summer"


async def test_the_observer_gives_the_thread_its_title(storage):
    model = Secretary(
        "- likes ferries\n@thread title: Ferries to Oslo\n@Thread Title:  ", "- more\n@thread title: Trains"
    )
    memory = bound(storage, model, thread_title=True)
    await talk(memory, LONG, "yes")
    thread = await memory.get_thread("t", resource_id="u")
    assert thread is not None
    assert thread.title == "Ferries to Oslo"
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert "likes ferries" in recall.system[0]
    assert "title" not in recall.system[0]


async def test_the_observer_keeps_the_page_of_working_memory(storage):
    model = Secretary("- likes ferries\n<working_memory>\n- Interests: ferries\n</working_memory>", "- nothing new")
    memory = bound(storage, model, working=True, manage_working_memory=True)
    assert memory.tools() == []
    await talk(memory, LONG, "yes")
    assert await memory.get_working_memory(thread_id="t", resource_id="u") == "- Interests: ferries"
    recall = await memory.recall(thread_id="t", resource_id="u")
    assert "- Interests: ferries" in recall.system[0]
    assert "updateWorkingMemory" not in recall.system[0]
    assert "ferries" in recall.system[1]
    assert "<working_memory>" not in recall.system[1]


async def test_a_page_that_cannot_be_kept_does_not_cost_the_notes(storage):
    model = Secretary(f"- likes ferries\n<working_memory>{'x' * 30_000}</working_memory>")
    memory = bound(storage, model, working=True, manage_working_memory=True)
    await talk(memory, LONG, "yes")
    assert await memory.get_working_memory(thread_id="t", resource_id="u") is None
    assert "likes ferries" in (await memory.recall(thread_id="t", resource_id="u")).system[1]


async def test_hooks_hear_of_every_observation_and_cannot_spoil_it(storage):
    heard = []

    async def start(facts):
        heard.append(("start", facts["threadId"], facts["messages"]))

    def end(facts):
        heard.append(("end", str(facts.get("notes") or type(facts["error"]).__name__)))
        raise RuntimeError("spoilt")

    hooks = {"on_observation_start": start, "on_observation_end": end,
             "on_reflection_start": lambda facts: heard.append(("reflect", facts["tokens"] > 3)),
             "on_reflection_end": lambda facts: heard.append(("reflected", facts["notes"]))}  # fmt: skip
    notes = "- " + "ferries, trains and " * 5
    model = Secretary(ModelUnavailable("busy"), notes)
    memory = bound(storage, model, hooks=hooks, observation_tokens=3)
    await talk(memory, LONG, "yes", "and no")
    assert heard == [
        ("start", "t", 1), ("end", "ModelUnavailable"), ("start", "t", 2), ("end", notes.strip()),
        ("reflect", True), ("reflected", "- shorter"),
    ]  # fmt: skip
    assert "- shorter" in (await memory.recall(thread_id="t", resource_id="u")).system[0]
    await tell({}, "on_observation_start")


def test_nothing_more_is_asked_for_than_was_declared():
    plain = ObservationalMemory(model="scripted/x")
    assert asked_beside(plain) == ""
    answer = "- a\n@thread title: b\n<working_memory>c</working_memory>"
    assert taken_apart(answer, plain) == (answer, {}, None, None)
    wide = ObservationalMemory(model="scripted/x", extract=["task"], thread_title=True, manage_working_memory=True)
    assert "task, thread title." in asked_beside(wide)
    assert taken_apart(answer + "\n@TASK: d", wide) == ("- a", {"task": "d"}, "b", "c")


@pytest.mark.parametrize(
    "wrong",
    [{"hooks": {"on_start": print}}, {"hooks": {"on_observation_end": 5}}, {"thread_title": True, "scope": "resource"}],
    ids=str,
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadDefinition):
        ObservationalMemory(model="scripted/x", **wrong)


def test_a_page_is_kept_only_where_there_is_one():
    with pytest.raises(BadDefinition, match="page"):
        Memory(observational=ObservationalMemory(model="scripted/x", manage_working_memory=True))
