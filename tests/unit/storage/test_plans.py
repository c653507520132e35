"""Which index serves which query."""

from mastra.storage.plans import plan
from mastra.types.records import Order, Table

TABLE = Table("messages", ("thread", "thread+seq", "owner+at", "at"))


def test_fields_indexed_together_fix_one_and_order_by_the_other():
    chosen = plan(TABLE, {"thread": "t"}, Order("seq"))
    assert (chosen.fields, chosen.fixed, chosen.ordered, chosen.exact) == (("thread", "seq"), ("t",), True, True)


def test_without_an_order_the_keys_of_a_fixed_field_are_in_order():
    chosen = plan(TABLE, {"thread": "t"}, None)
    assert (chosen.fields, chosen.ordered) == (("thread",), True)


def test_an_order_alone_uses_its_index():
    chosen = plan(TABLE, None, Order("at"))
    assert (chosen.fields, chosen.fixed, chosen.ordered, chosen.exact) == (("at",), (), True, True)


def test_numbers_and_booleans_need_a_second_look():
    assert not plan(TABLE, {"at": 1}, None).exact
    assert plan(TABLE, {"at": {"$gt": "2026"}}, Order("at")).exact


def test_what_no_index_knows_is_read_in_the_order_of_keys():
    chosen = plan(TABLE, {"free": 1}, None)
    assert (chosen.fields, chosen.ordered, chosen.exact) == (None, True, False)
