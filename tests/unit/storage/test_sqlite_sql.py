"""The text of a statement depends on the shape of a query, never on what is looked for."""

from __future__ import annotations

import apsw
import pytest

from mastra.storage.plans import plan
from mastra.storage.sqlite_file import declare, prepare
from mastra.storage.sqlite_sql import delete_sql, one_sql, scan_sql, several_sql, upsert_sql, where_sql
from mastra.testing.contracts.injections import INJECTIONS
from mastra.types.json import dumps
from mastra.types.records import Order, Table

TABLE = Table("rows", ("group+at", "status"), "acme")


@pytest.fixture
def database(tmp_path):
    connection = apsw.Connection(str(tmp_path / "a.db"))
    prepare(connection, str(tmp_path / "a.db"))
    declare(connection, TABLE)
    yield connection
    connection.close()


def test_rows_are_written_read_and_removed(database):
    for key, value in (("a", {"group": "g"}), ("b", {}), ("a", {"group": "h"})):
        database.execute(upsert_sql(TABLE), (TABLE.tenant, key, dumps(value)))
    assert database.execute(one_sql(TABLE), ("acme", "a")).get == '{"group":"h"}'
    assert database.execute(one_sql(TABLE), ("other", "a")).get is None
    assert dict(database.execute(several_sql(TABLE), ("acme", '["b","c"]'))) == {"b": "{}"}
    database.execute(delete_sql(TABLE), ("acme", "a"))
    assert database.execute(one_sql(TABLE), ("acme", "a")).get is None


def test_strangers_texts_are_bound():
    plain = where_sql(TABLE, plan(TABLE, {"status": "x", "group": {"$gt": "a"}}, None))[0]
    for text in INJECTIONS:
        sql, arguments = where_sql(TABLE, plan(TABLE, {"status": text, "group": {"$gt": text}}, None))
        assert sql == plain
        assert arguments == ["acme", text, text]


@pytest.mark.parametrize("descending", [False, True])
def test_a_page_begins_inside_the_index(database, descending):
    order = Order("at", descending)
    chosen = plan(TABLE, {"group": "g"}, order)
    for cursor in (None, ("k5", 5), ("k5", None)):
        for sql, arguments in scan_sql(TABLE, chosen, order, cursor):
            steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]
            assert len(steps) == 1, steps
            assert "USING INDEX i_rows__group__at (tenant=? AND f_group=?" in steps[0]
