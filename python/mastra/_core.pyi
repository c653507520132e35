"""
The compiled core of mastra. Import mastra.native instead.
"""
from __future__ import annotations
import mastra.native.events
import typing
__all__: list[str] = ['NdjsonParser', 'RecordParser', 'SseParser', 'build_info']
class SseParser:
    """
    An incremental parser of server-sent events; one per stream.
    
    Any chunking of the same bytes gives the same events. A line that is not UTF-8 raises
    NativeInvalidEncoding and one over its limit NativeLimit, after the events before it were
    handed out.
    """
    def __init__(self, *, max_line_bytes: typing.SupportsInt | typing.SupportsIndex = 16777216, max_event_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> None:
        """
        The end of the stream: raises what is still to be raised; an event without its empty line is dropped.
        """
    def feed(self, chunk: bytes | bytearray | memoryview) -> list[mastra.native.events.SseEvent]:
        """
        The events that `chunk` completes.
        """
    @property
    def incomplete(self) -> bool:
        """
        Bytes came after the last event: the stream was cut in the middle of one.
        """
    @property
    def last_event_id(self) -> str:
        """
        What a reconnecting client sends as Last-Event-ID.
        """
    @property
    def retry(self) -> int | None:
        """
        The reconnection time in milliseconds, if the stream set one.
        """
class RecordParser:
    """
    An incremental parser of records that end with the byte 0x1E; one per stream.
    """
    def __init__(self, *, max_record_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> list[str]:
        """
        The end of the stream: the record after the last delimiter, if there is one.
        """
    def feed(self, chunk: bytes | bytearray | memoryview) -> list[str]:
        """
        The records that `chunk` completes, as text without the white space around them.
        """
    @property
    def incomplete(self) -> bool:
        """
        Bytes came after the last delimiter.
        """
class NdjsonParser:
    """
    An incremental parser of newline-delimited JSON; one per stream.
    """
    def __init__(self, *, max_record_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> list[str]:
        """
        The end of the stream: the record after the last delimiter, if there is one.
        """
    def feed(self, chunk: bytes | bytearray | memoryview) -> list[str]:
        """
        The records that `chunk` completes, as text without the white space around them.
        """
    @property
    def incomplete(self) -> bool:
        """
        Bytes came after the last delimiter.
        """
def build_info() -> dict[str, typing.Any]:
    """
    What this build of the core is: version, compiler, architecture, debug.
    """
