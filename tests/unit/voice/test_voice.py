"""A voice of parts: each does its own, what is missing is said, failures that pass are tried again."""

from __future__ import annotations

import json

import pytest

from mastra.errors import BadDefinition, InvalidInput, UnknownAdapter, Unsupported
from mastra.ports.speech import LiveVoice, Speaker, Synthesizer, Transcriber
from mastra.runtime.models import configure_provider
from mastra.runtime.resilience import Resilience
from mastra.runtime.retries import RetryPolicy
from mastra.speech.elevenlabs import ElevenLabs
from mastra.speech.openai import OpenAITranscriber
from mastra.testing.fault_server import FaultServer, Reply
from mastra.voice.voice import Voice, form_of, make_voice

MP3 = {"content-type": "audio/mpeg"}


class Echo(Synthesizer):
    """Speaks the letters of the text."""

    async def speak(self, text, *, speaker=None, **options):
        for letter in text:
            yield letter.encode()
        if speaker:
            yield speaker.encode()

    async def speakers(self):
        return [Speaker("v1", {"name": "Voice One"})]


class Ear(Transcriber):
    async def transcribe(self, audio, *, media_type="audio/wav", **options):
        return f"{media_type}:{audio.decode('latin-1')}"


async def heard(sound):
    return b"".join([piece async for piece in sound])


async def test_one_vendor_hears_and_another_speaks():
    said = Reply(headers=MP3, pieces=[b"ID3..."])
    words = Reply(pieces=[json.dumps({"text": "Good morning."}).encode()])
    async with FaultServer(said) as mouth, FaultServer(words) as ear:
        voice = Voice(
            output={"id": "elevenlabs/eleven_flash_v2_5", "url": mouth.url, "api_key": "a"},
            input={"id": "openai/whisper-1", "url": ear.url, "api_key": "b"},
            speaker="ada",
        )
        assert voice.can_hear
        assert voice.can_speak
        assert not voice.can_converse
        sound = await heard(voice.speak("Good morning."))
        assert await voice.listen(sound) == "Good morning."
        assert "/ada/" in mouth.requests[0].path
        assert b"audio/mpeg" in ear.requests[0].body
        await voice.close()


async def test_text_in_pieces_is_spoken_while_it_is_written():
    spoken: list[bytes] = []
    voice = Voice(output=Echo())

    async def written():
        yield "The first sentence is here. "
        yield "And "
        assert b"".join(spoken) == b"The first sentence is here."
        yield "this is the second one."

    async for piece in voice.speak(written()):
        spoken.append(piece)  # noqa: PERF401 - the text looks at it meanwhile
    assert b"".join(spoken) == b"The first sentence is here.And this is the second one."


async def test_sound_that_cannot_be_joined_is_not():
    echo = Echo()
    echo.media_type = "audio/wav"

    async def written():
        yield "Two sentences are here. They need two files."

    with pytest.raises(Unsupported, match="joined"):
        await heard(Voice(output=echo).speak(written()))
    with pytest.raises(InvalidInput):
        await heard(Voice(output=Echo()).speak(3))


async def test_a_recording_may_come_in_pieces_and_tells_its_form():
    async def pieces():
        yield b"fLaC"
        yield b"1"

    voice = Voice(input=Ear())
    assert await voice.listen(pieces()) == "audio/flac:fLaC1"
    assert await voice.listen(b"x", media_type="audio/opus") == "audio/opus:x"
    assert await voice.listen(bytearray(b"x")) == "audio/wav:x"
    with pytest.raises(InvalidInput):
        await voice.listen("a path?")


@pytest.mark.parametrize(
    ("begin", "kind"),
    [(b"RIFF....WAVE", "audio/wav"), (b"ID3", "audio/mpeg"), (b"\xff\xfb", "audio/mpeg"), (b"OggS", "audio/ogg"),
     (b"\x1aE\xdf\xa3", "audio/webm"), (b"\0\0\0\x20ftypM4A ", "audio/mp4"), (b"", "audio/wav")],
)  # fmt: skip
def test_a_recording_is_told_by_its_first_bytes(begin, kind):
    assert form_of(begin) == kind


async def test_a_failure_that_passes_is_tried_again_before_the_first_sound_and_not_after():
    configure_provider("elevenlabs", Resilience(policy=RetryPolicy(first_wait_s=0.001)))
    busy = Reply(status=503, pieces=[b"busy"])
    cut = Reply(headers=MP3, pieces=[b"a" * 10], end="cut")
    async with FaultServer(busy, Reply(headers=MP3, pieces=[b"sound"]), cut) as server:
        voice = Voice(output={"id": "elevenlabs/eleven_v3", "url": server.url, "api_key": "k"})
        assert await heard(voice.speak("Hi.")) == b"sound"
        assert len(server.requests) == 2
        with pytest.raises(Exception, match=r"broke|closed|ended|lost"):
            await heard(voice.speak("Hi."))
        assert len(server.requests) == 3
        await voice.close()
    configure_provider("elevenlabs", Resilience())


async def test_what_a_voice_cannot_do_is_said():
    with pytest.raises(Unsupported, match="cannot speak") as refused:
        await heard(Voice(input=Ear()).speak("Hi."))
    assert refused.value.hint == 'Give it output="vendor/model".'
    with pytest.raises(Unsupported, match="cannot hear"):
        await Voice(output=Echo()).listen(b"x")
    with pytest.raises(Unsupported, match="cannot hold a live conversation"):
        await Voice(output=Echo()).connect().__aenter__()


def test_a_voice_is_read_from_what_users_write():
    assert make_voice("openai/whisper-1").can_hear
    assert make_voice("openai/gpt-realtime").can_converse
    assert make_voice({"output": "deepgram/aura-2-thalia-en", "speaker": "luna"}).speaker == "luna"
    assert make_voice(Echo()).can_speak
    voice = Voice(input=Ear())
    assert make_voice(voice) is voice
    assert isinstance(make_voice({"id": "elevenlabs/x", "api_key": "k"})._part("output"), ElevenLabs)
    named = make_voice({"id": "myown/whisper-large", "url": "http://127.0.0.1:9"})._part("input")
    assert isinstance(named, OpenAITranscriber)
    assert named.provider == "myown"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Voice, BadDefinition),
        (3, BadDefinition),
        ("no-slash", BadDefinition),
        ("openay/whisper-1", UnknownAdapter),
        ({"outpt": "openai/tts-1"}, BadDefinition),
        ({"output": 3}, BadDefinition),
        ({"input": Echo()}, BadDefinition),
        ({}, BadDefinition),
    ],
)
def test_what_is_no_voice_is_refused_where_it_is_declared(wrong, error):
    with pytest.raises(error):
        make_voice(wrong)


async def test_a_model_in_the_wrong_place_is_named():
    with pytest.raises(BadDefinition, match="cannot be the input"):
        await Voice(input="openai/tts-1").listen(b"x")


async def test_the_voices_are_those_of_the_one_who_speaks():
    assert await Voice(output=Echo(), input=Ear()).speakers() == [{"voiceId": "v1", "name": "Voice One"}]
    assert await Voice(input=Ear()).speakers() == []
    live = await Voice(live="openai/gpt-realtime").speakers()
    assert {"voiceId": "marin", "name": "Marin"} in live
    assert isinstance(make_voice("openai/gpt-realtime")._part("live"), LiveVoice)
