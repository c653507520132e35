# Parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
"""What is said into a thread reaches the run at work, the one behind it, or begins one; who listens hears them all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mastra import Agent, Memory, tool
from mastra.agents import signals
from mastra.agents.processors.text import PIIDetector
from mastra.errors import Aborted, AccessDenied, InvalidId, InvalidInput, StreamBroken
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.prompt import ToolMessage, UserMessage

HERE: dict[str, Any] = {"thread": "t", "resource": "u"}


class House:
    """An agent whose tool waits for a word, and its model."""

    def __init__(self, *script: Any, **options: Any) -> None:
        self.inside, self.go = asyncio.Event(), asyncio.Event()
        house = self

        @tool
        async def wait() -> str:
            """Waits for a word."""
            house.inside.set()
            await house.go.wait()
            return "waited"

        self.model = ScriptedModel([Call("wait", {}, "c"), *script])
        self.agent = Agent("a", model=self.model, tools=[wait], memory=Memory(), **options)

    async def begun(self, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(self.agent.generate("hello", **HERE, **options))
        await self.inside.wait()
        return task

    async def thread(self) -> list[tuple[str, str]]:
        await self.agent.services.background.settle()
        page = await self.agent.memory.list_messages("t")
        return [(message.role, message.text) for message in page.messages]


def said(request: Any) -> list[str]:
    return [message.parts[0].text for message in request.messages if isinstance(message, UserMessage)]


async def test_the_run_at_work_reads_a_message_before_its_next_step():
    house = House("both answered")
    run = await house.begun()
    sent = await house.agent.signals.send_message("and this?", **HERE)
    house.go.set()
    result = await run
    assert (sent.action, sent.run_id) == ("delivered", result.run_id)
    assert isinstance(house.model.requests[1].messages[-2], ToolMessage)
    assert said(house.model.requests[1]) == ["hello", "and this?"]
    assert [message.role for message in result.messages] == ["user", "assistant", "user", "assistant"]
    told = [("user", "hello"), ("assistant", ""), ("user", "and this?"), ("assistant", "both answered")]
    assert await house.thread() == told
    assert house.agent.services.threads == {}


async def test_a_message_that_comes_while_the_model_answers_is_answered_in_the_same_run():
    async def speaks(request):
        await agent.signals.send_message("wait, also this", **HERE)
        return "first"

    model = ScriptedModel([speaks, "second"])
    agent = Agent("a", model=model, memory=Memory())
    result = await agent.generate("hello", **HERE)
    assert [step.text for step in result.steps] == ["first", "second"]
    assert said(model.requests[1]) == ["hello", "wait, also this"]


async def test_what_a_run_has_no_step_left_for_begins_the_next_one():
    async def speaks(request):
        await agent.signals.send_message("too late", **HERE)
        return "first"

    agent = Agent("a", model=ScriptedModel([speaks, "second"]), memory=Memory())
    assert (await agent.generate("hello", max_steps=1, **HERE)).text == "first"
    await agent.services.background.settle()
    page = await agent.memory.list_messages("t")
    assert [message.text for message in page.messages] == ["hello", "first", "too late", "second"]


async def test_on_an_idle_thread_a_message_begins_a_run_with_its_options():
    model = ScriptedModel(["hi"])
    agent = Agent("a", instructions="Be long.", model=model, memory=Memory())
    sent = await agent.signals.send_message("hello", instructions="Be brief.", **HERE)
    assert sent.action == "woke"
    await agent.services.background.settle()
    assert model.requests[0].messages[0].text == "Be brief."
    assert [one.chunk.type async for one in agent.services.runs.get(sent.run_id).observe()][-1] == "finish"


async def test_a_run_that_cannot_begin_says_so_to_who_spoke():
    with pytest.raises(InvalidInput, match="tool_choice"):
        await Agent("a", model=ScriptedModel(["x"])).signals.send_message("hello", tool_choice="nope", **HERE)


async def test_queued_messages_are_answered_one_run_each_in_their_order():
    house = House("one", "two", "three")
    run = await house.begun()
    for text in ("second", "third"):
        assert (await house.agent.signals.queue_message(text, **HERE)).action == "queued"
    house.go.set()
    assert (await run).text == "one"
    while house.agent.services.threads:
        await house.agent.services.background.settle()
    assert [text for _, text in await house.thread()] == ["hello", "one", "second", "two", "third", "three"]


async def test_what_is_queued_can_be_taken_back_and_an_idle_thread_queues_nothing():
    house = House("one")
    run = await house.begun()
    await house.agent.signals.queue_message("never", **HERE)
    assert house.agent.signals.cancel_queued("t") == 1
    house.go.set()
    await run
    assert len(house.model.requests) == 2
    assert house.agent.signals.cancel_queued("t") == 0
    idle = Agent("b", model=ScriptedModel(["hi"]))
    assert (await idle.signals.queue_message("now", **HERE)).action == "woke"


async def test_who_listens_hears_all_runs_of_the_thread_and_no_other():
    agent = Agent("a", model=ScriptedModel(["one", "two", "else"]), memory=Memory())
    async with agent.signals.subscribe("t") as chunks:
        await agent.generate("quiet", **HERE)
        await agent.generate("elsewhere", thread="other", resource="u")
        await agent.signals.send_message("wake", **HERE)
        kinds: list[str] = []
        texts = []
        while kinds.count("finish") < 2:
            chunk = await anext(chunks)
            kinds.append(chunk.type)
            if chunk.type == "text-delta":
                texts.append(chunk.payload["text"])
            if chunk.type == "data-user-message":
                assert kinds[-2] == "start"
                assert chunk.payload["data"]["contents"] == "wake"
    assert "".join(texts).replace(" ", "") == "oneelse"
    assert kinds.count("data-user-message") == 1
    await agent.services.background.settle()
    assert agent.services.threads == {}


async def test_who_begins_to_listen_hears_the_run_at_work_from_its_next_step():
    house = House("done")
    run = await house.begun()
    async with house.agent.signals.subscribe("t") as chunks:
        house.go.set()
        await run
        kinds = []
        while not kinds or kinds[-1] != "finish":
            kinds.append((await anext(chunks)).type)
    assert kinds[0] == "step-start"


async def test_a_listener_that_does_not_read_is_let_go(monkeypatch):
    monkeypatch.setattr(signals, "MOST_WAITING", 3)
    agent = Agent("a", model=ScriptedModel(["one two three four five"]))
    async with agent.signals.subscribe("t") as chunks:
        await agent.generate("hello", **HERE)
        assert [(await anext(chunks)).type for _ in range(3)] == ["start", "step-start", "text-start"]
        with pytest.raises(StreamBroken, match="too far behind"):
            await anext(chunks)


async def test_the_run_at_work_is_stopped_and_its_caller_goes_on():
    house = House("next")
    run = await house.begun(run_id="r")
    await house.agent.signals.queue_message("and then", **HERE)
    assert not house.agent.signals.abort("t", run_id="another")
    assert house.agent.signals.abort("t", run_id="r")
    with pytest.raises(Aborted):
        await run
    assert not run.cancelled()
    assert ("assistant", "next") in await house.thread()
    assert not house.agent.signals.abort("t")


async def test_a_thread_is_not_for_others():
    house = House("done")
    run = await house.begun()
    for speak in (house.agent.signals.send_message, house.agent.signals.queue_message):
        with pytest.raises(AccessDenied):
            await speak("mine", thread="t", resource="eve")
    for way in (house.agent.signals.abort, house.agent.signals.cancel_queued):
        with pytest.raises(AccessDenied):
            way("t", resource="eve")
    with pytest.raises(AccessDenied):
        async with house.agent.signals.subscribe("t", resource="eve"):
            pass
    house.go.set()
    await run


@pytest.mark.parametrize("active", [True, False])
async def test_a_message_may_only_be_kept_or_not_even_that(active):
    house = House("done")
    run = await house.begun() if active else None
    way: dict[str, Any] = {"if_active": "persist", "if_idle": "persist"}
    assert (await house.agent.signals.send_message("keep me", **HERE, **way)).action == "persisted"
    away: dict[str, Any] = {"if_active": "discard", "if_idle": "discard"}
    assert (await house.agent.signals.send_message("forget me", **HERE, **away)).action == "discarded"
    house.go.set()
    if run is not None:
        await run
    assert len(house.model.requests) == (2 if active else 0)
    texts = [text for _, text in await house.thread()]
    assert "keep me" in texts
    assert "forget me" not in texts


async def test_nothing_is_kept_without_a_memory():
    with pytest.raises(InvalidInput, match="no memory"):
        await Agent("a", model=ScriptedModel(["x"])).signals.send_message("x", if_idle="persist", **HERE)


async def test_what_no_person_said_stands_in_a_tag_and_cannot_leave_it():
    model = ScriptedModel(["ok", "ok"])
    agent = Agent("a", model=model)
    await agent.signals.send_signal(
        "notification", "build </ci> failed", tag="ci", attributes={"branch": '"main"'}, **HERE
    )
    await agent.services.background.settle()
    await agent.signals.send_message(
        {"contents": [{"type": "text", "text": "hi"}], "attributes": {"name": "Ann"}}, **HERE
    )
    await agent.services.background.settle()
    assert said(model.requests[0]) == ['<ci branch="&quot;main&quot;">build &lt;/ci&gt; failed</ci>']
    parts = model.requests[1].messages[-1].parts
    assert [part.text for part in parts] == ['<user name="Ann">', "hi", "</user>"]


@pytest.mark.parametrize(
    ("message", "options", "named"),
    [
        ("", {}, "empty"),
        ("  ", {}, "empty"),
        (3, {}, "int"),
        ({"contents": "x", "attributes": {"a b": 1}}, {}, "attributes"),
        ({"contents": "x", "attributes": 3}, {}, "attributes"),
        ({"contents": "x", "tagName": "a>b"}, {}, "tag"),
        ({"contents": "x", "id": "a\nb"}, {}, "signal id"),
        ("x", {"if_active": "maybe"}, "if_active"),
        ("x", {"if_idle": "wakee"}, "if_idle"),
        ("x", {"thread": ""}, "thread id"),
    ],
)
async def test_what_cannot_be_said_is_refused(message, options, named):
    agent = Agent("a", model=ScriptedModel(["x"]))
    with pytest.raises((InvalidInput, InvalidId), match=named):
        await agent.signals.send_message(message, **{**HERE, **options})


async def test_what_is_said_while_a_run_waits_for_a_person_is_heard_when_it_goes_on():
    @tool(require_approval=True)
    async def danger() -> str:
        """Needs a yes."""
        return "done"

    async def speaks(request):
        await agent.signals.send_message("by the way", **HERE)
        return Answer(calls=(Call("danger", {}, "d"),))

    model = ScriptedModel([speaks, "all done"])
    agent = Agent("a", model=model, tools=[danger], memory=Memory())
    assert (await agent.generate("go", run_id="r", **HERE)).finish_reason == "suspended"
    assert (await agent.approve("r").result()).text == "all done"
    assert said(model.requests[1]) == ["go", "by the way"]


async def test_what_is_said_into_a_run_passes_its_guards():
    house = House("ok", input_processors=[PIIDetector()])
    run = await house.begun()
    await house.agent.signals.send_message("Mail ann@example.org", **HERE)
    house.go.set()
    await run
    assert said(house.model.requests[1]) == ["hello", "Mail [EMAIL]"]
    assert ("user", "Mail [EMAIL]") in await house.thread()


async def test_what_no_guard_lets_pass_ends_the_run():
    house = House("never", input_processors=[PIIDetector(strategy="block")])
    run = await house.begun()
    await house.agent.signals.send_message("Mail ann@example.org", **HERE)
    house.go.set()
    assert (await run).finish_reason == "tripwire"
    assert len(house.model.requests) == 1
