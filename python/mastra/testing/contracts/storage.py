"""What every storage adapter must do. `CHECKS` maps a sentence to a coroutine function that takes opened storage.

Each check works in a tenant of its own, so that all can share one database. With pytest:
`@pytest.mark.parametrize("sentence", CHECKS)` and `await CHECKS[sentence](storage)`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from mastra.errors import Conflict, InvalidFilter, InvalidId, InvalidInput, Unsupported
from mastra.ports.storage import Storage, SupportsClaim, SupportsLayout
from mastra.testing.contracts.expectations import expect, expect_raises
from mastra.testing.contracts.injections import INJECTIONS
from mastra.types.filters import matches
from mastra.types.ids import new_id
from mastra.types.records import Delete, Expect, Filter, Operation, Order, Page, Put, Record, Table

Check = Callable[[Storage], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def fresh_table(*, tenant: str | None = None) -> Table:
    """A table that no other check has rows in."""
    tenant = f"t{new_id()}" if tenant is None else tenant
    return Table("contract_rows", ("status", "at", "group+at", "group"), tenant)


async def read_all(storage: Storage, table: Table, where: Filter | None = None, **options: Any) -> list[Record]:
    """Every page of a scan."""
    records: list[Record] = []
    page = Page([], None)
    while True:
        page = await storage.scan(table, where, after=page.after, **options)
        records += page.records
        if page.after is None:
            return records


@_check
async def a_row_comes_back_as_it_was_written(storage: Storage) -> None:
    """All of JSON, and nothing shared with the caller."""
    table = fresh_table()
    value: dict[str, Any] = {
        "text": "Grüße 🌍 \u2028 \x7f '\"\\ %_", "number": 1.5, "big": 2**80, "tiny": -1e-300, "yes": True, "no": False,
        "none": None, "list": [1, [2, {"a": []}]], "object": {"": 1, "a.b": 2, "$eq": 3, "ключ": {}}, "status": "new",
    }  # fmt: skip
    await storage.write([Put(table, "k", value)])
    found = await storage.get(table, "k")
    expect(found, value)
    assert found is not None
    found["list"].append("changed by the caller")
    expect(await storage.get(table, "k"), value)
    expect(type((await storage.get(table, "k") or {})["yes"]), bool)


@_check
async def the_layout_of_what_is_open_is_the_newest(storage: Storage) -> None:
    """When the adapter can tell: a look at the layout finds what opening made of it."""
    if not isinstance(storage, SupportsLayout):
        return
    try:
        layout = await storage.layout()
    except Unsupported:  # large values beside a storage that has none
        return
    expect(layout.found, layout.known)


@_check
async def a_missing_row_is_none(storage: Storage) -> None:
    """Nothing is found where nothing was written, and deleting it is no error."""
    table = fresh_table()
    expect(await storage.get(table, "nothing"), None)
    await storage.write([Delete(table, "nothing")])
    expect(await storage.get_many(table, ["nothing", "neither"]), {})
    expect((await storage.scan(table)).records, [])
    expect(await storage.count(table), 0)


@_check
async def a_put_replaces_the_whole_row(storage: Storage) -> None:
    """There is no merging."""
    table = fresh_table()
    await storage.write([Put(table, "k", {"a": 1, "status": "x"})])
    await storage.write([Put(table, "k", {"b": 2})])
    expect(await storage.get(table, "k"), {"b": 2})
    expect((await storage.scan(table, {"status": "x"})).records, [])


@_check
async def many_rows_are_read_by_their_keys(storage: Storage) -> None:
    """The missing ones are left out."""
    table = fresh_table()
    await storage.write([Put(table, f"k{index}", {"n": index}) for index in range(5)])
    expect(await storage.get_many(table, ["k3", "nothing", "k1", "k3"]), {"k1": {"n": 1}, "k3": {"n": 3}})
    expect(await storage.get_many(table, []), {})


@_check
async def a_batch_happens_whole_or_not_at_all(storage: Storage) -> None:
    """A broken precondition leaves nothing behind."""
    table = fresh_table()
    await storage.write([Put(table, "a", {"n": 1})])
    batch: list[Operation] = [
        Put(table, "a", {"n": 2}),
        Put(table, "b", {"n": 2}),
        Expect(table, "a", {"n": 5}),
        Delete(table, "a"),
    ]
    await expect_raises(Conflict, storage.write(batch))
    expect(await storage.get(table, "a"), {"n": 1})
    expect(await storage.get(table, "b"), None)
    await storage.write([])


@_check
async def expectations_look_at_what_was_there_before_the_batch(storage: Storage) -> None:
    """Wherever they stand in it."""
    table = fresh_table()
    await storage.write([Put(table, "k", {"n": 1}), Expect(table, "k", None)])
    await expect_raises(Conflict, storage.write([Put(table, "k", {"n": 2}), Expect(table, "k", None)]))
    await storage.write([Delete(table, "k"), Expect(table, "k", {"n": {"$lt": 2}})])
    await expect_raises(Conflict, storage.write([Expect(table, "k", {})]))
    await storage.write([Expect(table, "k", None), Put(table, "k", {"n": 3})])
    expect(await storage.get(table, "k"), {"n": 3})


@_check
async def a_row_is_written_behind_a_condition_on_another_and_only_when_it_holds(storage: Storage) -> None:
    """The usual write of a journal; a number is not the text of it."""
    table, other = fresh_table(), fresh_table()
    await storage.write([Put(table, "run", {"token": 5, "name": 'o"ne', "half": 2.5})])
    fits: list[dict[str, object]] = [{"token": 5}, {"name": 'o"ne'}]
    for number, where in enumerate(fits):
        await storage.write([Expect(table, "run", where), Put(other, f"e{number}", {"n": number})])
        await storage.write([Put(other, f"e{number}", {"n": -number}), Expect(table, "run", where)])
        expect(await storage.get(other, f"e{number}"), {"n": -number})
    wrong: list[dict[str, object]] = [{"token": 4}, {"token": "5"}, {"name": 5}, {"missing": 5}, {"half": 2}]
    for where in wrong:
        await expect_raises(Conflict, storage.write([Expect(table, "run", where), Put(other, "no", {})]), where)
    await expect_raises(Conflict, storage.write([Expect(table, "absent", {"token": 5}), Put(other, "no", {})]))
    expect(await storage.get(other, "no"), None)


@_check
async def a_batch_with_many_preconditions_is_whole_or_nothing(storage: Storage) -> None:
    """Each of them counts, on every table, also when one row is asked for twice."""
    tables = [fresh_table(), fresh_table()]
    await storage.write([Put(table, f"r{n}", {"token": n}) for table in tables for n in range(20)])
    fences: list[Operation] = [Expect(table, f"r{n}", {"token": n}) for table in tables for n in range(20)]
    twice = Expect(tables[0], "r3", {"token": {"$gte": 3}})
    await storage.write([*fences, twice, *(Put(tables[0], f"e{n}", {"n": n}) for n in range(20))])
    expect(await storage.count(tables[0]), 40)
    for broken in (Expect(tables[1], "r7", {"token": 8}), Expect(tables[0], "gone", {"token": 1})):
        await expect_raises(Conflict, storage.write([*fences, broken, Put(tables[0], "late", {})]))
    expect(await storage.get(tables[0], "late"), None)


@_check
async def operations_on_one_key_happen_in_order(storage: Storage) -> None:
    """The last word counts."""
    table = fresh_table()
    await storage.write([Put(table, "k", {"n": 1}), Delete(table, "k"), Put(table, "k", {"n": 2})])
    expect(await storage.get(table, "k"), {"n": 2})
    await storage.write([Put(table, "k", {"n": 3}), Delete(table, "k")])
    expect(await storage.get(table, "k"), None)


@_check
async def a_row_that_is_expected_to_be_absent_stays_absent_until_the_batch_is_done(storage: Storage) -> None:
    """Two batches that each write what the other expects to be absent: one of them is refused."""
    table = fresh_table()

    async def write(round_: int, absent: str, put: str) -> bool:
        try:
            batch: list[Operation] = [Expect(table, f"{absent}{round_}"), Put(table, f"{put}{round_}", {"by": put})]
            await storage.write(batch)
        except Conflict:
            return False
        return True

    for round_ in range(5):
        won = await asyncio.gather(write(round_, "a", "b"), write(round_, "b", "a"))
        expect(won.count(True), 1)
    expect(await storage.count(table), 5)
    await storage.write([Expect(table, "free"), Delete(table, "free")])
    expect(await storage.get(table, "free"), None)


@_check
async def one_of_many_wins_a_compare_and_set(storage: Storage) -> None:
    """Sixteen callers, one row, one winner a round."""
    table = fresh_table()
    await storage.write([Put(table, "k", {"seq": 0})])

    async def turn(seq: int, who: int) -> bool:
        try:
            await storage.write([Expect(table, "k", {"seq": seq}), Put(table, "k", {"seq": seq + 1, "who": who})])
        except Conflict:
            return False
        return True

    for seq in range(5):
        won = await asyncio.gather(*(turn(seq, who) for who in range(16)))
        expect(won.count(True), 1)
        expect((await storage.get(table, "k") or {}).get("who"), won.index(True))


@_check
async def concurrent_batches_lose_nothing(storage: Storage) -> None:
    """Each batch writes two rows; all are there, in pairs."""
    table = fresh_table()
    await asyncio.gather(
        *(
            storage.write([Put(table, f"a{index}", {"n": index}), Put(table, f"b{index}", {"n": index})])
            for index in range(50)
        )
    )
    expect(await storage.count(table), 100)


@_check
async def tenants_never_meet(storage: Storage) -> None:
    """The same keys in two tenants are different rows, for every operation."""
    mine, yours = fresh_table(), fresh_table()
    await storage.write([Put(mine, "k", {"status": "mine"}), Put(yours, "k", {"status": "yours"})])
    await storage.write([Put(yours, "other", {"status": "mine"})])
    expect(await storage.get(mine, "k"), {"status": "mine"})
    expect([record.key for record in (await storage.scan(mine, {"status": "mine"})).records], ["k"])
    expect([record.key for record in (await storage.scan(mine, order=Order("status"))).records], ["k"])
    expect(await storage.count(mine), 1)
    expect(await storage.get(mine, "other"), None)
    await storage.write([Delete(mine, "k"), Delete(mine, "other")])
    expect(await storage.get(yours, "k"), {"status": "yours"})
    expect(await storage.count(yours), 2)


@_check
async def tenants_that_begin_alike_never_meet(storage: Storage) -> None:
    """A tenant whose name begins with another's sees its own rows only."""
    name = f"t{new_id()}"
    for tenant in (name, f"{name}0", f"{name}/u", ""):
        await storage.write([Put(fresh_table(tenant=tenant), "prefix", {"status": tenant, "at": 1})])
    for tenant in (name, f"{name}0", f"{name}/u"):
        records = await read_all(storage, fresh_table(tenant=tenant), order=Order("at"))
        expect([record.value["status"] for record in records], [tenant])
        records = await read_all(storage, fresh_table(tenant=tenant))
        expect([record.value["status"] for record in records], [tenant])


