"""What the PostgreSQL adapter binds and how it reads errors; the contract suite runs against a server."""

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
    assert sql.startswith('INSERT INTO mine."m_rows"(tenant, key, value) VALUES (%s, %s, %s::json)')
    assert storage.insert_arguments(Put(TABLE, "k'; DROP", {}), "{}") == ("tenant", "k'; DROP", "{}")


@pytest.mark.parametrize(
    "url", ["postgres://h/d?schema=a;b", "postgres://h/d?pool_size=0", "postgres://h/d?pool_size=x"]
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
