"""Texts: statistics, search, replace, compare, cases, extraction."""

from __future__ import annotations

import difflib
import re
import textwrap
import unicodedata
from collections import Counter
from typing import Any, Literal

from mastra.errors import InvalidInput
from mastra.tools.tool import tool

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_PATTERNS = {
    "email": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"),
    "url": re.compile(r"https?://[^\s<>\"']{1,2000}"),
    "number": re.compile(r"[-+]?\d+(?:[.,]\d+)*"),
    "date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "hashtag": re.compile(r"#\w{1,100}"),
    "mention": re.compile(r"(?<!\w)@\w{1,100}"),
}


@tool
async def text_statistics(text: str) -> dict[str, Any]:
    """Characters, words, sentences, lines, paragraphs, average word length and reading time of a text."""
    words = _WORD.findall(text)
    return {
        "characters": len(text),
        "characters_without_spaces": sum(not char.isspace() for char in text),
        "words": len(words),
        "sentences": sum(bool(one.strip(" .!?")) for one in _SENTENCE.findall(text)),
        "lines": text.count("\n") + 1 if text else 0,
        "paragraphs": len([one for one in re.split(r"\n\s*\n", text) if one.strip()]),
        "average_word_length": sum(map(len, words)) / len(words) if words else 0,
        "reading_minutes": len(words) / 200,
    }


@tool
async def word_frequencies(text: str, top: int = 20, minimum_length: int = 1) -> dict[str, int]:
    """The most frequent words of a text and how often they occur."""
    counts = Counter(word.lower() for word in _WORD.findall(text) if len(word) >= minimum_length)
    return dict(counts.most_common(max(1, min(top, 1000))))


@tool
async def find_in_text(text: str, find: str, ignore_case: bool = True, context: int = 40) -> list[dict[str, Any]]:
    """Where a text stands in another: position, line, and what is around it (at most 100 finds)."""
    if not find:
        raise InvalidInput("There is nothing to find.")
    flags = re.IGNORECASE if ignore_case else 0
    out = []
    for match in re.finditer(re.escape(find), text, flags):
        around = text[max(0, match.start() - context) : match.end() + context]
        out.append({"position": match.start(), "line": text.count("\n", 0, match.start()) + 1, "context": around})
        if len(out) == 100:
            break
    return out


@tool
async def replace_in_text(text: str, find: str, replace: str, ignore_case: bool = False) -> dict[str, Any]:
    """Replace every occurrence of a text; the new text and how many there were."""
    if not find:
        raise InvalidInput("There is nothing to find.")
    made, count = re.subn(re.escape(find), lambda _: replace, text, flags=re.IGNORECASE if ignore_case else 0)
    return {"text": made, "replaced": count}


@tool
async def compare_texts(first: str, second: str) -> dict[str, Any]:
    """How alike two texts are (0 to 1), and the lines that differ."""
    if max(len(first), len(second)) > 50_000:
        raise InvalidInput("The texts are longer than 50,000 characters.")
    lines = difflib.unified_diff(first.splitlines(), second.splitlines(), lineterm="", n=1)
    ratio = difflib.SequenceMatcher(None, first.split(), second.split(), autojunk=False).ratio()
    return {"similarity": ratio, "difference": "\n".join(list(lines)[2:])}


@tool
async def change_case(
    text: str, case: Literal["upper", "lower", "title", "sentence", "snake", "kebab", "camel", "pascal"]
) -> str:
    """Write a text in another case."""
    if case in ("upper", "lower"):
        return text.upper() if case == "upper" else text.lower()
    if case == "title":
        return re.sub(r"[^\W\d_]+('[^\W\d_]+)?", lambda match: match[0].capitalize(), text)
    if case == "sentence":
        return text[:1].upper() + text[1:].lower()
    spread = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    words = [word.lower() for word in re.findall(r"[^\W_]+", spread)]
    if case in ("snake", "kebab"):
        return ("_" if case == "snake" else "-").join(words)
    joined = "".join(word.capitalize() for word in words)
    return joined if case == "pascal" else joined[:1].lower() + joined[1:]


@tool
async def slugify(text: str, maximum_length: int = 80) -> str:
    """A name for URLs: lower case letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[: max(1, maximum_length)].rstrip("-")


@tool
async def extract_from_text(
    text: str, kind: Literal["email", "url", "number", "date", "hashtag", "mention"]
) -> list[str]:
    """All mail addresses, URLs, numbers, dates, hashtags or mentions in a text, in order, without repeats."""
    return list(dict.fromkeys(_PATTERNS[kind].findall(text)))[:1000]


@tool
async def split_text(text: str, size: int = 1000, overlap: int = 0) -> list[str]:
    """Cut a text into pieces of at most `size` characters, at spaces where possible."""
    if size < 1 or not 0 <= overlap < size:
        raise InvalidInput("The size must be 1 or more and the overlap smaller than it.")
    pieces: list[str] = []
    at = 0
    while at < len(text):
        end = min(len(text), at + size)
        if end < len(text):
            space = text.rfind(" ", at + overlap + 1, end)
            end = space + 1 if space > at else end
        pieces.append(text[at:end])
        if end == len(text):
            break
        at = max(at + 1, end - overlap)
    return pieces


@tool
async def wrap_text(text: str, width: int = 80) -> str:
    """Break the lines of a text at a width."""
    if not 10 <= width <= 1000:
        raise InvalidInput("The width is 10 to 1000.")
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


TOOLS = (text_statistics, word_frequencies, find_in_text, replace_in_text, compare_texts, change_case, slugify,
         extract_from_text, split_text, wrap_text)  # fmt: skip
