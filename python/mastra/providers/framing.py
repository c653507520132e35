"""Cuts the bytes of an answer into frames: server-sent events, lines of JSON, or AWS's event-stream messages.

A framing yields what came whole before a fault and raises the fault at the next call, so that what is read never
depends on how the bytes were cut on their way.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from mastra.errors import NativeInvalidEncoding, NativeLimit, ResponseMalformed
from mastra.native.sse import NdjsonParser, SseParser


class Frame(NamedTuple):
    """One unit of a stream: its kind where the protocol names one, and its body."""

    event: str
    data: str | bytes


class Framing(Protocol):
    """What turns bytes into frames; one for each answer."""

    def feed(self, chunk: bytes) -> Sequence[Any]:
        """The frames that `chunk` completes; each has `event` and `data`."""
        ...

    def close(self) -> Sequence[Any]:
        """The end of the bytes: the last frame if one is still there; raises what is left to raise."""
        ...

    @property
    def incomplete(self) -> bool:
        """The bytes ended in the middle of a frame."""
        ...


class SseFraming:
    """Server-sent events."""

    content_types = ("text/event-stream",)

    def __init__(self, provider: str, max_event_bytes: int) -> None:
        self._parser = SseParser(max_line_bytes=max_event_bytes, max_event_bytes=max_event_bytes)
        self._provider = provider

    def feed(self, chunk: bytes) -> Sequence[Any]:
        """The events that `chunk` completes."""
        try:
            return self._parser.feed(chunk)
        except (NativeInvalidEncoding, NativeLimit) as error:
            raise _malformed(self._provider, error) from error

    def close(self) -> Sequence[Any]:
        """Raises what is left to raise; an event without its empty line does not count."""
        try:
            self._parser.close()
        except (NativeInvalidEncoding, NativeLimit) as error:
            raise _malformed(self._provider, error) from error
        return ()

    @property
    def incomplete(self) -> bool:
        """The bytes ended in the middle of an event."""
        return self._parser.incomplete


class LineFraming:
    """One JSON text on each line."""

    content_types = ("application/x-ndjson", "application/jsonl", "application/json", "text/plain")

    def __init__(self, provider: str, max_event_bytes: int) -> None:
        self._parser = NdjsonParser(max_record_bytes=max_event_bytes)
        self._provider = provider

    def feed(self, chunk: bytes) -> Sequence[Any]:
        """The lines that `chunk` completes."""
        try:
            return [Frame("", line) for line in self._parser.feed(chunk)]
        except (NativeInvalidEncoding, NativeLimit) as error:
            raise _malformed(self._provider, error) from error

    def close(self) -> Sequence[Any]:
        """The last line, which need not end."""
        try:
            return [Frame("", line) for line in self._parser.close()]
        except (NativeInvalidEncoding, NativeLimit) as error:
            raise _malformed(self._provider, error) from error

    @property
    def incomplete(self) -> bool:
        """The bytes ended in the middle of a line."""
        return self._parser.incomplete


_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
# Lengths of the header values that have a fixed one, by their type.
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_STRING, _BYTES = 7, 6
_OVERHEAD = 16


class EventStreamFraming:
    """AWS's event-stream: length-prefixed messages whose headers and bodies carry checksums."""

    content_types = ("application/vnd.amazon.eventstream",)

    def __init__(self, provider: str, max_event_bytes: int) -> None:
        self._buffer = bytearray()
        self._provider = provider
        self._most = max_event_bytes
        self._failure: ResponseMalformed | None = None

    def feed(self, chunk: bytes) -> Sequence[Any]:
        """The messages that `chunk` completes."""
        if self._failure is not None:
            raise self._failure
        buffer = self._buffer
        buffer += chunk
        frames: list[Frame] = []
        at = 0
        try:
            while len(buffer) - at >= _PRELUDE.size:
                length, head, crc = _PRELUDE.unpack_from(buffer, at)
                if zlib.crc32(buffer[at : at + 8]) != crc:
                    self._refuse("a checksum is wrong")
                if length > self._most or length < _OVERHEAD + head:
                    self._refuse(f"a message claims {length} bytes")
                if len(buffer) - at < length:
                    break
                frames.append(self._frame(bytes(buffer[at : at + length]), head))
                at += length
        except ResponseMalformed as error:
            self._failure = error
            if not frames:
                raise
        del buffer[:at]
        return frames

    def _frame(self, message: bytes, head: int) -> Frame:
        if zlib.crc32(message[:-4]) != _CRC.unpack(message[-4:])[0]:
            self._refuse("a checksum is wrong")
        headers = self._headers(message[_PRELUDE.size : _PRELUDE.size + head])
        kind = headers.get(":message-type", "event")
        if kind == "event":
            event = headers.get(":event-type", "")
        else:
            event = "!" + (headers.get(":exception-type") or headers.get(":error-code") or kind)
        return Frame(event, message[_PRELUDE.size + head : -4])

    def _headers(self, raw: bytes) -> dict[str, str]:
        out: dict[str, str] = {}
        at = 0
        try:
            while at < len(raw):
                size = raw[at]
                name = raw[at + 1 : at + 1 + size].decode()
                at += 1 + size
                kind = raw[at]
                at += 1
                if kind in (_STRING, _BYTES):
                    (size,) = struct.unpack_from(">H", raw, at)
                    at += 2
                    if kind == _STRING:
                        out[name] = raw[at : at + size].decode()
                else:
                    size = _FIXED[kind]
                at += size
        except (IndexError, KeyError, struct.error, UnicodeDecodeError):
            self._refuse("its headers cannot be read")
        if at != len(raw):
            self._refuse("its headers cannot be read")
        return out

    def _refuse(self, why: str) -> None:
        raise ResponseMalformed(f"{self._provider} sent a damaged event stream: {why}.", adapter=self._provider)

    def close(self) -> Sequence[Any]:
        """Raises what is left to raise."""
        if self._failure is not None:
            raise self._failure
        return ()

    @property
    def incomplete(self) -> bool:
        """The bytes ended in the middle of a message."""
        return bool(self._buffer)


def _malformed(provider: str, error: Exception) -> ResponseMalformed:
    what = "bytes that are not UTF-8" if isinstance(error, NativeInvalidEncoding) else "more than may be in one event"
    return ResponseMalformed(f"{provider} sent {what}.", adapter=provider)