@_check
async def pages_cover_every_row_once_in_order(storage: Storage) -> None:
    """Up and down, by key and by field, with equal and missing values of several types."""
    table = fresh_table()
    values: list[Any] = [
        None,
        3,
        -1,
        2.5,
        3,
        "b",
        "a",
        "",
        "ä",
        "🌍",
        "~",
        True,
        False,
        0,
        1e300,
        -1e300,
        None,
        "a",
        10,
        9,
    ]
    rows = {f"k{index:02d}": {"at": value} for index, value in enumerate(values)} | {"none": {}}
    keys = list(rows)
    random.Random(7).shuffle(keys)  # noqa: S311 - a repeatable shuffle
    for key in keys:
        await storage.write([Put(table, key, rows[key])])
    by_key = [record.key for record in await read_all(storage, table, limit=4)]
    expect(by_key, sorted(rows))
    for descending in (False, True):
        found = [record.key for record in await read_all(storage, table, order=Order("at", descending), limit=3)]
        wanted = sorted(rows, key=lambda key: (_place(rows[key].get("at")), key), reverse=descending)
        expect(found, wanted)


def _place(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (2, value) if isinstance(value, str) else (1, value)


@_check
async def pages_go_on_where_they_stopped_while_rows_change(storage: Storage) -> None:
    """A row deleted after its page, or added before the cursor, moves nothing."""
    table = fresh_table()
    await storage.write([Put(table, f"k{index}", {"at": index}) for index in range(6)])
    page = await storage.scan(table, order=Order("at"), limit=3)
    expect([record.key for record in page.records], ["k0", "k1", "k2"])
    await storage.write([Delete(table, "k2"), Put(table, "early", {"at": -5})])
    rest = await storage.scan(table, order=Order("at"), after=page.after, limit=10)
    expect([record.key for record in rest.records], ["k3", "k4", "k5"])
    expect(rest.after, None)


@_check
async def fields_that_are_looked_up_together_give_their_order(storage: Storage) -> None:
    """The rows of one group by time, both ways, in pages, beside other groups."""
    table = fresh_table()
    rows = [Put(table, f"{group}{at}", {"group": group, "at": at}) for group in "abc" for at in (5, 1, 4, 2, 3)]
    await storage.write([*rows, Put(table, "a0", {"group": "a"}), Put(table, "none", {"at": 3})])
    up = await read_all(storage, table, {"group": "a"}, order=Order("at"), limit=2)
    expect([record.key for record in up], ["a0", "a1", "a2", "a3", "a4", "a5"])
    down = await read_all(storage, table, {"group": "a", "at": {"$gte": 2}}, order=Order("at", True), limit=2)
    expect([record.key for record in down], ["a5", "a4", "a3", "a2"])
    expect(await storage.count(table, {"group": "b"}), 5)
    by_key = await read_all(storage, table, {"group": "c"}, limit=2)
    expect([record.key for record in by_key], ["c1", "c2", "c3", "c4", "c5"])


@_check
async def filters_mean_what_they_mean_in_python(storage: Storage) -> None:
    """Random rows against random filters: the same rows as `types.filters.matches` chooses."""
    table = fresh_table()
    rng = random.Random(20)  # noqa: S311 - repeatable rows and filters
    rows = {f"k{index:03d}": _random_row(rng) for index in range(60)}
    await storage.write([Put(table, key, value) for key, value in rows.items()])
    for _ in range(60):
        where = _random_filter(rng)
        wanted = sorted(key for key, value in rows.items() if matches(where, value))
        found = [record.key for record in await read_all(storage, table, where, limit=17)]
        expect(found, wanted, where)
        ordered = await read_all(storage, table, where, order=Order("at"), limit=17)
        expect(sorted(record.key for record in ordered), wanted, where)
        expect(await storage.count(table, where), len(wanted), where)


_SCALARS: list[Any] = [None, True, False, 0, 1, 2, -3.5, 1.0, "", "a", "b", "1", "true", "null", "%", "a_", "é", 2**40]


def _random_row(rng: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {field: rng.choice(_SCALARS) for field in ("status", "at", "group") if rng.random() < 0.8}
    for field in ("tags", "meta", "free"):
        row[field] = rng.choice(
            [
                [rng.choice(_SCALARS) for _ in range(rng.randint(0, 3))],
                {"deep": rng.choice(_SCALARS)},
                rng.choice(_SCALARS),
            ]
        )
    return row


def _random_filter(rng: random.Random, depth: int = 0) -> Filter:
    where: Filter = {}
    for _ in range(rng.randint(1, 2)):
        field = rng.choice(["status", "at", "group", "tags", "meta", "meta.deep", "free", "free.0", "absent"])
        where[field] = _random_operand(rng)
    if depth < 2 and rng.random() < 0.3:
        word = rng.choice(["$and", "$or", "$nor"])
        where[word] = [_random_filter(rng, depth + 1) for _ in range(rng.randint(1, 2))]
    return where


def _random_operand(rng: random.Random) -> Any:
    scalar = rng.choice(_SCALARS)
    comparable = rng.choice([0, 1, -4, 1.5, "", "a", "b", 2**39])
    return rng.choice(
        [
            scalar, {"$eq": scalar}, {"$ne": scalar}, {"$in": [scalar, rng.choice(_SCALARS)]}, {"$nin": [scalar]},
            {rng.choice(["$gt", "$gte", "$lt", "$lte"]): comparable}, {"$exists": rng.random() < 0.5}, [scalar],
            {"$gte": 0, "$lt": 2}, {"$gt": "", "$lte": "b"}, {"$not": {"$eq": scalar}}, {"$contains": scalar},
            {"$size": rng.randint(0, 2)}, {"$all": [scalar]}, {"$regex": "^[ab1]"}, {"$elemMatch": {"$eq": scalar}},
        ]
    )  # fmt: skip


@_check
async def nothing_in_a_filter_becomes_code(storage: Storage) -> None:
    """Hostile keys and values select what they mean: rows that have them, and no others."""
    table = fresh_table()
    await storage.write([Put(table, "innocent", {"status": "safe", "meta": {"a": 1}})])
    for index, text in enumerate(INJECTIONS):
        await storage.write([Put(table, "hit", {"status": text, "meta": {text: index}})])
        expect([record.key for record in (await storage.scan(table, {"status": text})).records], ["hit"], text)
        expect([r.key for r in (await storage.scan(table, {"status": {"$in": [text]}})).records], ["hit"], text)
        if "." not in text and not text.startswith("$"):
            where = {"meta": {"$elemMatch": {text: index}}}
            expect((await storage.scan(table, where)).records, [], text)
            found = await storage.scan(table, {f"meta.{text}": index})
            expect([record.key for record in found.records], ["hit"], text)
            expect((await storage.scan(table, {text: index})).records, [], text)
    expect(await storage.count(table), 2)


@_check
async def filters_that_are_not_known_are_refused(storage: Storage) -> None:
    """Never ignored: an ignored condition shows everything."""
    table = fresh_table()
    await storage.write([Put(table, "k", {"status": "x"})])
    wrong: list[Any] = [
        {"status": {"$equals": "x"}}, {"$where": "1"}, {"$or": []}, {"$and": {"status": "x"}}, {"status": {"$in": "x"}},
        {"status": {"$gt": None}}, {"status": {"$gt": True}}, {"status": {"$regex": "("}}, {"status": {"$exists": 1}},
        {"status": {"$regex": "(?=a)"}}, ["status"], {"status": {"$regex": "a{1000}"}}, {"status": float("nan")},
    ]  # fmt: skip
    for where in wrong:
        await expect_raises(InvalidFilter, storage.scan(table, where), where)
        await expect_raises(InvalidFilter, storage.count(table, where), where)
        await expect_raises(InvalidFilter, storage.write([Expect(table, "k", where)]), where)


@_check
async def wrong_keys_are_refused_at_the_door(storage: Storage) -> None:
    """By every method, before anything is read or written."""
    table = fresh_table()
    wrong: list[Any] = [
        "",
        "a b",
        "../x",
        "a\0b",
        "ключ",
        "a'b",
        "x" * 513,
        None,
        5,
        ["k"],
        {"$gt": ""},
        "\ud800",
        "a\n",
    ]
    for key in wrong:
        await expect_raises(InvalidId, storage.get(table, key), key)
        await expect_raises(InvalidId, storage.get_many(table, [key]), key)
        await expect_raises(InvalidId, storage.write([Put(table, "good", {}), Put(table, key, {})]), key)
        await expect_raises(InvalidId, storage.write([Delete(table, key)]), key)
        await expect_raises(InvalidId, storage.write([Expect(table, key, None)]), key)
    expect(await storage.count(table), 0)
    longest = "x" * 512
    await storage.write([Put(table, longest, {"n": 1}), Put(table, "thread~1/run:2/@+=.-", {"n": 2})])
    expect(await storage.get(table, longest), {"n": 1})
    expect(await storage.get(table, "thread~1/run:2/@+=.-"), {"n": 2})


@_check
async def wrong_values_are_refused_at_the_door(storage: Storage) -> None:
    """With the place that is wrong; the rest of the batch is not written."""
    table = fresh_table()
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    wrong: list[Any] = [
        {"a": "\0"}, {"a\0": 1}, {"a": ["x", {"b": "\ud800"}]}, {"\udfff": 1}, {"a": float("nan")}, {"a": float("inf")},
        deep, {"a": b"x"}, {"a": {1, 2}}, {1: "a"}, "text", None, [1], {"a": object()}, {"status": ["x"]},
        {"status": {"a": 1}}, {"status": "x" * 1025}, {"status": "ä" * 513}, {"at": 2**53 + 1},
    ]  # fmt: skip
    for value in wrong:
        await expect_raises(InvalidInput, storage.write([Put(table, "good", {}), Put(table, "bad", value)]), value)
    expect(await storage.count(table), 0)
    backslash = {"a": "\\u0000 is text here", "status": "x" * 768, "at": 2**53}
    await storage.write([Put(table, "good", backslash)])
    expect(await storage.get(table, "good"), backslash)


@_check
async def large_rows_come_back_whole(storage: Storage) -> None:
    """A row of two megabytes, read by key and by scan."""
    table = fresh_table()
    value = {"status": "large", "text": "größer🌍" * 150_000}
    await storage.write([Put(table, "large", value)])
    expect(await storage.get(table, "large"), value)
    expect((await storage.scan(table, {"status": "large"})).records, [Record("large", value)])


@_check
async def wrong_scans_are_refused(storage: Storage) -> None:
    """Limits, orders and cursors that cannot be."""
    table = fresh_table()
    await storage.write([Put(table, f"k{index}", {"at": index}) for index in range(3)])
    limits: list[Any] = [0, -1, 10_001, None, "5", True, 2.5]
    for limit in limits:
        await expect_raises(InvalidInput, storage.scan(table, limit=limit), limit)
    await expect_raises(InvalidInput, storage.scan(table, order=Order("unknown")))
    await expect_raises(InvalidInput, storage.scan(table, order=Order("at; DROP TABLE x")))
    page = await storage.scan(table, limit=1)
    for cursor in ("", "x", "!!", "W10", f"{page.after}AA", "eyJhIjoxfQ", "WyJhIGIiXQ"):
        await expect_raises(InvalidInput, storage.scan(table, after=cursor), cursor)
    await expect_raises(InvalidInput, storage.scan(table, order=Order("at"), after=page.after))


@_check
async def an_index_can_be_added_to_rows_that_are_there(storage: Storage) -> None:
    """A newer declaration finds what an older one wrote; the older one goes on writing."""
    tenant = f"t{new_id()}"
    name = f"grown_{new_id()[:8]}"
    old, new = Table(name, ("status",), tenant), Table(name, ("status", "status+rank", "rank"), tenant)
    await storage.write([Put(old, f"k{index}", {"status": "s", "rank": -index}) for index in range(4)])
    ranked = await storage.scan(new, {"status": "s"}, order=Order("rank"))
    expect([record.key for record in ranked.records], ["k3", "k2", "k1", "k0"])
    await storage.write([Put(old, "k9", {"status": "s", "rank": -9})])
    ranked = await storage.scan(new, {"rank": {"$lt": -2}}, order=Order("rank"))
    expect([record.key for record in ranked.records], ["k9", "k3"])


@_check
async def claimed_rows_belong_to_one_caller(storage: Storage) -> None:
    """When the adapter can claim: eight callers share twenty rows without overlap."""
    if not isinstance(storage, SupportsClaim):
        return
    table = fresh_table()
    await storage.write([Put(table, f"k{index:02d}", {"status": "open", "at": index}) for index in range(20)])

    async def take(who: int) -> list[Record]:
        assert isinstance(storage, SupportsClaim)
        return await storage.claim(
            table, {"status": "open"}, order=Order("at"), limit=3, changes={"status": "taken", "who": who}
        )

    taken = [record for records in await asyncio.gather(*(take(who) for who in range(8))) for record in records]
    expect(sorted(record.key for record in taken), [f"k{index:02d}" for index in range(20)])
    for record in taken:
        expect(await storage.get(table, record.key), record.value)
    expect(await storage.count(table, {"status": "open"}), 0)


@_check
async def opening_twice_and_closing_twice_is_fine(storage: Storage) -> None:
    """And a row that was acknowledged is there after closing and opening."""
    table = fresh_table()
    await storage.open()
    await storage.write([Put(table, "k", {"n": 1})])
    await storage.close()
    await storage.close()
    await storage.open()
    expect(await storage.get(table, "k"), {"n": 1})
