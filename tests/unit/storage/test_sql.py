"""What the SQL servers share: conditions and pages as statements, with everything bound."""

from contextlib import asynccontextmanager

import pytest

from mastra.errors import CommitUnknown, StorageCorrupt, StorageUnavailable
from mastra.storage.sql import SqlStorage
from mastra.types.records import Order, Put, Table

TABLE = Table("rows", ("status", "at"), "tenant")


class Recorder(SqlStorage):
    """A server that remembers statements, answers with rows, and breaks where it is told to."""

    adapter = "recorder"

    def __init__(self, rows=()):
        super().__init__()
        self.rows, self.ran, self.indexed = list(rows), [], []
        self.breaks: str | None = None

    @asynccontextmanager
    async def session(self, *, write=False, tenant=None):
        yield self
        if write and self.breaks == "commit":
            raise OSError("broken")

    async def run(self, sql, arguments=()):
        self.ran.append((sql, list(arguments)))
        if self.breaks == "statement":
            raise OSError("broken")
        return self.rows

    async def run_many(self, sql, arguments):
        for item in arguments:
            await self.run(sql, item)

    async def open(self): ...
    async def close(self): ...
    async def declare(self, table): ...

    def translate(self, error):
        return StorageUnavailable("away") if isinstance(error, OSError) else error

    def is_deadlock(self, error):
        return False

    def is_duplicate(self, error):
        return False

    def name(self, table):
        return f"m_{table.name}"

    def column(self, field):
        return f"f_{field}"

    def insert_sql(self, table, *, replace):
        return f"{'REPLACE' if replace else 'INSERT'} m_{table.name}"

    def insert_arguments(self, operation, text):
        return operation.table.tenant, operation.key, text

    async def make_text_index(self, session, table, search):
        self.indexed.append((table.name, search.path.json_path()))

    def match(self, search):
        return "MATCH(%s)", [" ".join(search.words)], "RANK(%s)", [search.words[0]]

    def encode(self, value):
        return value


async def test_of_a_text_query_only_the_words_reach_the_server():
    server = Recorder([("k", '{"status":"new","title":"drop the table"}'), ("l", '{"title":"another"}')])
    hostile = "table'; DROP; --"
    found = await server.search_text(TABLE, "title", hostile, where={"status": "new"}, limit=5)
    assert [record.key for record in found] == ["k"], "what the server took for a match is looked at"
    [(sql, arguments)] = server.ran
    assert "DROP" not in sql.upper().replace("%S", "")
    assert arguments == ["tenant", "new", "table drop", "table", 0]
    await server.search_text(TABLE, "title", "table")
    assert server.indexed == [("rows", '$."title"')], "the index is asked for once"


async def test_what_a_user_passes_is_bound():
    server = Recorder([("k", '{"status":"new"}')])
    hostile = "x'; DROP TABLE m_rows; --"
    await server.scan(TABLE, {"status": hostile, "at": {"$gte": "a", "$lt": hostile}}, order=Order("at"))
    await server.get_many(TABLE, ["k1", "k2"])
    server.rows = [(3,)]
    assert await server.count(TABLE, {"status": hostile}) == 3
    for sql, arguments in server.ran:
        assert "DROP" not in sql
        assert sql.count("%s") == len(arguments)
        assert arguments[0] == "tenant", "the tenant is part of every condition"


async def test_a_page_goes_on_after_the_last_row_of_the_one_before():
    server = Recorder([(f"k{n}", f'{{"at":{n},"status":"new"}}') for n in range(3)])
    page = await server.scan(TABLE, {"status": "new"}, order=Order("at", descending=True), limit=2)
    assert [record.key for record in page.records] == ["k0", "k1"]
    await server.scan(TABLE, {"status": "new"}, order=Order("at", descending=True), limit=2, after=page.after)
    sql, arguments = server.ran[-1]
    assert "f_at <= %s AND (f_at < %s OR key < %s)" in sql
    assert arguments[-3:] == [1, 1, "k1"]


async def test_a_break_at_the_commit_is_unknown_and_one_before_it_is_not():
    server = Recorder()
    server.breaks = "commit"
    with pytest.raises(CommitUnknown):
        await server.write([Put(TABLE, "k", {})])
    server.breaks = "statement"
    with pytest.raises(StorageUnavailable) as caught:
        await server.write([Put(TABLE, "k", {})])
    assert caught.value.retryable


async def test_a_row_that_is_not_json_is_named():
    with pytest.raises(StorageCorrupt, match="'k' of 'rows'"):
        await Recorder([("k", "{")]).get(TABLE, "k")
