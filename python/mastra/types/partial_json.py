"""JSON that is still being written: the value as far as it goes, in time proportional to what was added."""

from __future__ import annotations

import re
from typing import Any

_RUN = re.compile(r'[^"\\]*')
_SPACE = " \t\r\n"
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_MISSING: Any = object()


class PartialJson:
    """Feed it text; `value` is what stands there so far. A half-written number or word is not there yet."""

    __slots__ = ("_buffer", "_escape", "_keys", "_stack", "_state", "broken", "value")

    def __init__(self) -> None:
        self.value: Any = _MISSING
        self.broken = False
        self._stack: list[Any] = []
        self._keys: list[str | None] = []
        self._state = "value"
        self._buffer = ""
        self._escape = ""

    @property
    def started(self) -> bool:
        """Whether there is a value yet."""
        return self.value is not _MISSING

    def feed(self, text: str) -> bool:
        """Read more text; whether the value changed."""
        at, size, changed = 0, len(text), False
        while at < size and not self.broken:
            state = self._state
            if state in ("string", "key"):
                at, more = self._in_string(text, at)
                changed = changed or more
            elif state == "word":
                char = text[at]
                if char in ",]}" or char in _SPACE:
                    changed = self._end_word() or changed
                else:
                    self._buffer += char
                    at += 1
            else:
                changed = self._mark(text[at]) or changed
                at += 1
        return changed

    def _in_string(self, text: str, at: int) -> tuple[int, bool]:
        if self._escape:
            self._escape += text[at]
            self._unescape()
            return at + 1, True
        match = _RUN.match(text, at)
        assert match is not None
        self._buffer += match[0]
        end = match.end()
        if end < len(text) and text[end] == "\\":
            self._escape = "\\"
            end += 1
        elif end < len(text):
            end += 1
            if self._state == "key":
                self._keys[-1] = self._buffer
                self._state = "colon"
                return end, False
            self._grow(self._buffer)
            self._state = "after"
            return end, True
        if self._state == "string":
            self._grow(self._buffer)
        return end, self._state == "string"

    def _unescape(self) -> None:
        escape = self._escape
        if escape[1] != "u":
            if escape[1] not in _ESCAPES:
                self.broken = True
            self._buffer += _ESCAPES.get(escape[1], "")
            self._escape = ""
        elif len(escape) == 6:
            try:
                code = int(escape[2:], 16)  # noqa: FURB166 - '0x' is no JSON
            except ValueError:
                self.broken = True
                return
            last = self._buffer[-1:]
            if 0xDC00 <= code < 0xE000 and last and 0xD800 <= ord(last) < 0xDC00:
                code = 0x10000 + ((ord(last) - 0xD800) << 10) + (code - 0xDC00)
                self._buffer = self._buffer[:-1]
            self._buffer += chr(code)
            self._escape = ""
        if self._state == "string" and not self._escape:
            self._grow(self._buffer)

    def _mark(self, char: str) -> bool:
        """A character outside of texts and words."""
        state = self._state
        if char in _SPACE:
            return False
        if char == "," and state == "after" and self._stack:
            self._state = "before-key" if isinstance(self._stack[-1], dict) else "value"
            return False
        if char == ":" and state == "colon":
            self._state = "value"
            return False
        if char in "]}" and self._stack and state in ("after", "value", "before-key"):
            self._stack.pop()
            self._keys.pop()
            self._state = "after"
            return False
        if char == '"' and state in ("value", "before-key"):
            self._buffer = ""
            self._state = "key" if state == "before-key" else "string"
            if state == "value":
                self._put("")
                return True
            return False
        if state != "value":
            self.broken = True
            return False
        if char in "{[":
            made: Any = {} if char == "{" else []
            self._put(made)
            self._stack.append(made)
            self._keys.append(None)
            self._state = "before-key" if char == "{" else "value"
            return True
        self._buffer = char
        self._state = "word"
        return False

    def _end_word(self) -> bool:
        word = self._buffer
        self._state = "after"
        if word in _WORDS:
            self._put(_WORDS[word])
            return True
        try:
            self._put(float(word) if any(char in ".eE" for char in word) else int(word))
        except ValueError:
            self.broken = True
            return False
        return True

    def _put(self, value: Any) -> None:
        """A value begins here."""
        if not self._stack:
            self.value = value
            return
        holder = self._stack[-1]
        if isinstance(holder, dict):
            holder[self._keys[-1]] = value
        else:
            holder.append(value)

    def _grow(self, text: str) -> None:
        """The text that began here is longer now."""
        if not self._stack:
            self.value = text
            return
        holder = self._stack[-1]
        holder[self._keys[-1] if isinstance(holder, dict) else -1] = text


def snapshot(value: Any) -> Any:
    """A copy that the parser will not change any more."""
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list):
        return [snapshot(item) for item in value]
    return value
