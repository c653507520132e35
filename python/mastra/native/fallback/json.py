"""Partial JSON in pure Python: the same values and errors as the compiled parser.

It reads the text so far anew at each feed, so a long text costs quadratic time.
"""

from __future__ import annotations

import codecs
import copy
import math
import re
from typing import Any

from mastra.errors import (
    NativeClosed,
    NativeError,
    NativeInvalidArgument,
    NativeInvalidEncoding,
    NativeLimit,
)

MAX_DEPTH = 200
MOST_DEPTH = 10_000
MOST_NUMBER_BYTES = 4300

SPACE = re.compile(r"[ \t\r\n]*")
NUMBER_BYTES = re.compile(r"[-+.0-9eE]+")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
NUMBER_START = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?:\.[0-9]+)?[eE][-+]?[0-9]*)?)?")
RUN = re.compile(r'[^"\\\x00-\x1f]*')
HEX = re.compile(r"[0-9a-fA-F]*")
SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
LITERALS: dict[str, tuple[str, Any]] = {"n": ("null", None), "t": ("true", True), "f": ("false", False)}


class CutOffError(Exception):
    """The text ends inside the value; what has been built so far stands."""


class PartialJson:
    """The best value of a JSON text that is still arriving."""

    def __init__(self, *, max_depth: int = MAX_DEPTH, max_bytes: int = 64 << 20) -> None:
        if not 1 <= max_depth <= MOST_DEPTH or max_bytes < 1:
            raise NativeInvalidArgument(f"max_depth must lie in 1..{MOST_DEPTH} and max_bytes be at least 1")
        self._max_depth = max_depth
        self._max_bytes = max_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._bytes = 0
        self._failure: NativeError | None = None
        self._closed = False
        self.value: Any = None
        """The value so far, None before there is one."""
        self.complete = False
        """A whole value has been read. A number at the top is complete only after close."""

    def feed(self, chunk: str | bytes | bytearray | memoryview) -> Any:
        """Reads `chunk`; returns `value`."""
        self._check_open()
        try:
            raw = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
            self._bytes += len(raw)
            if self._bytes > self._max_bytes:
                raise NativeLimit(f"the JSON text is larger than {self._max_bytes} bytes")
            self._text += self._decoder.decode(raw)
            reader = Reader(self._text, self._max_depth, self.value)
            try:
                reader.read(final=False)
            finally:
                self.value = reader.root
            self.complete = reader.complete
        except UnicodeError:
            self._failure = NativeInvalidEncoding("the JSON text is not UTF-8")
            raise self._failure from None
        except NativeError as error:
            self._failure = error
            raise
        return self.value

    def close(self) -> Any:
        """The end of the text: the final value, or NativeInvalidArgument when it is not complete."""
        self._check_open()
        try:
            if self._decoder.getstate()[0]:
                raise NativeInvalidArgument("invalid JSON: the text ends before the value does")
            reader = Reader(self._text, self._max_depth, self.value)
            reader.read(final=True)
        except NativeError as error:
            self._failure = error
            raise
        self._closed = self.complete = True
        return self.value

    def snapshot(self) -> Any:
        """The value so far in containers that do not change with the next feed."""
        return copy.deepcopy(self.value)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise NativeClosed("this JSON text was closed")


def parse(text: str | bytes | bytearray | memoryview, *, max_depth: int = MAX_DEPTH) -> Any:
    """Parses one JSON text, strictly: NaN, infinities, trailing commas and a byte-order mark are refused."""
    parser = PartialJson(max_depth=max_depth, max_bytes=1 << 62)
    parser.feed(text)
    return parser.close()


