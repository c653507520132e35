"""The ports to speech: from sound to text, from text to sound, and a conversation that does both at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from mastra.types.model import ToolSpec


class Speaker(NamedTuple):
    """A voice that can be chosen."""

    voice_id: str
    details: dict[str, Any]


class Transcriber(ABC):
    """Hears."""

    provider: str = ""
    model_id: str = ""

    @abstractmethod
    async def transcribe(self, audio: bytes, *, media_type: str = "audio/wav", **options: Any) -> str:
        """The words in `audio`; empty when there are none. Raises `SpeechError` or a `ModelError`."""

    async def close(self) -> None:
        """Give back connections, where there are any."""
        return


class Synthesizer(ABC):
    """Speaks."""

    provider: str = ""
    model_id: str = ""
    # What the sound is.
    media_type: str = "audio/mpeg"

    @abstractmethod
    def speak(self, text: str, *, speaker: str | None = None, **options: Any) -> AsyncGenerator[bytes, None]:
        """Sound as it is made. Raises `SpeechError` or a `ModelError`."""

    async def speakers(self) -> list[Speaker]:
        """The voices there are."""
        return []

    async def close(self) -> None:
        """Give back connections, where there are any."""
        return


class LiveEvent(NamedTuple):
    """Something that happened in a live conversation.

    `speaking`: `audio` of the answer. `writing`: `text` that the person (role `user`) or the model (`assistant`) said,
    as it comes; with `done`, the whole of it. `interrupted`: the person has begun to speak. `tool-call`: `data` is a
    `ToolCall`. `tool-result`: `data` is what a tool answered. `answered`: the model has said all it had to say.
    `error`: `text` tells what the provider refused; the conversation goes on.
    """

    type: Literal["speaking", "writing", "interrupted", "tool-call", "tool-result", "answered", "error"]
    audio: bytes = b""
    text: str = ""
    role: Literal["user", "assistant", ""] = ""
    done: bool = False
    data: Any = None


class LiveSession(ABC):
    """One live conversation. Iterate it for its events; it ends when it is closed or the connection is lost."""

    @abstractmethod
    async def send(self, audio: bytes) -> None:
        """Sound of the person, as it comes; the provider tells when they have finished."""

    @abstractmethod
    async def say(self, text: str) -> None:
        """Written words of the person, which ask for an answer."""

    @abstractmethod
    async def answer_call(self, call_id: str, output: str) -> None:
        """What a tool answered."""

    @abstractmethod
    async def ask(self) -> None:
        """Ask for an answer now, to what was sent and to the results of tools."""

    @abstractmethod
    def events(self) -> AsyncIterator[LiveEvent]:
        """What happens, until the end. Raises a `ModelError` when the connection is lost."""

    @abstractmethod
    async def close(self) -> None:
        """End the conversation. Idempotent."""


class LiveVoice(ABC):
    """Hears and speaks at the same time, with a model of its own behind it."""

    provider: str = ""
    model_id: str = ""
    # What goes in and comes out.
    media_type: str = "audio/pcm;rate=24000"

    @abstractmethod
    async def connect(
        self, *, instructions: str = "", tools: Sequence[ToolSpec] = (), speaker: str | None = None, **options: Any
    ) -> LiveSession:
        """Begin a conversation. Raises a `ModelError`."""

    async def speakers(self) -> list[Speaker]:
        """The voices there are."""
        return []
