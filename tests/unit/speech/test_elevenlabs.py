"""ElevenLabs over a real connection."""

from __future__ import annotations

import pytest

from mastra.errors import SpeechError
from mastra.ports.speech import Speaker
from mastra.server.multipart import Upload, parse_form
from mastra.speech.elevenlabs import ElevenLabs, Scribe, make_elevenlabs
from mastra.testing.fault_server import FaultServer, Reply

JSON = {"content-type": "application/json"}


def test_the_name_of_a_model_says_what_it_does():
    assert isinstance(make_elevenlabs("scribe_v1"), Scribe)
    assert isinstance(make_elevenlabs("eleven_flash_v2_5"), ElevenLabs)


@pytest.mark.parametrize(
    ("format", "kind"),
    [("mp3_44100_128", "audio/mpeg"), ("pcm_16000", "audio/pcm;rate=16000"), ("opus_48000_64", "audio/ogg")],
)
async def test_sound_is_streamed(format, kind):
    async with FaultServer(Reply(headers={"content-type": "audio/mpeg"}, pieces=[b"a", b"b"])) as server:
        voice = make_elevenlabs("eleven_flash_v2_5", url=server.url, api_key="k", format=format)
        assert voice.media_type == kind
        assert b"".join([piece async for piece in voice.speak("Hi.", speaker="a/b", language_code="en")]) == b"ab"
        (request,) = server.requests
        assert request.path == f"/v1/text-to-speech/a%2Fb/stream?output_format={format}"
        assert request.headers["xi-api-key"] == "k"
        assert "authorization" not in request.headers
        assert request.json() == {"language_code": "en", "text": "Hi.", "model_id": "eleven_flash_v2_5"}
        await voice.close()


async def test_recordings_are_heard():
    async with FaultServer(Reply(headers=JSON, pieces=[b'{"language_code": "en", "text": "Hello."}'])) as server:
        voice = make_elevenlabs("scribe_v1", url=server.url, api_key="k")
        assert await voice.transcribe(b"OggS", media_type="audio/ogg", diarize=False) == "Hello."
        (request,) = server.requests
        assert request.path == "/v1/speech-to-text"
        form = parse_form(request.body, request.headers["content-type"])
        assert form == {"diarize": "false", "model_id": "scribe_v1", "file": Upload(b"OggS", "audio/ogg", "audio.ogg")}
        await voice.close()


async def test_the_voices_of_the_account_are_listed():
    body = b'{"voices": [{"voice_id": "v1", "name": "Ada", "labels": {"accent": "british"}, "samples": null}]}'
    async with FaultServer(
        Reply(headers=JSON, pieces=[body]), Reply(headers=JSON, pieces=[b'{"voices": [1]}'])
    ) as server:
        voice = make_elevenlabs("eleven_v3", url=server.url, api_key="k")
        assert await voice.speakers() == [Speaker("v1", {"name": "Ada", "labels": {"accent": "british"}})]
        assert (server.requests[0].method, server.requests[0].path) == ("GET", "/v1/voices")
        with pytest.raises(SpeechError):
            await voice.speakers()
        await voice.close()
