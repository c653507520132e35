import apsw
import pytest

from mastra.errors import MastraError, NotFound
from mastra.tools.builtin.sql import sql_tools


@pytest.fixture
def tools(tmp_path):
    path = tmp_path / "a.db"
    connection = apsw.Connection(str(path))
    connection.execute(
        "create table city (name text not null, people int); insert into city values ('Oslo', 7), ('Bergen', 3)"
    )
    connection.close()
    return {tool.name: tool for tool in sql_tools(path)}


async def test_tables_columns_and_rows_are_read(tools):
    assert await tools["list_tables"]() == ["city"]
    assert (await tools["describe_table"](table="city"))[0] == {"name": "name", "type": "TEXT", "required": 1, "key": 0}
    sql = "select name from city where people > ? order by name"
    assert await tools["query_sql"](sql=sql, values=[2]) == [{"name": "Bergen"}, {"name": "Oslo"}]


@pytest.mark.parametrize(
    "sql",
    ["delete from city", "drop table city", "insert into city values ('x', 1)", "attach 'x.db' as x",
     "pragma journal_mode = delete", "create table x (y)", "select load_extension('x')", "not sql", "vacuum"],
)  # fmt: skip
async def test_only_reading_is_allowed(tools, sql):
    with pytest.raises(MastraError):
        await tools["query_sql"](sql=sql)
    assert len(await tools["query_sql"](sql="select * from city")) == 2


async def test_a_query_that_never_ends_is_stopped(tools):
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"
    with pytest.raises(MastraError):
        await tools["query_sql"](sql=endless)


def test_a_missing_database_is_refused(tmp_path):
    with pytest.raises(NotFound):
        sql_tools(tmp_path / "nowhere.db")
