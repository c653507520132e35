"""OpenAI's speech: `/audio/speech` and `/audio/transcriptions`, and every endpoint that answers like them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mastra.ports.speech import LiveVoice, Speaker, Synthesizer, Transcriber
from mastra.providers.endpoint import EndpointAdapter
from mastra.speech.checks import check_audio, check_text, form_of, pick_form, sound_of, words_in
from mastra.speech.openai_live import KEY_ENV, SPEAKERS, OpenAILive
from mastra.types.json import dumps

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mastra.providers.endpoint import EndpointOptions

FORMS = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm;rate=24000",
}  # fmt: skip
MOST_CHARS = 4096
MOST_BYTES = 25 << 20


def make_openai(model_id: str, **options: Any) -> Transcriber | Synthesizer | LiveVoice:
    """What the name of a model stands for: one that hears, one that speaks, or one that converses."""
    if "realtime" in model_id:
        return OpenAILive(model_id, **options)
    hears = "transcribe" in model_id or "whisper" in model_id
    return OpenAITranscriber(model_id, **options) if hears else OpenAISynthesizer(model_id, **options)


class OpenAISpeech(EndpointAdapter):
    """Where OpenAI is; an endpoint of one's own may have no key at all."""

    vendor = "openai"
    home = "https://api.openai.com/v1"
    key_env = KEY_ENV

    def __init__(self, model_id: str, **options: Unpack[EndpointOptions]) -> None:
        options.setdefault("key_required", options.get("url") is None)
        super().__init__(model_id, **options)


class OpenAISynthesizer(OpenAISpeech, Synthesizer):
    """Speaks with a model of OpenAI, like `gpt-4o-mini-tts`; options go into the request (`instructions`, `speed`)."""

    def __init__(self, model_id: str, *, format: str = "mp3", **options: Unpack[EndpointOptions]) -> None:
        super().__init__(model_id, **options)
        self.media_type = pick_form(FORMS, format)
        self._format = format

    async def speak(self, text: str, *, speaker: str | None = None, **options: Any) -> AsyncGenerator[bytes, None]:
        """Sound as it is made."""
        body = {
            **options,
            "model": self.model_id,
            "input": check_text(text, MOST_CHARS),
            "voice": speaker or SPEAKERS[0],
            "response_format": self._format,
        }
        exchange, _ = await self.endpoint.send("/audio/speech", dumps(body).encode(), accept="*/*")
        async for piece in sound_of(self.endpoint, exchange):
            yield piece

    async def speakers(self) -> list[Speaker]:
        """The voices there are."""
        return [Speaker(name, {"name": name.title()}) for name in SPEAKERS]


class OpenAITranscriber(OpenAISpeech, Transcriber):
    """Hears with a model of OpenAI, like `gpt-4o-mini-transcribe`; options go into the form (`language`, `prompt`)."""

    async def transcribe(self, audio: bytes, *, media_type: str = "audio/wav", **options: Any) -> str:
        """The words in `audio`."""
        fields = {**options, "model": self.model_id, "response_format": "json"}
        content, kind = form_of(check_audio(audio, MOST_BYTES), media_type, fields)
        answer = await self.endpoint.ask_with("/audio/transcriptions", content, content_type=kind)
        return words_in(self.endpoint, answer.get("text"))
