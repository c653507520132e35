"""Deepgram over a real connection."""

from __future__ import annotations

import json

import pytest

from mastra.errors import SpeechError
from mastra.speech.deepgram import Aura, Nova, make_deepgram
from mastra.testing.fault_server import FaultServer, Reply

HEARD = {"results": {"channels": [{"alternatives": [{"transcript": "Hello there.", "confidence": 0.99}]}]}}


def test_the_name_of_a_model_says_what_it_does():
    assert isinstance(make_deepgram("aura-2-thalia-en"), Aura)
    assert isinstance(make_deepgram("nova-3"), Nova)


@pytest.mark.parametrize(
    ("speaker", "model"),
    [(None, "aura-2-thalia-en"), ("orion", "aura-2-orion-en"), ("aura-2-nestor-es", "aura-2-nestor-es")],
)
async def test_sound_is_streamed(speaker, model):
    async with FaultServer(Reply(headers={"content-type": "audio/mpeg"}, pieces=[b"a", b"b"])) as server:
        voice = make_deepgram("aura-2-thalia-en", url=server.url, api_key="k")
        assert b"".join([piece async for piece in voice.speak("Hi.", speaker=speaker)]) == b"ab"
        (request,) = server.requests
        assert request.path == f"/v1/speak?encoding=mp3&model={model}"
        assert request.headers["authorization"] == "Token k"
        assert request.json() == {"text": "Hi."}
        await voice.close()


async def test_recordings_are_heard():
    async with FaultServer(Reply(pieces=[json.dumps(HEARD).encode()])) as server:
        voice = make_deepgram("nova-3", url=server.url, api_key="k")
        assert await voice.transcribe(b"fLaC", media_type="audio/flac", diarize=True) == "Hello there."
        (request,) = server.requests
        assert request.path == "/v1/listen?smart_format=true&diarize=true&model=nova-3"
        assert (request.headers["content-type"], request.body) == ("audio/flac", b"fLaC")
        await voice.close()


@pytest.mark.parametrize("answer", [{}, {"results": {"channels": []}}, {"results": None}])
async def test_an_answer_without_words_is_an_error(answer):
    async with FaultServer(Reply(pieces=[json.dumps(answer).encode()])) as server:
        voice = make_deepgram("nova-3", url=server.url, api_key="k")
        with pytest.raises(SpeechError):
            await voice.transcribe(b"x")
        await voice.close()


async def test_the_voices_are_listed():
    listed = await make_deepgram("aura-2-thalia-en", api_key="k").speakers()
    assert listed[0].voice_id == "thalia"
