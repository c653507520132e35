"""What the PostgreSQL adapter binds and how it reads errors; the contract suite runs against a server."""

import uuid

import pytest

pytest.importorskip("psycopg")

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadSetting, Conflict, StorageCorrupt, StorageFull, StorageUnavailable
from mastra.storage.postgres import PostgresStorage
from mastra.storage.sortkeys import sort_key
from mastra.types.records import Put, Table

TABLE = Table("rows", ("status",), "tenant")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@given(SCALARS, SCALARS)
def test_encoded_values_sort_as_orders_do(left, right):
    storage = PostgresStorage("postgresql://h/d")
    one, other = storage.encode(left).encode(), storage.encode(right).encode()
    assert (one < other) == (sort_key(left) < sort_key(right))


def test_values_are_bound_and_only_checked_names_are_part_of_a_statement():
    storage = PostgresStorage("postgresql://h/d", schema="mine")
    sql = storage.insert_sql(TABLE, replace=True)
    assert sql.startswith('INSERT INTO mine."m_rows"(tenant, key, exact) VALUES (%s, %s, %s::json)')
    assert storage.insert_arguments(Put(TABLE, "k'; DROP", {}), "{}") == ("tenant", "k'; DROP", "{}")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://h/d?schema=a;b",
        "postgres://h/d?pool_size=0",
        "postgres://h/d?pool_size=x",
        "postgres://h/d?row_security=yes",
    ],
)
def test_settings_that_cannot_be_are_refused(url):
    with pytest.raises(BadSetting):
        PostgresStorage.from_url(url)


def test_errors_of_the_server_in_our_words():
    storage = PostgresStorage("postgresql://h/d")
    wanted = {
        psycopg.errors.DiskFull: StorageFull,
        psycopg.errors.DataCorrupted: StorageCorrupt,
        psycopg.errors.UniqueViolation: Conflict,
        psycopg.OperationalError: StorageUnavailable,
        OSError: StorageUnavailable,
    }
    for kind, ours in wanted.items():
        told = storage.translate(kind("postgresql://u:hunter2@h"))
        assert isinstance(told, ours), kind
        assert "hunter2" not in f"{told}" or ours is StorageCorrupt
    mine = ValueError("mine")
    assert storage.translate(mine) is mine
    assert storage.is_deadlock(psycopg.errors.DeadlockDetected())
    assert storage.is_duplicate(psycopg.errors.UniqueViolation())


@pytest.fixture
async def guarded():
    """A schema of its own, for a role that no guard lets through; and a session of that role without mastra."""
    server = "postgresql://{}@127.0.0.1/test"
    name = f"guarded_{uuid.uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(server.format("postgres"), autocommit=True) as admin:
        await admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER".encode())
        await admin.execute(f"CREATE SCHEMA {name} AUTHORIZATION {name}".encode())
        async with await psycopg.AsyncConnection.connect(server.format(name), autocommit=True) as session:
            yield name, session
        await admin.execute(f"DROP SCHEMA {name} CASCADE".encode())
        await admin.execute(f"DROP ROLE {name}".encode())


def storage_of(name, **options):
    return PostgresStorage(f"postgresql://{name}@127.0.0.1/test", schema=name, **options)


async def seen(session, name, tenant=None):
    if tenant is not None:
        await session.execute("SELECT set_config('mastra.tenant', %s, false)", (tenant,))
    rows = await session.execute(f'SELECT tenant, key FROM {name}."m_rows" ORDER BY 1, 2')
    return await rows.fetchall()


@pytest.mark.service
async def test_the_server_itself_keeps_tenants_apart(guarded):
    name, session = guarded
    storage = storage_of(name, row_security=True)
    one, other = Table("rows", (), "one"), Table("rows", (), "other")
    await storage.write([Put(one, "a", {"n": 1}), Put(other, "b", {"n": 2}), Put(Table("rows"), "c", {"n": 3})])
    assert await seen(session, name) == [], "who names nobody sees nothing"
    assert await seen(session, name, "t:one") == [("one", "a")]
    assert await seen(session, name, "t:") == [("", "c")]
    await session.execute("SELECT set_config('mastra.tenant', 't:one', false)")
    insert = f"""INSERT INTO {name}."m_rows"(tenant, key, exact) VALUES ('other', 'x', '{{}}')"""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await session.execute(insert)
    changed = await session.execute(f"""DELETE FROM {name}."m_rows" WHERE tenant = 'other'""")
    assert changed.rowcount == 0
    # The storage goes from one tenant to the next on the same connections.
    for _ in range(3):
        assert [await storage.get(table, key) for table, key in ((one, "a"), (other, "b"), (one, "b"))] == [
            {"n": 1}, {"n": 2}, None,
        ]  # fmt: skip
    assert [table.tenant for table in await storage.tables()] == ["", "one", "other"]
    await storage.close()


@pytest.mark.service
async def test_a_schema_is_guarded_later_and_stays_so(guarded):
    name, session = guarded
    open_storage = storage_of(name)
    await open_storage.write([Put(Table("rows"), "c", {"n": 3})])
    await open_storage.close()
    assert await seen(session, name) == [("", "c")]
    for security in (True, False):
        storage = storage_of(name, row_security=security)
        assert await storage.get(Table("rows"), "c") == {"n": 3}
        await storage.write([Put(Table("later"), "d", {"n": 4})])
        assert await storage.get(Table("later"), "d") == {"n": 4}
        await storage.close()
        assert await seen(session, name) == []


@pytest.mark.service
async def test_rows_are_jsonb_for_the_server_and_come_back_exactly(guarded):
    name, session = guarded
    storage = storage_of(name)
    value = {"zebra": 1, "a": {"y": 1e23, "x": -0.0, "list": ["b", {"d": 1, "c": 2}]}, "big": 10**40}
    await storage.write([Put(Table("rows"), "k", value)])
    found = await storage.get(Table("rows"), "k")
    assert repr(found) == repr(value), "the order of keys and every digit"
    kind = await session.execute(
        f"SELECT pg_typeof(value)::text, value->'a'->'list'->1->>'c' FROM {name}.m_rows"
        """ WHERE value @> '{"zebra": 1}'"""
    )
    assert await kind.fetchall() == [("jsonb", "2")]
    await storage.close()
