"""What storage that searches texts must do. `CHECKS` maps a sentence to a function that takes opened storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mastra.errors import InvalidInput
from mastra.ports.storage import Storage, SupportsTextSearch
from mastra.testing.contracts.expectations import expect, expect_raises
from mastra.testing.contracts.injections import INJECTIONS
from mastra.types.ids import new_id
from mastra.types.records import Delete, Put, Record, Table

PATH = "text[].text"
TEXTS: dict[str, dict[str, Any]] = {
    "parts": {
        "text": [
            {"text": "The fox_and the hound,"},
            {"kind": "image", "text": 7},
            "fox",
            {"text": "at noon\nÜber ЁЛКА"},
        ]
    },
    "often": {"text": [{"text": "fox fox fox"}]},
    "other": {"text": [{"text": "the dog"}]},
    "none": {"text": {"text": "fox in no list"}, "title": "A quick fox"},
    "empty": {},
}
# More that a query language of some backend could take for its own.
QUERIES = ('title:"', "NEAR(a b)", "a AND b", "+a -b", "^a", "a OR b", "a <-> b", "a:*", "a & !b", "'a' @> 'b'")


def fresh_table() -> Table:
    """A table that no other check has rows in."""
    return Table("contract_texts", ("group",), f"t{new_id()}")


async def found(storage: Storage, table: Table, query: str, *, path: str = PATH, **options: Any) -> list[str]:
    """The keys of what is found."""
    assert isinstance(storage, SupportsTextSearch)
    records: list[Record] = await storage.search_text(table, path, query, **options)
    return [record.key for record in records]


async def texts_are_found_by_their_words(storage: Storage) -> None:
    """A row is found by any of its words, whole ones only, and by nothing else."""
    table = fresh_table()
    await storage.write([Put(table, key, {**value, "group": key[0]}) for key, value in TEXTS.items()])
    # The row that has the word more often comes first.
    expect(await found(storage, table, "fox"), ["often", "parts"])
    for query in ("fox hound", "HOUND, the", "noon", "über", "ёлка noon", "at"):
        expect(await found(storage, table, query), ["parts"], query)
    for query in ("fo", "foxes", "fox dog", "nnoon", "7", "image", "", "?! '\"--", "list"):
        expect(await found(storage, table, query), [], query)
    expect(await found(storage, table, "fox", limit=1), ["often"])
    expect(await found(storage, table, "quick", path="title"), ["none"])


async def texts_are_found_within_a_filter(storage: Storage) -> None:
    """By an indexed field and by any other condition; rows of other tenants never."""
    table = fresh_table()
    await storage.write([Put(table, key, {**value, "group": key[0]}) for key, value in TEXTS.items()])
    expect(await found(storage, table, "fox", where={"group": "p"}), ["parts"])
    expect(await found(storage, table, "fox", where={"text": {"$size": 1}}), ["often"])
    expect(await found(storage, table, "fox", where={"group": {"$in": ["e", "x"]}}), [])
    expect(await found(storage, fresh_table(), "fox"), [])


async def a_search_sees_what_was_written_last(storage: Storage) -> None:
    """The index follows every write that comes after it was made."""
    table = fresh_table()
    await storage.write([Put(table, key, {"text": [{"text": "fox"}]}) for key in "ab"])
    expect(sorted(await found(storage, table, "fox")), ["a", "b"])
    await storage.write([Put(table, "a", {"text": [{"text": "a wolf"}]}), Delete(table, "b")])
    expect(await found(storage, table, "fox"), [])
    expect(await found(storage, table, "wolf"), ["a"])
    await storage.write([Put(table, "c", {"text": [{"text": "wolf"}]}), Put(table, "d", {"text": 1})])
    expect(sorted(await found(storage, table, "wolf")), ["a", "c"])


async def nothing_in_a_text_query_becomes_code(storage: Storage) -> None:
    """Whatever a stranger types is words."""
    table = fresh_table()
    await storage.write([Put(table, f"k{n}", {"title": f"x{text}x"}) for n, text in enumerate(INJECTIONS)])
    await storage.write([Put(table, "plain", {"title": "nothing of note"})])
    for text in (*INJECTIONS, *QUERIES):
        expect("plain" in await found(storage, table, text, path="title", limit=500), False, text)
    expect(await storage.count(table), len(INJECTIONS) + 1)


async def wrong_searches_are_refused(storage: Storage) -> None:
    """A path that is none, a query too long, a limit of nothing."""
    table = fresh_table()
    for path in ("", "a b", "a'", "a[", "a[]", "a[].", "$.a", 'a"', "a..b", "a;b", "x" * 300):
        await expect_raises(InvalidInput, found(storage, table, "x", path=path), path)
    for query in ("x" * 1_001, " ".join(f"w{n}" for n in range(33))):
        await expect_raises(InvalidInput, found(storage, table, query), query)
    await expect_raises(InvalidInput, found(storage, table, "x", limit=0))


CHECKS: dict[str, Callable[[Storage], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        texts_are_found_by_their_words,
        texts_are_found_within_a_filter,
        a_search_sees_what_was_written_last,
        nothing_in_a_text_query_becomes_code,
        wrong_searches_are_refused,
    )
}
