"""Cuts texts into chunks: at the borders that a reader would choose, never longer than allowed, nothing lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from mastra.errors import InvalidInput, near_miss
from mastra.rag.markup import html_text, json_pieces, markdown_sections
from mastra.rag.spans import Span, hard_cut, merge, split_after, trim

Strategy: TypeAlias = Literal["auto", "recursive", "character", "sentence", "markdown", "html", "json", "latex"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

# What ends a piece, the strongest border first; the code points are the full-width marks of Chinese and Japanese.
PROSE = (r"\n\s*\n", r"\n", r"[.!?…]+[\"')\]]*\s+|[\u3002\uff01\uff1f]", r"[;:,]\s+|[\uff1b\uff1a\uff0c\u3001]", r"\s+")
SENTENCES = (r"[.!?…]+[\"')\]]*\s+|[\u3002\uff01\uff1f]|\n\s*\n",)
LATEX = (r"(?=\\(?:part|chapter)\b)", r"(?=\\section\b)", r"(?=\\(?:sub)+section\b)", r"(?=\\begin\{)", *PROSE)


class Chunk(NamedTuple):
    """A piece of a text: where it starts in it, and what is known about it."""

    text: str
    start: int
    metadata: dict[str, Any] = {}  # noqa: RUF012 - an empty default that nobody changes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOptions:
    """How to cut. `size` and `overlap` are counted by `length`: characters unless another function is given."""

    strategy: Strategy = "auto"
    size: int = 1000
    overlap: int = 100
    # The border of the strategy "character".
    separator: str = r"\n\s*\n"
    length: Callable[[str], int] = field(default=len)

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            hint = near_miss(str(self.strategy), STRATEGIES) or f"Known: {', '.join(STRATEGIES)}."
            raise InvalidInput(f"There is no strategy called {self.strategy!r}.", hint=hint)
        size: object = self.size
        overlap: object = self.overlap
        if not isinstance(size, int) or size < 1:
            raise InvalidInput(f"A chunk cannot have the size {self.size!r}.", hint="Use a whole number from 1 on.")
        if not isinstance(overlap, int) or not 0 <= overlap < size:
            raise InvalidInput(f"An overlap of {self.overlap!r} does not fit the size {self.size}.",
                               hint="Use a whole number from 0 to less than the size.")  # fmt: skip

    def measure(self, text: str) -> int:
        """The length of `text` without the white space at its ends, which no chunk keeps."""
        return self.length(text.strip())

    @classmethod
    def of(cls, options: ChunkOptions | None, **changes: Any) -> ChunkOptions:
        """`options`, or the defaults, with some fields changed. A smaller size brings a smaller default overlap."""
        names = [item.name for item in dataclasses.fields(cls)]
        for name in changes:
            if name not in names:
                hint = near_miss(name, names) or f"Known: {', '.join(names)}."
                raise InvalidInput(f"There is no chunk option called {name!r}.", hint=hint)
        if options is None and "overlap" not in changes and isinstance(changes.get("size"), int):
            changes["overlap"] = max(0, changes["size"] // 10)
        return dataclasses.replace(options or cls(), **changes)


def cut(text: str, strategy: Strategy, options: ChunkOptions) -> list[Chunk]:
    """The chunks of `text`, in order, by one strategy. "auto" is "recursive"."""
    if strategy == "markdown":
        out = []
        for section in markdown_sections(text):
            known: dict[str, Any] = {"headings": list(section.headings)} if section.headings else {}
            out += _prose(text, (section.start, section.end), PROSE, options, known)
        return out
    if strategy == "html":
        out = []
        for block in html_text(text):
            known = {"headings": list(block.headings)} if block.headings else {}
            for chunk in _prose(block.text, (0, len(block.text)), PROSE, options, known):
                out.append(chunk._replace(start=block.start))
        return out
    if strategy == "json":
        return [Chunk(piece.text, 0, {"path": piece.path}) for piece in json_pieces(text, options.size, options.length)]
    borders = {
        "character": (options.separator,),
        "sentence": SENTENCES,
        "latex": LATEX,
    }.get(strategy, PROSE)
    return _prose(text, (0, len(text)), borders, options, {})


def _prose(
    text: str, whole: Span, borders: tuple[str, ...], options: ChunkOptions, metadata: dict[str, Any]
) -> list[Chunk]:
    pieces = _split(text, whole, borders, options)
    out = []
    for span in merge(text, pieces, options.size, options.overlap, options.measure):
        start, end = trim(text, span)
        if start < end:
            out.append(Chunk(text[start:end], start, dict(metadata)))
    return out


def _split(text: str, span: Span, borders: tuple[str, ...], options: ChunkOptions) -> list[Span]:
    """Pieces that fit, cut at the strongest border that helps."""
    start, end = span
    if options.measure(text[start:end]) <= options.size:
        return [span]
    if not borders:
        return hard_cut(text, span, options.size, options.length)
    parts = split_after(text, span, borders[0])
    return [piece for part in parts for piece in _split(text, part, borders[1:], options)]
