"""The door of every storage adapter."""

import pytest

from mastra.errors import BadDefinition, InvalidId, InvalidInput
from mastra.storage.rows import (
    check_batch,
    check_key,
    check_table,
    decode_cursor,
    encode_cursor,
    encode_value,
    fields_of,
)
from mastra.types.records import Delete, Expect, Order, Put, Table

TABLE = Table("things", ("status", "owner+at"))


def test_the_indexed_fields_are_listed_once():
    assert fields_of(Table("t", ("a", "a+b", "b"))) == ("a", "b")


@pytest.mark.parametrize(
    "table", [Table("Bad"), Table("a b"), Table(""), Table("t", ("a;b",)), Table("t", ('a"',)), "t"]
)
def test_a_table_with_a_hostile_name_is_a_bad_definition(table):
    with pytest.raises(BadDefinition):
        check_table(table)


def test_a_tenant_with_a_hostile_name_is_refused():
    with pytest.raises(InvalidId):
        check_table(Table("t", (), "a'b"))


def test_keys_may_be_made_of_several_ids():
    assert check_key("thread:1/run~2/0003") == "thread:1/run~2/0003"
    for wrong in ("/a", "a'b", "", "a\n", None):
        with pytest.raises(InvalidId):
            check_key(wrong)


def test_the_refusal_names_the_place():
    with pytest.raises(InvalidInput, match=r"\$\.a\[1\]\.b") as caught:
        encode_value(TABLE, {"a": [1, {"b": float("nan")}]})
    assert caught.value.issues[0]["field"] == "$.a[1].b"


def test_subclasses_of_json_types_are_stored_as_what_they_are():
    class Text(str):
        __slots__ = ()

    assert encode_value(TABLE, {"a": Text("x"), "b": (1, 2)}) == '{"a":"x","b":[1,2]}'


def test_preconditions_come_first():
    batch = [Put(TABLE, "a", {}), Expect(TABLE, "a"), Delete(TABLE, "a")]
    assert [type(operation) for operation, _ in check_batch(batch)] == [Expect, Put, Delete]


def test_a_batch_has_a_largest_size():
    with pytest.raises(InvalidInput):
        check_batch([Delete(TABLE, "a")] * 10_001)


def test_a_cursor_is_read_back():
    order = Order("at")
    assert decode_cursor(order, encode_cursor(order, "2026", "k")) == ("k", "2026")
    assert decode_cursor(None, encode_cursor(None, None, "k")) == ("k", None)
    with pytest.raises(InvalidInput):
        decode_cursor(None, encode_cursor(order, 5, "k"))
