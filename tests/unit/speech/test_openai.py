"""OpenAI's speech over a real connection: what is asked, what comes back, and what is no answer."""

from __future__ import annotations

import pytest

from mastra.errors import AuthFailed, BadDefinition, InvalidInput, MissingKey, ResponseMalformed, SpeechError
from mastra.ports.speech import Speaker
from mastra.server.multipart import Upload, parse_form
from mastra.speech.openai import OpenAISynthesizer, OpenAITranscriber, make_openai
from mastra.speech.openai_live import OpenAILive
from mastra.testing.fault_server import FaultServer, Reply

MP3 = {"content-type": "audio/mpeg"}


def test_the_name_of_a_model_says_what_it_does():
    assert isinstance(make_openai("gpt-4o-mini-tts"), OpenAISynthesizer)
    assert isinstance(make_openai("gpt-4o-transcribe"), OpenAITranscriber)
    assert isinstance(make_openai("whisper-1"), OpenAITranscriber)
    assert isinstance(make_openai("gpt-realtime"), OpenAILive)


async def test_sound_comes_as_it_is_made():
    async with FaultServer(Reply(headers=MP3, pieces=[b"ID3", b"\x00\x01"])) as server:
        voice = make_openai("tts-1", url=server.url, api_key="k", format="mp3")
        said = [piece async for piece in voice.speak("Hello.", speaker="nova", speed=1.5, model="another")]
        assert b"".join(said) == b"ID3\x00\x01"
        (request,) = server.requests
        assert request.path == "/audio/speech"
        assert request.headers["authorization"] == "Bearer k"
        assert request.json() == {
            "speed": 1.5, "model": "tts-1", "input": "Hello.", "voice": "nova", "response_format": "mp3",
        }  # fmt: skip
        await voice.close()


async def test_the_first_sound_is_there_before_the_last_is_made():
    async with FaultServer(Reply(headers=MP3, pieces=[b"ID3"], end="stall")) as server:
        voice = make_openai("tts-1", url=server.url, api_key="k")
        sound = voice.speak("Hello.")
        assert await anext(sound) == b"ID3"
        await sound.aclose()
        await server.hung_up.wait()
        await voice.close()


async def test_words_come_back_from_a_recording():
    async with FaultServer(
        Reply(headers={"content-type": "application/json"}, pieces=[b'{"text": " Hi there. "}'])
    ) as server:
        voice = make_openai("whisper-1", url=server.url, api_key="k")
        assert await voice.transcribe(b"RIFF....", media_type="audio/wav", language="en") == "Hi there."
        (request,) = server.requests
        assert request.path == "/audio/transcriptions"
        assert parse_form(request.body, request.headers["content-type"]) == {
            "language": "en",
            "model": "whisper-1",
            "response_format": "json",
            "file": Upload(b"RIFF....", "audio/wav", "audio.wav"),
        }
        await voice.close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(headers=MP3), SpeechError),
        (Reply(headers={"content-type": "text/html"}, pieces=[b"<html>"]), SpeechError),
        (Reply(status=401, pieces=[b'{"error": {"message": "bad key k-canary-123"}}']), AuthFailed),
    ],
)
async def test_an_answer_without_sound_is_an_error(reply, error):
    async with FaultServer(reply) as server:
        voice = make_openai("tts-1", url=server.url, api_key="k-canary-123")
        with pytest.raises(error) as failed:
            [piece async for piece in voice.speak("Hello.")]
        assert "canary" not in str(failed.value)
        await voice.close()


@pytest.mark.parametrize(
    ("body", "error"), [(b"{}", SpeechError), (b'{"text": 3}', SpeechError), (b"no", ResponseMalformed)]
)
async def test_an_answer_without_words_is_an_error(body, error):
    async with FaultServer(Reply(pieces=[body])) as server:
        voice = make_openai("whisper-1", url=server.url, api_key="k")
        with pytest.raises(error):
            await voice.transcribe(b"x")
        await voice.close()


async def test_nothing_is_sent_that_cannot_be_meant(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InvalidInput):
        [piece async for piece in make_openai("tts-1", api_key="k").speak(" ")]
    with pytest.raises(InvalidInput):
        await make_openai("whisper-1", api_key="k").transcribe(b"")
    with pytest.raises(MissingKey):
        await make_openai("whisper-1").transcribe(b"x")
    with pytest.raises(BadDefinition):
        make_openai("tts-1", format="mp4")


async def test_the_voices_are_listed():
    assert Speaker("alloy", {"name": "Alloy"}) in await make_openai("tts-1", api_key="k").speakers()


def test_the_requests_are_those_of_the_vendors_own_client():
    speech = pytest.importorskip("openai.types.audio.speech_create_params")
    transcription = pytest.importorskip("openai.types.audio.transcription_create_params")
    assert {"speed", "model", "input", "voice", "response_format"} <= set(speech.SpeechCreateParams.__annotations__)
    known = set(transcription.TranscriptionCreateParamsBase.__annotations__)
    assert {"file", "language", "model", "response_format"} <= known
