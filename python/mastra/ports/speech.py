"""The ports to speech: from sound to text and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Speaker(NamedTuple):
    """A voice that can be chosen."""

    voice_id: str
    details: dict[str, Any]


class Transcriber(ABC):
    """Hears."""

    @abstractmethod
    async def transcribe(self, audio: bytes, *, media_type: str = "audio/wav", **options: Any) -> str:
        """The words in `audio`. Raises `SpeechError`."""


class Synthesizer(ABC):
    """Speaks."""

    @abstractmethod
    def speak(self, text: str, *, speaker: str | None = None, **options: Any) -> AsyncGenerator[bytes, None]:
        """Sound as it is made. Raises `SpeechError`."""

    async def speakers(self) -> list[Speaker]:
        """The voices there are."""
        return []
