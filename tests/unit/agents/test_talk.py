"""A live conversation: tools run while it goes on, what was said is kept, and nothing gets around a guard."""

from __future__ import annotations

import asyncio

import pytest

from mastra import Agent, Limits, Memory, tool
from mastra.errors import InvalidInput, LimitReached, StreamBroken, Unsupported
from mastra.ports.speech import LiveEvent, LiveSession, LiveVoice
from mastra.types.model import ToolCall


class Session(LiveSession):
    """A conversation that follows a script: events to give, or names of methods to wait for."""

    def __init__(self, script):
        self.script = script
        self.did: list[tuple] = []
        self.happened = asyncio.Event()
        self.closed = False

    def _do(self, *what):
        self.did.append(what)
        self.happened.set()

    async def send(self, audio):
        self._do("send", audio)

    async def say(self, text):
        self._do("say", text)

    async def answer_call(self, call_id, output):
        self._do("answer_call", call_id, output)

    async def ask(self):
        self._do("ask")

    async def events(self):
        for one in self.script:
            if isinstance(one, str):
                while not any(did[0] == one for did in self.did):
                    self.happened.clear()
                    await self.happened.wait()
            elif isinstance(one, Exception):
                raise one
            else:
                yield one

    async def close(self):
        self.closed = True


class Live(LiveVoice):
    def __init__(self, *script):
        self.session = Session(script)
        self.asked: dict = {}

    async def connect(self, **options):
        self.asked = options
        return self.session


def called(name, arguments, call_id="c1"):
    return LiveEvent("tool-call", data=ToolCall(call_id, name, arguments))


@tool
async def double(n: int) -> int:
    """Doubles."""
    return 2 * n


@tool(require_approval=True)
async def erase() -> str:
    """Erases all."""
    raise AssertionError("nobody has said yes")


async def test_tools_run_meanwhile_and_the_model_goes_on_with_all_results():
    live = Live(called("double", {"n": 4}), called("double", {"n": "x"}, "c2"), LiveEvent("answered"), "ask",
                LiveEvent("speaking", audio=b"8"))  # fmt: skip
    agent = Agent("a", model="scripted/x", instructions=["Be kind.", "Be short."], tools=[double], voice=live)
    async with agent.talk(speaker="ada", voice_options={"speed": 2}) as talk:
        await talk.send(b"sound")
        seen = [event.type async for event in talk]
    assert live.asked["instructions"] == "Be kind.\n\nBe short."
    assert [spec.name for spec in live.asked["tools"]] == ["double"]
    assert (live.asked["speaker"], live.asked["speed"]) == ("ada", 2)
    assert sorted(seen) == ["answered", "speaking", "tool-call", "tool-call", "tool-result", "tool-result"]
    did = live.session.did
    assert did[0] == ("send", b"sound")
    assert did[1] == ("answer_call", "c1", "8")
    assert did[2][:2] == ("answer_call", "c2")
    assert "not valid" in did[2][2]
    assert did[3] == ("ask",)
    assert live.session.closed


@pytest.mark.parametrize(
    ("name", "arguments", "told"), [("erase", {}, "not run"), ("unknown", {}, "no tool"), ("double", None, "JSON")]
)
async def test_what_must_not_run_does_not_and_the_model_is_told(name, arguments, told):
    live = Live(called(name, arguments), LiveEvent("answered"), "ask")
    async with Agent("a", model="scripted/x", tools=[double, erase], voice=live).talk() as talk:
        assert [event.type async for event in talk][:2]
    assert told in live.session.did[0][2]


async def test_what_was_said_is_kept_in_the_thread():
    memory = Memory()
    live = Live("say", LiveEvent("writing", text="Hel", role="assistant"),
                LiveEvent("writing", text="Hello!", role="assistant", done=True),
                LiveEvent("writing", text="And you?", role="user", done=True))  # fmt: skip
    agent = Agent("a", model="scripted/x", memory=memory, voice=live)
    async with agent.talk(thread="t", resource="u") as talk:
        await talk.say("Hi")
        assert len([event async for event in talk]) == 3
        assert talk.run_id
    kept = (await memory.recall(thread_id="t", resource_id="u")).messages
    assert [(message.role, message.text) for message in kept] == [
        ("user", "Hi"), ("assistant", "Hello!"), ("user", "And you?"),
    ]  # fmt: skip
    assert kept[0].resource_id == "u"


async def test_limits_hold_and_a_lost_connection_is_an_error():
    live = Live(called("double", {"n": 1}), called("double", {"n": 2}, "c2"))
    async with Agent("a", model="scripted/x", tools=[double], voice=live).talk(limits=Limits(tool_calls=1)) as talk:
        with pytest.raises(LimitReached):
            [event async for event in talk]
    live = Live(StreamBroken("gone"))
    async with Agent("a", model="scripted/x", voice=live).talk() as talk:
        with pytest.raises(StreamBroken):
            [event async for event in talk]


async def test_leaving_cancels_the_tools():
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def slow() -> str:
        """Slow."""
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return ""

    live = Live(called("slow", {}), LiveEvent("answered"), "ask")
    async with Agent("a", model="scripted/x", tools=[slow], voice=live).talk() as talk:
        async for event in talk:
            if event.type == "answered":
                await begun.wait()
                break
    assert ended.is_set()
    assert live.session.closed


async def test_who_cannot_converse_says_so():
    with pytest.raises(Unsupported, match="no voice"):
        async with Agent("a", model="scripted/x").talk():
            pass
    with pytest.raises(Unsupported, match="live"):
        async with Agent("a", model="scripted/x", voice="openai/whisper-1").talk():
            pass
    with pytest.raises(InvalidInput, match="max_steps"):
        async with Agent("a", model="scripted/x", voice=Live()).talk(max_steps=3):
            pass
