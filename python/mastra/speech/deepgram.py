"""Deepgram: Aura speaks, Nova hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urlencode

from mastra.ports.speech import Speaker, Synthesizer, Transcriber
from mastra.providers.endpoint import EndpointAdapter
from mastra.speech.checks import check_audio, check_text, pick_form, sound_of, words_in
from mastra.types.json import dumps

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from mastra.providers.endpoint import EndpointOptions

MOST_CHARS = 2000
MOST_BYTES = 1 << 30
FORMS = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac", "aac": "audio/aac", "mulaw": "audio/basic",
    "linear16": "audio/wav",
}  # fmt: skip
# Names of Aura's second generation in English; a speaker is the rest of a model's name.
SPEAKERS = ("thalia", "andromeda", "helena", "apollo", "arcas", "aries", "asteria", "athena", "hera", "luna", "orion",
            "orpheus", "zeus")  # fmt: skip


def make_deepgram(model_id: str, **options: Any) -> Transcriber | Synthesizer:
    """What the name of a model stands for: `aura...` speaks, all others hear."""
    return Aura(model_id, **options) if model_id.startswith("aura") else Nova(model_id, **options)


def _query(model_id: str, options: Mapping[str, Any]) -> str:
    return urlencode(
        {key: str(value).lower() if isinstance(value, bool) else value for key, value in options.items()}
        | {"model": model_id}
    )


class Deepgram(EndpointAdapter):
    """Where Deepgram is, and how it wants its key."""

    vendor = "deepgram"
    home = "https://api.deepgram.com"
    key_env = ("DEEPGRAM_API_KEY",)
    key_scheme = "Token"


class Aura(Deepgram, Synthesizer):
    """Speaks; options go into the query (`sample_rate`, `bit_rate`)."""

    def __init__(self, model_id: str, *, format: str = "mp3", **options: Unpack[EndpointOptions]) -> None:
        super().__init__(model_id, **options)
        self.media_type = pick_form(FORMS, format)
        self._format = format

    async def speak(self, text: str, *, speaker: str | None = None, **options: Any) -> AsyncGenerator[bytes, None]:
        """Sound as it is made. `speaker` is a voice of the same generation, or the whole name of a model."""
        body = {"text": check_text(text, MOST_CHARS)}
        path = f"/v1/speak?{_query(self._model_of(speaker), {**options, 'encoding': self._format})}"
        exchange, _ = await self.endpoint.send(path, dumps(body).encode(), accept="*/*")
        async for piece in sound_of(self.endpoint, exchange):
            yield piece

    def _model_of(self, speaker: str | None) -> str:
        if speaker is None or speaker.startswith("aura"):
            return speaker or self.model_id
        generation, _, tongue = self.model_id.rpartition("-")
        return f"{generation.rpartition('-')[0]}-{speaker}-{tongue}"

    async def speakers(self) -> list[Speaker]:
        """The voices of Aura 2 in English."""
        return [Speaker(name, {"name": name.title(), "language": "en"}) for name in SPEAKERS]


class Nova(Deepgram, Transcriber):
    """Hears; options go into the query (`language`, `diarize`)."""

    async def transcribe(self, audio: bytes, *, media_type: str = "audio/wav", **options: Any) -> str:
        """The words in `audio`."""
        path = f"/v1/listen?{_query(self.model_id, {'smart_format': True, **options})}"
        answer = await self.endpoint.ask_with(path, check_audio(audio, MOST_BYTES), content_type=media_type)
        try:
            found = answer["results"]["channels"][0]["alternatives"][0]["transcript"]
        except (KeyError, IndexError, TypeError):
            found = None
        return words_in(self.endpoint, found)
