"""What every speech adapter checks, and the form in which recordings travel."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, InvalidInput, SpeechError, near_miss

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from mastra.providers.endpoint import JsonEndpoint
    from mastra.providers.transport import Exchange

# What a recording is called: some vendors tell its form by the ending.
_ENDINGS = {
    "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3",
    "audio/mp4": "mp4", "audio/m4a": "m4a", "audio/x-m4a": "m4a", "audio/ogg": "ogg", "audio/opus": "ogg",
    "audio/flac": "flac", "audio/webm": "webm", "video/webm": "webm",
}  # fmt: skip


def check_text(text: Any, most: int) -> str:
    """Words that can be spoken, or a typed error before anything is sent or paid for."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("There is nothing to speak.", hint="Give a text.")
    if len(text) > most:
        raise InvalidInput(f"The text has {len(text)} characters; at most {most} can be spoken at once.")
    return text


def check_audio(audio: Any, most: int) -> bytes:
    """A recording that can be heard."""
    if not isinstance(audio, bytes | bytearray | memoryview) or not len(audio):
        raise InvalidInput("There is nothing to hear.", hint="Give the bytes of a recording.")
    if len(audio) > most:
        raise InvalidInput(f"The recording has {len(audio)} bytes; at most {most} are taken.")
    return bytes(audio)


def pick_form(forms: Mapping[str, str], name: str) -> str:
    """The media type of a form of sound by its vendor's name for it."""
    if name not in forms:
        raise BadDefinition(f"There is no form of sound {name!r}.", hint=near_miss(name, forms) or "")
    return forms[name]


def form_of(audio: bytes, media_type: str, fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """A recording and its fields as `multipart/form-data`: the body and its content type."""
    boundary = f"mastra-{secrets.token_hex(16)}"
    plain = media_type.partition(";")[0].strip().lower()
    if not plain.isascii() or not plain.isprintable() or "/" not in plain:
        raise InvalidInput(f"{media_type[:80]!r} is no media type.", hint='Write one like "audio/wav".')
    parts = []
    for name, value in fields.items():
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        parts.append(f'--{boundary}\r\ncontent-disposition: form-data; name="{_name(name)}"\r\n\r\n{text}\r\n'.encode())
    head = f'content-disposition: form-data; name="file"; filename="audio.{_ENDINGS.get(plain, "wav")}"'
    parts.append(f"--{boundary}\r\n{head}\r\ncontent-type: {plain}\r\n\r\n".encode())
    return b"".join([*parts, audio, f"\r\n--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _name(name: str) -> str:
    if not name.isidentifier():
        raise InvalidInput(f"{name[:80]!r} is no name of an option.")
    return name


async def sound_of(endpoint: JsonEndpoint, exchange: Exchange) -> AsyncGenerator[bytes, None]:
    """The sound of an answer as it comes; an answer without any is an error."""
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    heard = False
    chunks = exchange.chunks()
    try:
        if kind and not kind.startswith("audio/") and kind != "application/octet-stream":
            raise SpeechError(f"{endpoint.provider} answered with {kind} instead of sound.", adapter=endpoint.provider)
        async for chunk in chunks:
            if chunk:
                heard = True
                yield chunk
        if not heard:
            raise SpeechError(f"{endpoint.provider} answered without any sound.", adapter=endpoint.provider)
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]  # an async generator
        await exchange.close()


def words_in(endpoint: JsonEndpoint, found: Any) -> str:
    """The words that an answer holds; an answer without the field for them is an error."""
    if not isinstance(found, str):
        raise SpeechError(f"{endpoint.provider} answered without a transcript.", adapter=endpoint.provider)
    return found.strip()
