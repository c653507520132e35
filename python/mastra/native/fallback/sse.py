"""The stream parsers in pure Python: the same events, errors and limits as the compiled ones."""

from __future__ import annotations

from mastra.errors import NativeClosed, NativeError, NativeInvalidArgument, NativeInvalidEncoding, NativeLimit
from mastra.native.events import SseEvent

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_RETRY_DIGITS = 18
JSON_SPACE = " \t\r\n"


class SseParser:
    """An incremental parser of server-sent events; one per stream."""

    def __init__(self, *, max_line_bytes: int = 16 << 20, max_event_bytes: int = 64 << 20) -> None:
        if max_line_bytes < 1 or max_event_bytes < 1:
            raise NativeInvalidArgument("max_line_bytes and max_event_bytes must be at least 1")
        self._max_line = max_line_bytes
        self._max_event = max_event_bytes
        self._carry = b""
        self._lines = 0
        self._data: list[str] = []
        self._size = 0
        self._event = ""
        self._block_retry: int | None = None
        self._skip_lf = False
        self._closed = False
        self._failure: NativeError | None = None
        self.last_event_id = ""
        self.retry: int | None = None

    @property
    def incomplete(self) -> bool:
        """Bytes came after the last event: the stream was cut in the middle of one."""
        return bool(self._carry or self._data)

    def feed(self, chunk: bytes | bytearray | memoryview, /) -> list[SseEvent]:
        """The events that `chunk` completes."""
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise NativeClosed("this event stream was closed")
        events: list[SseEvent] = []
        try:
            for line in self._split(bytes(chunk)):
                self._line(line, events)
            if len(self._carry) > self._max_line:
                raise NativeLimit(f"line {self._lines + 1} of the event stream is longer than {self._max_line} bytes")
        except NativeError as error:
            self._failure = error
            if not events:
                raise
        return events

    def close(self) -> None:
        """The end of the stream: raises what is still to be raised; an unfinished event is dropped."""
        if self._failure is not None:
            raise self._failure
        self._closed = True

    def _split(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        ends_with_cr = chunk.endswith(b"\r")
        if self._skip_lf:
            chunk = chunk.removeprefix(b"\n")
        self._skip_lf = ends_with_cr
        lines = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        lines[0] = self._carry + lines[0]
        self._carry = lines.pop()
        return lines

    def _line(self, raw: bytes, events: list[SseEvent]) -> None:
        self._lines += 1
        if len(raw) > self._max_line:  # with the byte-order mark, as a line is measured that is still coming
            raise NativeLimit(f"line {self._lines} of the event stream is longer than {self._max_line} bytes")
        if self._lines == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            raise NativeInvalidEncoding(f"line {self._lines} of the event stream is not UTF-8") from None
        if line:
            name, _, value = line.partition(":")
            self._field(name, value.removeprefix(" "), raw)
            return
        if self._data:
            data = "\n".join(self._data)
            events.append(SseEvent(self._event or "message", data, self.last_event_id, self._block_retry))
        self._data = []
        self._size = 0
        self._event = ""
        self._block_retry = None

    def _field(self, name: str, value: str, raw: bytes) -> None:
        if name == "data":
            self._size += bool(self._data) + (len(value) if raw.isascii() else len(value.encode()))
            self._data.append(value)
            if self._size > self._max_event:
                raise NativeLimit(f"an event of the event stream is larger than {self._max_event} bytes")
        elif name == "event":
            self._event = value
        elif name == "id":
            if "\0" not in value:
                self.last_event_id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= MOST_RETRY_DIGITS:
            self._block_retry = self.retry = int(value)


class RecordParser:
    """An incremental parser of records that end with the byte 0x1E; one per stream."""

    delimiter = b"\x1e"

    def __init__(self, *, max_record_bytes: int = 64 << 20) -> None:
        if max_record_bytes < 1:
            raise NativeInvalidArgument("max_record_bytes must be at least 1")
        self._max = max_record_bytes
        self._carry = b""
        self._number = 0
        self._closed = False
        self._failure: NativeError | None = None

    @property
    def incomplete(self) -> bool:
        """Bytes came after the last delimiter."""
        return bool(self._carry)

    def feed(self, chunk: bytes | bytearray | memoryview, /) -> list[str]:
        """The records that `chunk` completes, as text without the white space around them."""
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise NativeClosed("this record stream was closed")
        pieces = (self._carry + bytes(chunk)).split(self.delimiter)
        self._carry = pieces.pop()
        return self._records(pieces, self._carry)

    def close(self) -> list[str]:
        """The end of the stream: the record after the last delimiter, if there is one."""
        if self._failure is not None:
            raise self._failure
        self._closed = True
        last, self._carry = self._carry, b""
        return self._records([last], b"")

    def _records(self, pieces: list[bytes], rest: bytes) -> list[str]:
        records: list[str] = []
        try:
            for piece in pieces:
                self._append(piece, records)
            if len(rest) > self._max:
                self._append(rest, records)
        except NativeError as error:
            self._failure = error
            if not records:
                raise
        return records

    def _append(self, piece: bytes, records: list[str]) -> None:
        if len(piece) > self._max:
            raise NativeLimit(f"record {self._number + 1} is larger than {self._max} bytes")
        raw = piece.strip(JSON_SPACE.encode())
        if not raw:
            return
        self._number += 1
        try:
            records.append(raw.decode())
        except UnicodeDecodeError:
            raise NativeInvalidEncoding(f"record {self._number} is not UTF-8") from None


class NdjsonParser(RecordParser):
    """An incremental parser of newline-delimited JSON; one per stream."""

    delimiter = b"\n"
