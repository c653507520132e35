"""What the MongoDB adapter sends and how it reads errors; the contract suite runs against a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pymongo")

from pymongo import errors as mongo_errors

from mastra.errors import (
    BadSetting,
    CommitUnknown,
    InvalidFilter,
    InvalidInput,
    StorageCorrupt,
    StorageFull,
    StorageUnavailable,
)
from mastra.storage import mongodb
from mastra.storage.mongodb import MongoStorage, translate
from mastra.storage.plans import plan
from mastra.storage.sortkeys import sort_key
from mastra.types.filters import compile_filter
from mastra.types.records import Order, Put, Table

TABLE = Table("rows", ("status", "at"), "tenant")
SCALARS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**53), 2**53), st.booleans(),
                    st.floats(allow_nan=False))  # fmt: skip


@given(SCALARS, SCALARS)
def test_encoded_values_sort_as_orders_do(left, right):
    one, other = mongodb._encode(left).encode(), mongodb._encode(right).encode()
    assert (one < other) == (sort_key(left) < sort_key(right))


@given(st.recursive(SCALARS | st.none(), lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3)))
def test_nothing_that_a_user_passes_becomes_part_of_a_query(operand):
    """All values are texts with a mark before them, all keys are ours."""

    def look(query):
        for key, value in query.items():
            assert key in {"$and", "$or", "t", "k", "f.status", "f.at", "$eq", "$in", "$gt", "$gte", "$lt", "$lte"}
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    look(item)
                else:
                    assert item is None or isinstance(item, str)

    for where in ({"status": operand}, {"status": {"$gt": "a"}, "at": {"$in": [operand]}}):
        try:
            compile_filter(where)
            chosen = plan(TABLE, where, Order("at"))
        except (InvalidFilter, InvalidInput):
            continue  # refused at the door
        look(mongodb._query(TABLE, chosen))


def test_a_row_keeps_its_short_fields_beside_its_text():
    value = {"status": "new", "at": 3, "long": "x" * 800, "big": 2**60, "list": [1], "none": None, "a.b": 1, "$x": 2}
    document = mongodb._document(Put(TABLE, "k", value), "{}")
    assert set(document["f"]) == {"status", "at"}
    assert (document["_id"], document["t"], document["k"]) == ("tenant k", "tenant", "k")
    assert document["r"] != mongodb._document(Put(TABLE, "k", value), "{}")["r"]


def test_a_document_that_is_not_ours_is_refused_by_name():
    for text in ("[1]", "{", None):
        with pytest.raises(StorageCorrupt, match="'k' of 'rows'"):
            mongodb._record(TABLE, {"k": "k", "v": text})


def test_errors_say_whether_a_write_may_have_happened():
    broke = mongo_errors.AutoReconnect("gone")
    assert type(translate(broke, writing=True)) is CommitUnknown
    before = translate(broke)
    assert type(before) is StorageUnavailable
    assert before.retryable
    assert isinstance(translate(mongo_errors.ServerSelectionTimeoutError("no"), writing=True), StorageUnavailable)
    assert isinstance(translate(mongo_errors.OperationFailure("no", 14031)), StorageFull)
    assert isinstance(translate(mongo_errors.OperationFailure("no", 20)), BadSetting)
    assert isinstance(translate(mongo_errors.DocumentTooLarge("no")), InvalidInput)
    assert not translate(mongo_errors.OperationFailure("no", 18)).retryable
    mine = ValueError("mine")
    assert translate(mine) is mine
    secret = translate(mongo_errors.OperationFailure("mongodb://u:hunter2@h", 99))
    assert "hunter2" not in f"{secret}{secret.hint}"


@pytest.mark.parametrize("url", ["mongodb://h/a b", "mongodb://h/db?writers=0", "mongodb://h/db?writers=x"])
def test_settings_that_cannot_be_are_refused(url):
    with pytest.raises(BadSetting):
        MongoStorage.from_url(url)


async def test_a_url_that_the_driver_refuses_is_a_setting(tmp_path):
    with pytest.raises(BadSetting):
        await MongoStorage.from_url("mongodb://host:notaport/db").open()
    await MongoStorage.from_url("mongodb://h/db").close()


async def test_a_row_that_is_too_large_is_refused_before_anything_is_sent():
    storage = MongoStorage.from_url("mongodb://127.0.0.1:1/db")
    with pytest.raises(InvalidInput, match="larger"):
        await storage.write([Put(TABLE, "k", {"text": "x" * (mongodb.MAX_TEXT + 1)})])
