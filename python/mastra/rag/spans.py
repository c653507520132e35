"""Spans of a text: splitting them at borders, cutting them by force, joining them into chunks with an overlap."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mastra.errors import InvalidInput

Span: TypeAlias = tuple[int, int]


def split_after(text: str, span: Span, border: str) -> list[Span]:
    """The span in pieces that each end with a match of `border`; together they are the span."""
    start, end = span
    try:
        pattern = re.compile(border)
    except re.error as error:
        raise InvalidInput(f"The separator {border!r} is no regular expression: {error}.") from error
    out = []
    at = start
    for match in pattern.finditer(text, start, end):
        if at < match.end() < end:
            out.append((at, match.end()))
            at = match.end()
    out.append((at, end))
    return out


def hard_cut(text: str, span: Span, size: int, length: Callable[[str], int]) -> list[Span]:
    """The span in pieces of at most `size`, wherever that is; one character is never cut, however long it counts."""
    start, end = span
    out = []
    while start < end:
        if length is len:
            stop = min(start + size, end)
        else:
            low, high = start + 1, end
            while low < high:
                middle = (low + high + 1) // 2
                if length(text[start:middle]) <= size:
                    low = middle
                else:
                    high = middle - 1
            stop = low
        out.append((start, stop))
        start = stop
    return out


def merge(text: str, pieces: Sequence[Span], size: int, overlap: int, length: Callable[[str], int]) -> list[Span]:
    """Neighbouring pieces joined as far as they fit; each chunk begins with up to `overlap` of the one before."""
    out: list[Span] = []
    first = 0
    for last in range(len(pieces)):
        if first < last and length(text[pieces[first][0] : pieces[last][1]]) > size:
            out.append((pieces[first][0], pieces[last - 1][1]))
            first = _overlap_from(text, pieces, first, last, size, overlap, length)
    if pieces:
        out.append((pieces[first][0], pieces[-1][1]))
    return out


def _overlap_from(
    text: str, pieces: Sequence[Span], first: int, last: int, size: int, overlap: int, length: Callable[[str], int]
) -> int:
    """The piece that the next chunk begins with: as far back as the overlap and the size allow."""
    begin = last
    while begin - 1 > first:
        back = text[pieces[begin - 1][0] : pieces[last - 1][1]]
        whole = text[pieces[begin - 1][0] : pieces[last][1]]
        if length(back) > overlap or length(whole) > size:
            break
        begin -= 1
    return begin


def trim(text: str, span: Span) -> Span:
    """The span without the white space at its ends."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
