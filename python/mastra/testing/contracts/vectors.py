"""What every vector store must do. `CHECKS` maps a sentence to a coroutine function that takes an opened store.

Each check makes indexes of its own, so that all can share one server.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mastra.errors import DimensionMismatch, IndexExists, IndexMissing, InvalidFilter, InvalidId, InvalidInput, NotFound
from mastra.ports.vectors import IndexInfo, Match, Metric, VectorRow, VectorStore
from mastra.testing.contracts.expectations import expect, expect_raises
from mastra.testing.contracts.injections import INJECTIONS
from mastra.types.filters import matches
from mastra.types.ids import new_id
from mastra.types.records import Filter

Check = Callable[[VectorStore], Awaitable[None]]
CHECKS: dict[str, Check] = {}
CLOSE = 2e-3


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


async def fresh_index(store: VectorStore, dimension: int = 3, metric: Metric = "cosine") -> str:
    """An index that no other check uses."""
    name = f"c_{new_id().replace('-', '')[:20]}"
    await store.create(name, dimension, metric)
    return name


async def _filled(store: VectorStore) -> str:
    index = await fresh_index(store)
    rows = [
        VectorRow("x", [1, 0, 0], {"axis": "x", "n": 1, "tags": ["a", "b"]}, "along x"),
        VectorRow("y", [0, 1, 0], {"axis": "y", "n": 2, "tags": ["b"]}, "along y"),
        VectorRow("z", [0, 0, 1], {"axis": "z", "n": 3, "deep": {"er": True}}),
        VectorRow("xy", [1, 1, 0], {"axis": "xy", "n": 2.5}),
    ]
    await store.upsert(index, rows)
    return index


def ids_of(found: Sequence[Match]) -> list[str]:
    """The ids in their order."""
    return [match.id for match in found]


@_check
async def the_nearest_rows_come_first_with_what_belongs_to_them(store: VectorStore) -> None:
    """Cosine similarity as the score; metadata and document as they were given; vectors when asked for."""
    index = await _filled(store)
    found = await store.query(index, [1, 0.1, 0], k=2)
    expect(ids_of(found), ["x", "xy"])
    _close(found[0].score, 1 / math.sqrt(1.01))
    expect(found[0].metadata, {"axis": "x", "n": 1, "tags": ["a", "b"]})
    expect(found[0].document, "along x")
    expect(found[0].vector, None)
    [match] = await store.query(index, [0, 0, 2], k=1, include_vector=True)
    assert match.vector is not None
    for number, wanted in zip(match.vector, [0, 0, 1], strict=True):
        _close(number, wanted)
    expect(match.document, None)
    expect(len(await store.query(index, [1, 1, 1], k=100)), 4)


def _close(found: float, wanted: float) -> None:
    if abs(found - wanted) > CLOSE:
        raise AssertionError(f"found {found}, wanted {wanted}")


@_check
async def an_index_is_described_listed_and_dropped(store: VectorStore) -> None:
    """Making the same again is fine; another shape is refused; an unknown one is missing everywhere."""
    index = await fresh_index(store, 5, "euclidean")
    expect(await store.describe(index), IndexInfo(index, 5, "euclidean", 0))
    await store.create(index, 5, "euclidean")
    await expect_raises(IndexExists, store.create(index, 6, "euclidean"))
    await expect_raises(IndexExists, store.create(index, 5, "cosine"))
    await store.upsert(index, [VectorRow("a", [1, 2, 3, 4, 5])])
    expect((await store.describe(index)).row_count, 1)
    expect(index in await store.names(), True)
    await store.drop(index)
    expect(index in await store.names(), False)
    for work in (
        store.describe(index),
        store.drop(index),
        store.upsert(index, [VectorRow("a", [1, 2, 3, 4, 5])]),
        store.query(index, [1, 2, 3, 4, 5]),
        store.delete(index, ["a"]),
        store.update(index, "a", metadata={}),
    ):
        await expect_raises(IndexMissing, work)
    await store.create(index, 2)
    expect(await store.query(index, [1, 0]), [])


@_check
async def every_metric_puts_the_best_first(store: VectorStore) -> None:
    """A higher score is better, whatever is measured."""
    vectors: dict[str, list[float]] = {"near": [2, 0.1], "far": [-3, 5], "long": [9, 1]}
    wanted: dict[Metric, list[str]] = {
        "cosine": ["near", "long", "far"],
        "dotproduct": ["long", "near", "far"],
        "euclidean": ["near", "far", "long"],
    }
    for metric, order in wanted.items():
        index = await fresh_index(store, 2, metric)
        await store.upsert(index, [VectorRow(row_id, vector) for row_id, vector in vectors.items()])
        found = await store.query(index, [1.8, 0])
        expect(ids_of(found), order, metric)
        expect(found, sorted(found, key=lambda match: -match.score), metric)


@_check
async def an_upsert_replaces_and_the_last_of_two_counts(store: VectorStore) -> None:
    """Vector, metadata and document together."""
    index = await _filled(store)
    await store.upsert(index, [VectorRow("x", [0, 1, 0], {"n": 0}), VectorRow("x", [0, -1, 0], {"n": 9})])
    [match] = await store.query(index, [0, -1, 0], k=1)
    expect((match.id, match.metadata, match.document), ("x", {"n": 9}, None))
    expect((await store.describe(index)).row_count, 4)
    expect(await store.query(index, [1, 0, 0], where={"axis": "x"}), [])


@_check
async def rows_are_changed_in_part(store: VectorStore) -> None:
    """The vector, the metadata or both; the document stays."""
    index = await _filled(store)
    await store.update(index, "x", vector=[0, 0, -1])
    await store.update(index, "y", metadata={"axis": "other"})
    [match] = await store.query(index, [0, 0, -1], k=1)
    expect((match.id, (match.metadata or {})["axis"], match.document), ("x", "x", "along x"))
    found = await store.query(index, [0, 1, 0], where={"axis": "other"})
    expect([(match.id, match.metadata, match.document) for match in found], [("y", {"axis": "other"}, "along y")])
    await expect_raises(NotFound, store.update(index, "nobody", metadata={}))


@_check
async def rows_are_removed_by_id_and_by_filter(store: VectorStore) -> None:
    """The number of removed rows is told, and they are never found again."""
    index = await _filled(store)
    expect(await store.delete(index, ["x", "nobody", "x"]), 1)
    expect(await store.delete(index, where={"n": {"$gte": 2.5}}), 2)
    expect(ids_of(await store.query(index, [1, 1, 1])), ["y"])
    expect(await store.delete(index, []), 0)
    await expect_raises(InvalidInput, store.delete(index))
    await expect_raises(InvalidInput, store.delete(index, ["y"], where={"n": 1}))
    await expect_raises(InvalidInput, store.delete(index, where={}))
    expect((await store.describe(index)).row_count, 1)


@_check
async def filters_mean_what_they_mean_in_python(store: VectorStore) -> None:
    """Random metadata against random filters: the rows that `types.filters.matches` chooses, nearest first."""
    rng = random.Random(3)  # noqa: S311 - repeatable rows and filters
    index = await fresh_index(store, 4)
    rows = {f"r{number}": _random_metadata(rng) for number in range(60)}
    vectors = {row_id: [rng.uniform(-1, 1) for _ in range(4)] for row_id in rows}
    await store.upsert(index, [VectorRow(row_id, vectors[row_id], metadata) for row_id, metadata in rows.items()])
    for _ in range(40):
        where = _random_filter(rng)
        query = [rng.uniform(-1, 1) for _ in range(4)]
        wanted = [row_id for row_id, metadata in rows.items() if matches(where, metadata)]
        wanted.sort(key=lambda row_id: -_cosine(query, vectors[row_id]))
        found = await store.query(index, query, k=100, where=where)
        expect(sorted(ids_of(found)), sorted(wanted), where)
        best = await store.query(index, query, k=3, where=where)
        expect(ids_of(best), wanted[:3], where)
        for match in best:
            expect(match.metadata, rows[match.id], where)


_SCALARS: list[Any] = [None, True, False, 0, 1, 2, -3.5, 1.0, "", "a", "b", "1", "true", "%", "é", 2**40]


def _random_metadata(rng: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {field: rng.choice(_SCALARS) for field in ("kind", "n") if rng.random() < 0.8}
    row["free"] = rng.choice([rng.choice(_SCALARS), [rng.choice(_SCALARS)], {"deep": rng.choice(_SCALARS)}])
    return row


def _random_filter(rng: random.Random, depth: int = 0) -> Filter:
    where: Filter = {}
    for _ in range(rng.randint(1, 2)):
        scalar = rng.choice(_SCALARS)
        where[rng.choice(["kind", "n", "free", "free.deep", "absent"])] = rng.choice(
            [
                scalar, {"$ne": scalar}, {"$in": [scalar, "a"]}, {"$nin": [scalar]}, {"$exists": rng.random() < 0.5},
                {rng.choice(["$gt", "$gte", "$lt", "$lte"]): rng.choice([0, 1, -4, "", "a", 2**39])},
                {"$not": {"$eq": scalar}}, {"$contains": scalar}, {"$regex": "^[ab1]"},
            ]
        )  # fmt: skip
    if depth < 2 and rng.random() < 0.3:
        where[rng.choice(["$and", "$or", "$nor"])] = [_random_filter(rng, depth + 1)]
    return where


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    return dot / math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))


@_check
async def tenants_in_one_index_never_meet(store: VectorStore) -> None:
    """With a filter on the tenant, only its live rows come back, whatever was added, replaced and removed."""
    rng = random.Random(5)  # noqa: S311 - repeatable
    index = await fresh_index(store, 4)
    live: dict[str, str] = {}
    for _ in range(12):
        rows = []
        for _ in range(10):
            row_id, tenant = f"r{rng.randrange(40)}", rng.choice("AB")
            live[row_id] = tenant
            rows.append(VectorRow(row_id, [rng.uniform(-1, 1) for _ in range(4)], {"tenant": tenant}))
        await store.upsert(index, rows)
        gone = [row_id for row_id in list(live) if rng.random() < 0.2]
        await store.delete(index, gone)
        for row_id in gone:
            del live[row_id]
        for tenant in "AB":
            found = await store.query(index, [1, 1, 1, 1], k=100, where={"tenant": tenant})
            expect(set(ids_of(found)), {row_id for row_id, owner in live.items() if owner == tenant})


@_check
async def nothing_in_a_filter_or_an_id_becomes_code(store: VectorStore) -> None:
    """Hostile texts are found as what they are."""
    index = await fresh_index(store, 2)
    await store.upsert(index, [VectorRow("innocent", [1, 0], {"text": "safe"})])
    printable = [text for text in INJECTIONS if text.isprintable() and len(text) <= 512]
    rows = [VectorRow(f"id {text}", [0, 1], {"text": text}) for text in printable]
    await store.upsert(index, rows)
    for text in printable:
        found = await store.query(index, [0, 1], k=5, where={"text": text})
        expect(ids_of(found), [f"id {text}"], text)
        if "." not in text and not text.startswith("$"):
            expect(await store.query(index, [0, 1], k=5, where={text: "x"}), [], text)
    expect(await store.delete(index, [f"id {text}" for text in printable]), len(printable))
    expect(ids_of(await store.query(index, [0, 1])), ["innocent"])


@_check
async def what_is_wrong_is_refused_and_changes_nothing(store: VectorStore) -> None:
    """Vectors, metadata, ids, filters, numbers."""
    index = await _filled(store)
    vectors: list[Any] = [[1, 2], [1, 2, 3, 4], [], [float("nan"), 0, 0], [float("inf"), 0, 0], [1e39, 0, 0], [0, 0, 0]]
    vectors += ["abc", None, [[1, 2, 3]], ["a", "b", "c"]]
    for vector in vectors:
        kinds = (InvalidInput, DimensionMismatch)
        rows = [VectorRow("good", [1, 0, 0]), VectorRow("bad", vector)]
        await _refused(kinds, store.upsert(index, rows), vector)
        await _refused(kinds, store.query(index, vector), vector)
        await _refused(kinds, store.update(index, "x", vector=vector if vector is not None else [0]), vector)
    metadata: list[Any] = [{"a": float("nan")}, {"a": b"x"}, {"a": "\0"}, {"a": "\ud800"}, "text", {1: 2}]
    for wrong in metadata:
        await expect_raises(InvalidInput, store.upsert(index, [VectorRow("bad", [1, 0, 0], wrong)]), wrong)
        await expect_raises(InvalidInput, store.update(index, "x", metadata=wrong), wrong)
    ids: list[Any] = ["", "a\0", "a\n", "x" * 513, None, 5, "\ud800"]
    for wrong in ids:
        await expect_raises(InvalidId, store.upsert(index, [VectorRow(wrong, [1, 0, 0])]), wrong)
        await expect_raises(InvalidId, store.delete(index, [wrong]), wrong)
    names: list[Any] = ["", "a b", "a'b", "1a", "x" * 49, None, "a;b", "ä"]
    for wrong in names:
        await expect_raises(InvalidId, store.create(wrong, 3), wrong)
        await expect_raises(InvalidId, store.query(wrong, [1, 0, 0]), wrong)
    shapes: list[Any] = [
        (0, "cosine"),
        (-1, "cosine"),
        (1.5, "cosine"),
        (3, "manhattan"),
        (20_000, "cosine"),
    ]
    for dimension, metric in shapes:
        await expect_raises(InvalidInput, store.create("shape", dimension, metric), (dimension, metric))
    counts: list[Any] = [0, -1, 10_001, 1.5, "3", None, True]
    for k in counts:
        await expect_raises(InvalidInput, store.query(index, [1, 0, 0], k=k), k)
    filters: list[Any] = [{"a": {"$near": 1}}, {"$where": "x"}, {"a": {"$in": 1}}, {"$or": []}, {"a": "\0"}, {"\0": 1}]
    filters += [{"a": "\ud800"}, {"a": {"$gt": "\0"}}, {"$or": [{"a": {"$in": ["b", "\0"]}}]}]
    for where in filters:
        await expect_raises(InvalidFilter, store.query(index, [1, 0, 0], where=where), where)
        await expect_raises(InvalidFilter, store.delete(index, where=where), where)
    expect((await store.describe(index)).row_count, 4)
    expect(sorted(ids_of(await store.query(index, [1, 1, 1]))), ["x", "xy", "y", "z"])


async def _refused(kinds: tuple[type[Exception], ...], work: Awaitable[Any], about: Any) -> None:
    try:
        await work
    except kinds:
        return
    raise AssertionError(f"{about!r} was not refused")


@_check
async def a_batch_of_many_rows_is_found_on_return(store: VectorStore) -> None:
    """A thousand rows, each its own nearest."""
    rng = random.Random(9)  # noqa: S311 - repeatable
    index = await fresh_index(store, 16)
    rows = [VectorRow(f"r{number}", [rng.gauss(0, 1) for _ in range(16)], {"n": number}) for number in range(1000)]
    await store.upsert(index, rows)
    expect((await store.describe(index)).row_count, 1000)
    for row in rows[::97]:
        [match] = await store.query(index, row.vector, k=1)
        expect(match.id, row.id)
        [match] = await store.query(index, row.vector, k=1, where={"n": {"$ne": (row.metadata or {})["n"]}})
        expect(match.id != row.id, True)
    await store.upsert(index, [])
    expect(await store.delete(index, where={"n": {"$gte": 10}}), 990)
    expect((await store.describe(index)).row_count, 10)
