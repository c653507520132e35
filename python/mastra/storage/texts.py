"""Text search: what a path names in a row, which words a text has, and when a row fits a query.

A word is a run of letters and digits, whatever their case. A row fits when it has every word of the query. Backends
narrow the rows down with an index of their own; the meaning is the one here. Nothing of a query but its words reaches
a backend, so there is no query language that a stranger's text could speak.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mastra.errors import InvalidInput
from mastra.storage.rows import MAX_LIMIT, check_table
from mastra.types.records import Record, Table

# Words after this many characters of a row's text are not found.
MAX_TEXT = 100_000
MAX_QUERY = 1_000
MAX_WORDS = 32
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*(\[\](\.[A-Za-z][A-Za-z0-9_]*)+)?")
_WORD = re.compile(r"[^\W_]+")


class TextPath(NamedTuple):
    """Where the texts of a row are: `title`, `content.text`, or `parts[].text` in each object of a list."""

    outer: tuple[str, ...]
    inner: tuple[str, ...] = ()

    def json_path(self) -> str:
        """The path as SQL's JSON functions write it; the names are plain words."""
        inner = "".join(f'."{name}"' for name in self.inner)
        return "$" + "".join(f'."{name}"' for name in self.outer) + (f"[*]{inner}" if inner else "")


class Search(NamedTuple):
    """A search that may be run."""

    path: TextPath
    # The words of the query, folded, each once.
    words: tuple[str, ...]
    # A short name for what belongs to this table and path in a database.
    slug: str

    def fits(self, value: dict[str, Any]) -> bool:
        """Whether a row has every word."""
        return set(self.words) <= set(words_of(text_at(value, self.path)))


def check_search(table: Table, field: str, query: str, limit: int) -> Search:
    """The parts of a text search that are not the filter."""
    check_table(table)
    if type(field) is not str or len(field) > 200 or not _PATH.fullmatch(field):
        raise InvalidInput(f"{str(field)[:40]!r} does not name texts of a row.", hint="Use title or parts[].text.")
    if type(query) is not str or len(query) > MAX_QUERY:
        raise InvalidInput(f"A query is a text of at most {MAX_QUERY:,} characters.")
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"A limit of {limit!r} is not between 1 and {MAX_LIMIT:,}.")
    words = tuple(dict.fromkeys(words_of(query)))
    if len(words) > MAX_WORDS:
        raise InvalidInput(f"A query of {len(words)} words; at most {MAX_WORDS} are looked for.")
    outer, _, inner = field.partition("[].")
    path = TextPath(tuple(outer.split(".")), tuple(inner.split(".")) if inner else ())
    return Search(path, words, f"{binascii.crc32(f'{table.name}/{field}'.encode()):08x}")


def words_of(text: str) -> list[str]:
    """The words of a text, folded, in their order."""
    return _WORD.findall(text[:MAX_TEXT].casefold())


def text_at(value: dict[str, Any], path: TextPath) -> str:
    """The texts that the path names, with a space between them."""
    return " ".join(_texts(value, path))


def _texts(value: dict[str, Any], path: TextPath) -> Iterator[str]:
    found = _follow(value, path.outer)
    items = found if path.inner and isinstance(found, list) else () if path.inner else (value,)
    for item in items:
        text = _follow(item, path.inner or path.outer)
        if isinstance(text, str):
            yield text


def _follow(value: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def ranked(search: Search, records: Iterable[Record], limit: int) -> list[Record]:
    """The rows that fit, best first (BM25 among these rows), equal ones by key: for backends without a ranking."""
    counts: list[tuple[Record, list[int], int]] = []
    for record in records:
        words = words_of(text_at(record.value, search.path))
        often = [words.count(word) for word in search.words]
        if all(often):
            counts.append((record, often, len(words)))
    if not counts:
        return []
    average = sum(length for _, _, length in counts) / len(counts)
    weight = math.log(1 + 1 / len(counts))

    def score(often: list[int], length: int) -> float:
        return sum(weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / average)) for count in often)

    counts.sort(key=lambda item: (-score(item[1], item[2]), item[0].key))
    return [record for record, _, _ in counts[:limit]]
