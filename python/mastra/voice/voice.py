"""Voice: what an agent hears with, speaks with, and converses with; each may be of another vendor."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mastra import registry
from mastra.errors import BadDefinition, InvalidInput, UnknownAdapter, Unsupported, near_miss
from mastra.ports.speech import LiveSession, LiveVoice, Speaker, Synthesizer, Transcriber
from mastra.runtime.breaker import CircuitBreaker
from mastra.runtime.models import read_endpoint, resilience_of, split_spec

if TYPE_CHECKING:
    from mastra.types.model import ToolSpec

_GROUP = "mastra.speech"
_PARTS = {"input": Transcriber, "output": Synthesizer, "live": LiveVoice}
_FIELDS = ("input", "output", "live", "speaker")
_ENDPOINT = {name: name for name in ("id", "url", "api_key", "headers", "http", "format")} | {"apiKey": "api_key"}
# Files of these kinds begin with a head that counts what follows: two of them do not make one.
_WHOLE = ("audio/wav", "audio/flac", "audio/ogg")


class Voice:
    """Hears with `input`, speaks with `output`, converses with `live`.

    Each is `"vendor/model"`, a mapping `{"id", "url", "api_key", "headers", "format"}`, or an object of its port.
    `speaker` is the voice that is taken where a call names none.
    """

    def __init__(self, *, input: Any = None, output: Any = None, live: Any = None, speaker: str | None = None) -> None:
        given = {"input": input, "output": output, "live": live}
        if all(one is None for one in given.values()):
            raise BadDefinition("A voice that neither hears nor speaks.", hint="Give input=, output= or live=.")
        for name, one in given.items():
            if one is not None:
                _check(name, one)
        self.speaker = speaker
        self._specs = given
        self._made: dict[str, Any] = {}
        self._breakers: dict[str, CircuitBreaker] = {}

    def __repr__(self) -> str:
        return f"Voice({', '.join(name for name, one in self._specs.items() if one is not None)})"

    # ------------------------------------------------------------ parts

    @property
    def can_hear(self) -> bool:
        """Whether recordings can be heard."""
        return self._specs["input"] is not None

    @property
    def can_speak(self) -> bool:
        """Whether texts can be spoken."""
        return self._specs["output"] is not None

    @property
    def can_converse(self) -> bool:
        """Whether a live conversation can be held."""
        return self._specs["live"] is not None

    @property
    def media_type(self) -> str:
        """What the sound is that `speak` gives."""
        speaks: Synthesizer = self._part("output")
        return speaks.media_type

    def _part(self, name: str) -> Any:
        made = self._made.get(name)
        if made is None:
            spec = self._specs[name]
            if spec is None:
                wanted = {"input": "hear", "output": "speak", "live": "hold a live conversation"}[name]
                raise Unsupported(f"This voice cannot {wanted}.", hint=f'Give it {name}="vendor/model".')
            made = self._made[name] = make_part(spec)
        port = _PARTS[name]
        if not isinstance(made, port):
            raise BadDefinition(
                f"{made.provider}/{made.model_id} cannot be the {name} of a voice.",
                hint=f"It is a {type(made).__name__}; {name} needs a {port.__name__}.",
            )
        return made

    # ------------------------------------------------------------ one after the other

    async def listen(
        self, audio: bytes | AsyncIterable[bytes], *, media_type: str | None = None, **options: Any
    ) -> str:
        """The words in a recording, whole or in pieces; its form is told by its first bytes unless it is named."""
        part: Transcriber = self._part("input")
        whole = audio if isinstance(audio, bytes) else await _gathered(audio)
        kind = media_type or form_of(whole)
        resilience = resilience_of(part.provider)
        return await resilience.call(
            lambda: part.transcribe(whole, media_type=kind, **options), breaker=self._breaker(part)
        )

    async def speak(
        self, text: str | AsyncIterable[str], *, speaker: str | None = None, **options: Any
    ) -> AsyncGenerator[bytes, None]:
        """Sound as it is made. Text that comes in pieces is spoken sentence by sentence, while the rest is written."""
        part: Synthesizer = self._part("output")
        if isinstance(text, str):
            async for piece in self._spoken(part, text, speaker, options):
                yield piece
            return
        if not isinstance(text, AsyncIterable):
            raise InvalidInput("What is spoken is a text, or one that comes in pieces.", hint="Give a str.")
        if part.media_type.startswith(_WHOLE):
            raise Unsupported(
                f"Sound as {part.media_type} cannot be joined.", hint='Speak it as "mp3" or "pcm" (format=).'
            )
        from mastra.voice.sentences import sentences  # noqa: PLC0415 - only texts in pieces need it

        async for sentence in sentences(text):
            async for piece in self._spoken(part, sentence, speaker, options):
                yield piece

    async def _spoken(
        self, part: Synthesizer, text: str, speaker: str | None, options: Mapping[str, Any]
    ) -> AsyncGenerator[bytes, None]:
        """The sound of one text; the question is asked again only until the first of it is there."""

        async def begin() -> tuple[AsyncGenerator[bytes, None], bytes]:
            sound = part.speak(text, speaker=speaker or self.speaker, **options)
            try:
                return sound, await anext(sound)
            except StopAsyncIteration:
                return sound, b""
            except BaseException:
                await sound.aclose()
                raise

        sound, first = await resilience_of(part.provider).call(begin, breaker=self._breaker(part))
        try:
            if first:
                yield first
            async for piece in sound:
                yield piece
        finally:
            await sound.aclose()

    def _breaker(self, part: Any) -> CircuitBreaker:
        name = f"{part.provider}/{part.model_id}"
        return self._breakers.setdefault(name, CircuitBreaker(name))

    async def speakers(self) -> list[dict[str, Any]]:
        """The voices there are: {"voiceId": ..., and what the vendor says of it}."""
        found: list[Speaker] = []
        if self.can_speak:
            found = await self._part("output").speakers()
        elif self.can_converse:
            found = await self._part("live").speakers()
        return [{"voiceId": one.voice_id, **one.details} for one in found]

    # ------------------------------------------------------------ at the same time

    @asynccontextmanager
    async def connect(
        self, *, instructions: str = "", tools: Sequence[ToolSpec] = (), speaker: str | None = None, **options: Any
    ) -> AsyncIterator[LiveSession]:
        """A live conversation, ended when the block is left."""
        part: LiveVoice = self._part("live")
        session = await part.connect(instructions=instructions, tools=tools, speaker=speaker or self.speaker, **options)
        try:
            yield session
        finally:
            await session.close()

    async def close(self) -> None:
        """Give back the connections of the parts that were used."""
        for name in ("input", "output"):
            made = self._made.pop(name, None)
            if made is not None:
                await made.close()


def make_voice(given: Any) -> Voice:
    """A voice from what a user writes: a `Voice`, one part, or a mapping of parts and the speaker."""
    if isinstance(given, Voice):
        return given
    if isinstance(given, Mapping) and "id" not in given:
        unknown = [name for name in given if name not in _FIELDS]
        if unknown:
            raise BadDefinition(f"A voice has no {unknown[0]!r}.", hint=near_miss(str(unknown[0]), _FIELDS))
        return Voice(**given)
    part = make_part(given)
    if isinstance(part, Transcriber):
        return Voice(input=part)
    if isinstance(part, Synthesizer):
        return Voice(output=part)
    if isinstance(part, LiveVoice):
        return Voice(live=part)
    raise BadDefinition(f"A {type(given).__name__} is no voice.", hint="Use Voice(input=..., output=...).")


def make_part(spec: Any) -> Any:
    """What hears, speaks or converses, from its name, its endpoint or itself."""
    if isinstance(spec, str):
        provider, model_id = split_spec(spec)
        options: dict[str, Any] = {}
    elif isinstance(spec, Mapping):
        provider, model_id, options = read_endpoint(spec, _ENDPOINT)
    else:
        return spec
    names = registry.names(_GROUP)
    if provider not in names:
        if "url" not in options:
            raise UnknownAdapter(
                f"There is no speech provider called {provider!r}.",
                hint=near_miss(provider, names) or f"Known: {', '.join(names)}. With a url, any that is like OpenAI's.",
                details={"group": _GROUP, "name": provider},
            )
        options["provider"], provider = provider, "openai"
    return registry.find(_GROUP, provider)(model_id, **options)


def _check(name: str, spec: Any) -> None:
    if isinstance(spec, str):
        split_spec(spec)
    elif isinstance(spec, Mapping):
        read_endpoint(spec, _ENDPOINT)
    elif not isinstance(spec, _PARTS[name]):
        raise BadDefinition(
            f"The {name} of a voice cannot be a {type(spec).__name__}.",
            hint=f'Use "vendor/model" or a {_PARTS[name].__name__}.',
        )


async def _gathered(pieces: Any) -> bytes:
    if isinstance(pieces, bytearray | memoryview):
        return bytes(pieces)
    if not isinstance(pieces, AsyncIterable):
        raise InvalidInput("A recording is bytes, or comes in pieces of bytes.", hint="Open files with 'rb'.")
    return b"".join([piece async for piece in pieces])


_MAGIC = (
    (b"RIFF", "audio/wav"), (b"ID3", "audio/mpeg"), (b"\xff\xfb", "audio/mpeg"), (b"\xff\xf3", "audio/mpeg"),
    (b"OggS", "audio/ogg"), (b"fLaC", "audio/flac"), (b"\x1aE\xdf\xa3", "audio/webm"),
)  # fmt: skip


def form_of(audio: bytes) -> str:
    """The media type of a recording by its first bytes; a wave file where they tell nothing."""
    if audio[4:8] == b"ftyp":
        return "audio/mp4"
    return next((kind for magic, kind in _MAGIC if audio.startswith(magic)), "audio/wav")
