"""ElevenLabs: text to speech as a stream, its voices, and Scribe, which hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote

from mastra.errors import SpeechError
from mastra.ports.speech import Speaker, Synthesizer, Transcriber
from mastra.providers.endpoint import EndpointAdapter
from mastra.speech.checks import check_audio, check_text, form_of, sound_of, words_in
from mastra.types.json import dumps

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mastra.providers.endpoint import EndpointOptions

# The voice of those who name none: one that every account has.
SPEAKER = "21m00Tcm4TlvDq8ikWAM"
MOST_CHARS = 40_000
MOST_BYTES = 1 << 30
_TYPES = {"mp3": "audio/mpeg", "pcm": "audio/pcm", "ulaw": "audio/basic", "opus": "audio/ogg"}


def make_elevenlabs(model_id: str, **options: Any) -> Transcriber | Synthesizer:
    """What the name of a model stands for: `scribe...` hears, all others speak."""
    return Scribe(model_id, **options) if model_id.startswith("scribe") else ElevenLabs(model_id, **options)


class Eleven(EndpointAdapter):
    """Where ElevenLabs is, and how it wants its key."""

    vendor = "elevenlabs"
    home = "https://api.elevenlabs.io"
    key_env = ("ELEVENLABS_API_KEY",)
    key_header = "xi-api-key"


class ElevenLabs(Eleven, Synthesizer):
    """Speaks; options go into the request (`voice_settings`, `language_code`)."""

    def __init__(self, model_id: str, *, format: str = "mp3_44100_128", **options: Unpack[EndpointOptions]) -> None:
        super().__init__(model_id, **options)
        self._format = format
        kind, _, rest = format.partition("_")
        self.media_type = _TYPES.get(kind, "application/octet-stream")
        if kind == "pcm":
            self.media_type += f";rate={rest}"

    async def speak(self, text: str, *, speaker: str | None = None, **options: Any) -> AsyncGenerator[bytes, None]:
        """Sound as it is made."""
        body = {**options, "text": check_text(text, MOST_CHARS), "model_id": self.model_id}
        path = f"/v1/text-to-speech/{quote(speaker or SPEAKER, safe='')}/stream?output_format={quote(self._format)}"
        exchange, _ = await self.endpoint.send(path, dumps(body).encode(), accept="*/*")
        async for piece in sound_of(self.endpoint, exchange):
            yield piece

    async def speakers(self) -> list[Speaker]:
        """The voices of the account."""
        answer = await self.endpoint.ask_with("/v1/voices", b"", method="GET")
        voices = answer.get("voices")
        if not isinstance(voices, list) or not all(isinstance(one, dict) and "voice_id" in one for one in voices):
            raise SpeechError("elevenlabs answered without its voices.", adapter="elevenlabs")
        shown = ("name", "category", "description", "labels", "preview_url")
        return [Speaker(str(one["voice_id"]), {key: one[key] for key in shown if one.get(key)}) for one in voices]


class Scribe(Eleven, Transcriber):
    """Hears; options go into the form (`language_code`, `diarize`)."""

    async def transcribe(self, audio: bytes, *, media_type: str = "audio/wav", **options: Any) -> str:
        """The words in `audio`."""
        fields = {**options, "model_id": self.model_id}
        content, kind = form_of(check_audio(audio, MOST_BYTES), media_type, fields)
        answer = await self.endpoint.ask_with("/v1/speech-to-text", content, content_type=kind)
        return words_in(self.endpoint, answer.get("text"))
