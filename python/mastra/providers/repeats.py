"""Events that differ from one before in a single text: read by comparing, which is far cheaper than parsing."""

from __future__ import annotations

# A vendor whose events differ in more than the text gets no further tries.
_TRIES = 8


class Repeats:
    """Knows what stands before and after the text of an event it was shown."""

    __slots__ = ("_before", "_behind", "_left", "_size")

    def __init__(self) -> None:
        self._before = ""
        self._behind = ""
        self._size = 0
        self._left = _TRIES

    def text(self, data: str) -> str | None:
        """The text of an event like the one that was learned; None when it must be parsed."""
        size = self._size
        if not size or len(data) <= size or not data.startswith(self._before) or not data.endswith(self._behind):
            return None
        text = data[len(self._before) : len(data) - len(self._behind)]
        # What JSON would have to escape is left to the parser, and so is everything else that is not plain to see.
        if '"' in text or "\\" in text or not text.isprintable():
            return None
        self._left = _TRIES
        return text

    def learn(self, data: str, key: str, text: str) -> None:
        """Remember an event that says nothing but `text`, which stands under `key`."""
        if not self._left or not text.isprintable() or '"' in text or "\\" in text:
            return
        self._left -= 1
        self._size = 0
        for colon in (":", ": "):
            marked = f'"{key}"{colon}"{text}"'
            if data.count(marked) == 1:
                at = data.index(marked) + len(marked) - len(text) - 1
                self._before, self._behind = data[:at], data[at + len(text) :]
                self._size = len(self._before) + len(self._behind)
                return
