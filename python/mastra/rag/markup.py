"""The structure of marked-up texts: sections of Markdown, blocks of HTML, pieces of JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any, NamedTuple

from mastra.errors import InvalidInput
from mastra.types.json import dumps, loads


class Section(NamedTuple):
    """A part of a Markdown text under one heading, with the headings above it."""

    start: int
    end: int
    headings: tuple[str, ...]


_LINE = re.compile(r"[^\n]*\n?")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\n?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def markdown_sections(text: str) -> Iterator[Section]:
    """The sections in order; together they are the text. A `#` inside of a code fence is no heading."""
    start, path, fence = 0, list[tuple[int, str]](), ""
    for match in _LINE.finditer(text):
        line = match[0]
        opened = _FENCE.match(line)
        if fence:
            # Only a line of the same mark, at least as long and with nothing behind it, ends the code.
            if opened and opened[1][0] == fence[0] and len(opened[1]) >= len(fence) and line.strip() == opened[1]:
                fence = ""
            continue
        if opened:
            fence = opened[1]
            continue
        heading = _HEADING.fullmatch(line) if line else None
        if heading is None:
            continue
        if match.start() > start:
            yield Section(start, match.start(), tuple(title for _, title in path))
        start = match.start()
        level = len(heading[1])
        path = [*(item for item in path if item[0] < level), (level, heading[2] or "")]
    if start < len(text):
        yield Section(start, len(text), tuple(title for _, title in path))


class Block(NamedTuple):
    """Running text of an HTML page, the position where it begins in the source, and the headings above it."""

    text: str
    start: int
    headings: tuple[str, ...]


_SILENT = {"script", "style", "noscript", "template", "svg", "head"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "br", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre",
    "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip
_TITLES = {f"h{level}": level for level in range(1, 7)}


class _Reader(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._lines = [0]
        for match in re.finditer("\n", source):
            self._lines.append(match.end())
        self._silent = 0
        self._path: list[tuple[int, str]] = []
        self._words: list[str] = []
        self._title: int | None = None
        self._start: int | None = None
        self.feed(source)
        self.close()
        self._flush()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _SILENT:
            self._silent += 1
        elif tag in _TITLES:
            self._flush()
            self._title = _TITLES[tag]
        elif tag in _BLOCKS:
            self._words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _TITLES and self._title is not None:
            title = " ".join("".join(self._words).split())
            level = self._title
            self._path = [*(item for item in self._path if item[0] < level), (level, title)]
            # The title stays in front of the text below it: a chunk should say what it is about.
            self._title = None
            self._words = [title, "\n"]
        elif tag in _BLOCKS:
            self._words.append("\n")

    def handle_data(self, data: str) -> None:
        if self._silent or not data:
            return
        if self._start is None and not data.isspace():
            line, column = self.getpos()
            self._start = self._lines[min(line - 1, len(self._lines) - 1)] + column
        self._words.append(re.sub(r"\s+", " ", data))

    def _flush(self) -> None:
        lines = (" ".join(line.split()) for line in "".join(self._words).split("\n"))
        text = "\n\n".join(line for line in lines if line)
        if text:
            self.blocks.append(Block(text, self._start or 0, tuple(title for _, title in self._path)))
        self._words, self._start = [], None


def html_text(source: str) -> list[Block]:
    """What a reader sees of an HTML page, one block for each heading. Broken markup is read as browsers do."""
    return _Reader(source).blocks


class Piece(NamedTuple):
    """A part of a JSON value that is JSON itself, and where it stands."""

    text: str
    path: str


def json_pieces(text: str, size: int, length: Callable[[str], int]) -> list[Piece]:
    """The JSON text in valid JSON pieces of at most `size` where that can be: neighbours stay together.

    Only a single text or number that is longer stands alone in a longer piece.
    """
    try:
        value = loads(text)
    except ValueError as error:
        raise InvalidInput(f"The document is not JSON: {error}.") from error
    return list(_pieces(value, "$", size, length))


def _pieces(value: Any, path: str, size: int, length: Callable[[str], int]) -> Iterator[Piece]:
    whole = dumps(value)
    if length(whole) <= size or not isinstance(value, dict | list) or not value:
        yield Piece(whole, path)
        return
    named = isinstance(value, dict)
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    held: list[tuple[Any, Any]] = []

    def close() -> Iterator[Piece]:
        if held:
            yield Piece(dumps(dict(held) if named else [item for _, item in held]), path)
            held.clear()

    for key, item in items:
        joined = [*held, (key, item)]
        if length(dumps(dict(joined) if named else [part for _, part in joined])) <= size:
            held.append((key, item))
            continue
        yield from close()
        if length(dumps({key: item} if named else [item])) <= size:
            held.append((key, item))
        else:
            yield from _pieces(item, f"{path}.{key}" if named else f"{path}[{key}]", size, length)
    yield from close()
