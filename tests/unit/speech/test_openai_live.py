"""The realtime protocol against a server on this machine that speaks it."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from mastra.errors import AuthFailed, BadDefinition, InvalidInput, ModelUnavailable, ResponseMalformed, StreamBroken
from mastra.ports.speech import LiveEvent
from mastra.speech.openai_live import OpenAILive, read_event
from mastra.types.model import ToolCall, ToolSpec


@asynccontextmanager
async def realtime(talk, check=None):
    """A server whose side of the conversation is `talk(socket, received)`; its URL and what came."""
    came: list = []

    async def handler(socket):
        came.append(socket.request)
        await talk(socket, came)

    async with serve(handler, "127.0.0.1", 0, process_request=check) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}", came


def says(**event):
    return json.dumps(event)


async def one_answer(socket, came):
    """Take a session, a piece of sound, and answer it."""
    for _ in range(2):
        came.append(json.loads(await socket.recv()))
    await socket.send(says(type="session.updated"))
    await socket.send(says(type="input_audio_buffer.speech_started"))
    await socket.send(says(type="conversation.item.input_audio_transcription.completed", transcript="Hi"))
    await socket.send(says(type="response.output_audio.delta", delta=base64.b64encode(b"\1\2").decode()))
    await socket.send(says(type="response.output_audio_transcript.delta", delta="Hel"))
    await socket.send(says(type="response.output_audio_transcript.done", transcript="Hello"))
    await socket.send(says(type="response.done", response={"usage": {"total_tokens": 3}}))


async def test_a_conversation_from_sound_to_sound():
    tool = ToolSpec("weather", "Tells the weather.", {"type": "object"})
    async with realtime(one_answer) as (url, came):
        session = await OpenAILive("gpt-realtime", url=url, api_key="k").connect(
            instructions="Be kind.", tools=[tool], speaker="marin"
        )
        await session.send(b"\0\1")
        heard = [event async for event in session.events()]
        await session.close()
    assert heard == [
        LiveEvent("interrupted"),
        LiveEvent("writing", text="Hi", role="user", done=True),
        LiveEvent("speaking", audio=b"\1\2"),
        LiveEvent("writing", text="Hel", role="assistant"),
        LiveEvent("writing", text="Hello", role="assistant", done=True),
        LiveEvent("answered", data={"total_tokens": 3}),
    ]
    request, opened, sound = came
    assert request.path == "/realtime?model=gpt-realtime"
    assert request.headers["authorization"] == "Bearer k"
    assert opened["session"]["audio"]["output"]["voice"] == "marin"
    assert opened["session"]["instructions"] == "Be kind."
    assert opened["session"]["tools"][0]["name"] == "weather"
    assert sound == {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\0\1").decode()}


async def test_words_and_results_of_tools_are_sent_as_items():
    async def take(socket, came):
        for _ in range(4):
            came.append(json.loads(await socket.recv()))

    async with realtime(take) as (url, came):
        session = await OpenAILive("gpt-realtime", url=url).connect()
        await session.say("Hello")
        await session.answer_call("c1", "42")
        assert [event async for event in session.events()] == []
        await session.close()
    _, _, said, ask, result = came
    assert said["item"]["content"] == [{"type": "input_text", "text": "Hello"}]
    assert ask == {"type": "response.create"}
    assert result["item"] == {"type": "function_call_output", "call_id": "c1", "output": "42"}


@pytest.mark.parametrize(
    ("event", "read"),
    [
        (
            {"type": "response.function_call_arguments.done", "call_id": "c", "name": "t", "arguments": '{"a": 1}'},
            LiveEvent("tool-call", data=ToolCall("c", "t", {"a": 1}, '{"a": 1}')),
        ),
        (
            {"type": "response.function_call_arguments.done", "call_id": "c", "name": "t", "arguments": "[1"},
            LiveEvent("tool-call", data=ToolCall("c", "t", None, "[1")),
        ),
        ({"type": "error", "error": {"message": "No."}}, LiveEvent("error", text="No.")),
        ({"type": "rate_limits.updated"}, None),
    ],
)
def test_each_event_is_read(event, read):
    assert read_event(event) == read


@pytest.mark.parametrize("sent", ["no JSON", "[]", "{}", says(type="response.output_audio.delta", delta="*")])
async def test_an_event_of_another_shape_is_an_error(sent):
    async def talk(socket, came):
        await socket.recv()
        await socket.send(sent)

    async with realtime(talk) as (url, _):
        session = await OpenAILive("gpt-realtime", url=url).connect()
        with pytest.raises(ResponseMalformed):
            [event async for event in session.events()]
        await session.close()


async def test_a_connection_that_is_lost_is_an_error_and_not_an_end():
    async def talk(socket, came):
        await socket.recv()
        await socket.close(1011, "out of order k-canary-1234")

    async with realtime(talk) as (url, _):
        session = await OpenAILive("gpt-realtime", url=url, api_key="k-canary-1234").connect()
        with pytest.raises(StreamBroken, match="out of order") as lost:
            [event async for event in session.events()]
        assert "canary" not in str(lost.value)
        with pytest.raises(StreamBroken):
            await session.say("still there?")
        with pytest.raises(InvalidInput):
            await session.send("text")
        await session.close()


async def test_a_refused_key_and_a_server_that_is_not_there():
    def check(connection, request):
        return connection.respond(401, "bad key k-canary-1234")

    async with realtime(one_answer, check) as (url, _):
        with pytest.raises(AuthFailed) as refused:
            await OpenAILive("gpt-realtime", url=url, api_key="k-canary-1234").connect()
        assert "canary" not in str(refused.value)
    with pytest.raises(ModelUnavailable):
        await OpenAILive("gpt-realtime", url=url, api_key="k").connect()
    with pytest.raises(BadDefinition):
        OpenAILive("gpt-realtime", url="https://x")


async def test_the_voices_are_listed():
    assert "marin" in [one.voice_id for one in await OpenAILive("gpt-realtime", api_key="k").speakers()]


async def test_the_session_is_one_that_the_vendors_own_types_take():
    types = pytest.importorskip("openai.types.realtime.session_update_event")

    async def take(socket, came):
        came.append(json.loads(await socket.recv()))

    tool = ToolSpec("weather", "Tells the weather.", {"type": "object"})
    async with realtime(take) as (url, came):
        live = OpenAILive("gpt-realtime", url=url)
        session = await live.connect(instructions="x", tools=[tool], turn_detection={"type": "server_vad"})
        assert [event async for event in session.events()] == []
        await session.close()
    types.SessionUpdateEvent.model_validate(came[1])
