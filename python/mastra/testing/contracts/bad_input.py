"""What every storage adapter must refuse at its door. `CHECKS` maps a sentence to a check, as in `storage`.

Ids, keys, values, filters and cursors come from strangers. What no backend can hold is refused by a typed error before
a backend hears of it, and what was there stays as it was.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from mastra.errors import InvalidFilter, InvalidId, InvalidInput, StorageError
from mastra.ports.storage import Storage, SupportsClaim, SupportsTextSearch
from mastra.testing.contracts.expectations import expect, expect_raises
from mastra.testing.contracts.storage import fresh_table
from mastra.types.records import Delete, Expect, Operation, Order, Put, Table

Check = Callable[[Storage], Awaitable[None]]
CHECKS: dict[str, Check] = {}

NUL, SURROGATE = "a\0b", "a\ud800b"
LEVELS = 300
HUGE = 64 * 1024 * 1024


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def deep(levels: int = LEVELS) -> Any:
    """Objects in lists in objects."""
    value: Any = 1
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


async def _with_a_row(storage: Storage) -> Table:
    table = fresh_table()
    await storage.write([Put(table, "kept", {"status": "new", "at": 1})])
    return table


async def _is_as_it_was(storage: Storage, table: Table) -> None:
    page = await storage.scan(table, order=Order("at"))
    expect([tuple(record) for record in page.records], [("kept", {"status": "new", "at": 1})])


@_check
async def a_wrong_key_is_refused(storage: Storage) -> None:
    """Wherever a key is taken."""
    table = await _with_a_row(storage)
    wrong: list[Any] = ["", " ", "a b", "x" * 513, "../a", "ключ", NUL, SURROGATE, "a\r\nb", "'", None, 7, b"k", [], {}]
    for key in wrong:
        await expect_raises(InvalidId, storage.get(table, key), key)
        await expect_raises(InvalidId, storage.get_many(table, ["kept", key]), key)
        wanted: list[Operation] = [Put(table, key, {}), Delete(table, key), Expect(table, key), Expect(table, key, {})]
        for operation in wanted:
            await expect_raises(InvalidId, storage.write([Delete(table, "kept"), operation]), key)
    for tenant in ("a b", NUL, SURROGATE, "x" * 300, "*", "'"):
        await expect_raises(InvalidId, storage.get(fresh_table(tenant=tenant), "kept"), tenant)
        await expect_raises(InvalidId, storage.scan(fresh_table(tenant=tenant)), tenant)
        await expect_raises(InvalidId, storage.write([Put(fresh_table(tenant=tenant), "k", {})]), tenant)
    await _is_as_it_was(storage, table)


@_check
async def a_value_that_no_backend_holds_is_refused(storage: Storage) -> None:
    """Too deep, half a character, a NUL, a number that is none; in values, keys of objects and indexed fields."""
    table = await _with_a_row(storage)
    itself: dict[str, Any] = {}
    itself["itself"] = itself
    wrong: list[Any] = [
        {"a": deep()}, {"a": deep(5_000)}, {"a": deep(100_000)}, itself, {"a": NUL}, {"a": ["b", {"c": NUL}]}, {NUL: 1},
        {"a": SURROGATE}, {"a": [[SURROGATE]]}, {SURROGATE: 1}, {"a": {SURROGATE: 1}}, {"status": NUL},
        {"status": SURROGATE}, {"a": float("nan")}, {"a": float("-inf")}, {"at": float("inf")}, {"at": 2**64},
        {"status": "x" * 769}, {"status": deep(3)}, {"a": b"x"}, {"a": {1}}, {1: 2}, None, "x", [],
    ]  # fmt: skip
    for value in wrong:
        await expect_raises(InvalidInput, storage.write([Delete(table, "kept"), Put(table, "bad", value)]), type(value))
    await _is_as_it_was(storage, table)


@_check
async def a_huge_value_is_refused_and_a_large_one_is_whole_or_refused(storage: Storage) -> None:
    """More than 64 MB by everybody; less than that may be more than a backend takes, which it says."""
    table = await _with_a_row(storage)
    huge = {"a": "ä" * (HUGE // 2)}
    await expect_raises(InvalidInput, storage.write([Delete(table, "kept"), Put(table, "bad", huge)]))
    await _is_as_it_was(storage, table)
    large = {"a": "größer" * 1_000_000}
    try:
        await storage.write([Put(table, "large", large)])
    except (InvalidInput, StorageError):
        await _is_as_it_was(storage, table)
        return
    expect(await storage.get(table, "large") == large, True)
    await storage.write([Delete(table, "large")])


@_check
async def a_filter_that_no_row_can_fit_asks_no_backend(storage: Storage) -> None:
    """Half characters, NULs, depth and size are refused; a number beyond every column is only a number."""
    table = await _with_a_row(storage)
    wrong: list[Any] = [
        operand
        for text in (NUL, SURROGATE)
        for operand in (
            {"status": text}, {"free": text}, {text: 1}, {"status": {"$gt": text}}, {"status": {"$in": ["a", text]}},
            {"free.a": {"$ne": text}}, {"free": {"$contains": {text: 1}}}, {"status": {"$regex": f"^{text}"}},
            {"$or": [{"status": text}]}, {"free": {"$elemMatch": {"a": text}}},
        )
    ]  # fmt: skip
    nested: Any = {"status": "new"}
    for _ in range(40):
        nested = {"$and": [nested]}
    wrong += [nested, {"free": deep()}, {"status": {"$in": ["x"] * 3_000}}, {"free": float("nan")}, [], "status", 7]
    for where in wrong:
        await expect_raises(InvalidFilter, storage.scan(table, where), where)
        await expect_raises(InvalidFilter, storage.count(table, where), where)
        await expect_raises(InvalidFilter, storage.write([Expect(table, "kept", where), Delete(table, "kept")]), where)
    far: list[tuple[Any, int]] = [
        ({"at": 2**70}, 0), ({"at": {"$lt": 2**70}}, 1), ({"at": {"$gte": -(2**70)}}, 1), ({"at": {"$gt": 2**63}}, 0),
        ({"at": {"$in": [1, 2**70]}}, 1), ({"at": {"$lte": 10**400}}, 1), ({"at": {"$gt": 10**400}}, 0),
        ({"at": -(10**400)}, 0), ({"at": {"$gt": 1e308}}, 0), ({"status": "x" * 100_000}, 0),
        ({"status": {"$lt": "x" * 100_000}}, 1),
        ({"status": {"$gt": "\U0010ffff" * 300}}, 0),
    ]  # fmt: skip
    for where, wanted in far:
        expect(await storage.count(table, where), wanted, where)
        expect(len((await storage.scan(table, where, order=Order("at"))).records), wanted, where)
    await _is_as_it_was(storage, table)


@_check
async def a_cursor_that_was_made_up_is_refused_or_finds_nothing_strange(storage: Storage) -> None:
    """A cursor is a stranger's text, too."""
    table = await _with_a_row(storage)

    def cursor(*parts: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    wrong: list[Any] = ["", "!", "ä", NUL, SURROGATE, "x" * 10_000, 7, b"W10", cursor(), cursor(7), cursor("a b")]
    wrong += [cursor("kept", NUL), cursor("kept", SURROGATE), cursor("kept", float("nan")), cursor("kept", [1])]
    wrong += [cursor("kept", deep()), cursor("kept", "x", "x"), cursor("kept", {"$gt": ""})]
    wrong += [cursor("kept", far) for far in (float("inf"), 2**54, 10**400, "x" * 769)]
    for after in wrong:
        await expect_raises(InvalidInput, storage.scan(table, order=Order("at"), after=after), after)
    for value in (True, 1.5, -0.0, 2**53, "", "x" * 768, None):
        page = await storage.scan(table, order=Order("at"), after=cursor("kept", value))
        expect(page.after, None, value)
    for limit in (0, -1, 10_001, 1.5, "1", None, True):
        bad: Any = limit
        await expect_raises(InvalidInput, storage.scan(table, limit=bad), limit)
    await _is_as_it_was(storage, table)


@_check
async def what_else_strangers_may_say_is_refused(storage: Storage) -> None:
    """Too many operations, orders, words to search, what a claim writes."""
    table = await _with_a_row(storage)
    await expect_raises(InvalidInput, storage.write([Put(table, f"k{number}", {}) for number in range(10_001)]))
    for field in ("free", "at ASC", NUL, SURROGATE, "", None):
        bad: Any = field
        await expect_raises(InvalidInput, storage.scan(table, order=Order(bad)), field)
    if isinstance(storage, SupportsTextSearch):
        expect(await storage.search_text(table, "status", f"{NUL} {SURROGATE}"), [])
        for field in ("a b", NUL, SURROGATE, "a'", "", "x" * 201):
            await expect_raises(InvalidInput, storage.search_text(table, field, "new"), field)
        await expect_raises(InvalidInput, storage.search_text(table, "status", "x" * 1_001))
        await expect_raises(InvalidFilter, storage.search_text(table, "status", "new", where={"status": NUL}))
    if isinstance(storage, SupportsClaim):
        for change in (NUL, SURROGATE, float("nan"), deep()):
            claimed = storage.claim(table, {"status": "new"}, order=Order("at"), limit=1, changes={"free": change})
            await expect_raises(InvalidInput, claimed, type(change))
    await _is_as_it_was(storage, table)