class Reader:
    """Reads one text from its start with an explicit stack, and keeps the value reached when it is cut off."""

    def __init__(self, text: str, max_depth: int, before: Any) -> None:
        self.text = text
        self.at = 0
        self.max_depth = max_depth
        self.root = before
        self.complete = False
        self.final = False
        self._path: list[tuple[Any, str]] = []
        self._key = ""

    def read(self, *, final: bool) -> None:
        """Reads the whole text; with `final` its end must be the value's end."""
        self.final = final
        try:
            self._value()
            while self._path:
                self._next()
            self.complete = True
            if self._peek():
                self._fail("expected nothing after the value")
        except CutOffError:
            if final:
                self._fail("the text ends before the value does")

    def _peek(self) -> str:
        match = SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def _need(self) -> str:
        letter = self._peek()
        if not letter:
            raise CutOffError
        return letter

    def _value(self) -> None:
        letter = self._need()
        if letter in "{[":
            if len(self._path) >= self.max_depth:
                raise NativeLimit(f"the JSON text is nested deeper than {self.max_depth}")
            container: Any = {} if letter == "{" else []
            self._place(container)
            self._path.append((container, self._key))
            self.at += 1
            self._first()
        elif letter == '"':
            self._string()
        elif letter in LITERALS:
            word, value = LITERALS[letter]
            self._place(value)
            got = self.text[self.at : self.at + len(word)]
            if not word.startswith(got):
                self._fail("expected null, true or false")
            self.at += len(got)
            if got != word:
                raise CutOffError
        elif letter in "-0123456789":
            self._number()
        else:
            self._fail("expected a value")

    def _first(self) -> None:
        container, _ = self._path[-1]
        closing = "}" if isinstance(container, dict) else "]"
        if self._need() == closing:
            self._end()
        else:
            self._member()

    def _next(self) -> None:
        container, _ = self._path[-1]
        letter = self._need()
        if letter == ("}" if isinstance(container, dict) else "]"):
            self._end()
        elif letter == ",":
            self.at += 1
            self._member()
        else:
            self._fail("expected ',' or the end of the container")

    def _end(self) -> None:
        self.at += 1
        self._key = self._path.pop()[1]

    def _member(self) -> None:
        if isinstance(self._path[-1][0], dict):
            if self._need() != '"':
                self._fail("expected a key in double quotes")
            key, closed = self._letters()
            if not closed:
                raise CutOffError
            self._key = key
            if self._need() != ":":
                self._fail("expected ':'")
            self.at += 1
        self._value()

    def _place(self, value: Any) -> None:
        if not self._path:
            self.root = value
            return
        container, _ = self._path[-1]
        if isinstance(container, dict):
            container[self._key] = value
        else:
            container.append(value)

    def _string(self) -> None:
        text, closed = self._letters()
        self._place(text)
        if not closed:
            raise CutOffError

    def _letters(self) -> tuple[str, bool]:
        """The string that starts at the quote, and whether its end has come."""
        out: list[str] = []
        self.at += 1
        while True:
            match = RUN.match(self.text, self.at)
            out.append(match.group() if match else "")
            self.at += len(out[-1])
            letter = self.text[self.at : self.at + 1]
            if letter == '"':
                self.at += 1
                return self._joined(out, closed=True), True
            if letter == "\\":
                escaped = self._escape()
                if escaped is not None:
                    out.append(escaped)
                    continue
                return self._joined(out, closed=False), False
            if letter:
                self._fail("a control character in a string must be escaped")
            return self._joined(out, closed=False), False

    @staticmethod
    def _joined(pieces: list[str], *, closed: bool) -> str:
        text = "".join(pieces)
        if not closed and text and "\ud800" <= text[-1] < "\udc00":
            text = text[:-1]  # its other half may still come
        if SURROGATE.search(text):
            text = SURROGATE.sub("\ufffd", text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))
        return text

    def _escape(self) -> str | None:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter == "u":
            digits = self.text[self.at + 2 : self.at + 6]
            match = HEX.fullmatch(digits)
            if match is None:
                self._fail("expected four hexadecimal digits")
            if len(digits) < 4:
                return None
            self.at += 6
            return chr(int(digits, 16))
        if not letter:
            return None
        if letter not in ESCAPES:
            self._fail("an unknown escape in a string")
        self.at += 2
        return ESCAPES[letter]

    def _number(self) -> None:
        match = NUMBER_BYTES.match(self.text, self.at)
        text = match.group() if match else ""
        if len(text) > MOST_NUMBER_BYTES:
            raise NativeLimit(f"a number is longer than {MOST_NUMBER_BYTES} bytes")
        at_end = self.at + len(text) == len(self.text) and not (self.final and not self._path)
        valid = NUMBER.match(text)
        if at_end and NUMBER_START.fullmatch(text) is None:
            self._fail("not a number")
        if not at_end and (valid is None or valid.group() != text):
            self._fail("not a number")
        if valid is not None:
            self._place(self._converted(valid))
        if at_end:
            raise CutOffError
        self.at += len(text)

    @staticmethod
    def _converted(match: re.Match[str]) -> int | float:
        if match.group(1) is None and match.group(2) is None:
            try:
                return int(match.group())
            except ValueError:
                raise NativeLimit("an integer has more digits than this interpreter converts") from None
        value = float(match.group())
        if math.isinf(value):
            raise NativeLimit("a number is larger than a double can hold")
        return value

    def _fail(self, expected: str) -> None:
        raise NativeInvalidArgument(f"invalid JSON at character {self.at}: {expected}")
