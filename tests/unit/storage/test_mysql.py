"""What the MySQL adapter binds and how it reads errors; the contract suite runs against a server."""

import pytest

pytest.importorskip("asyncmy")

from asyncmy import errors as driver_errors
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadSetting, StorageUnavailable
from mastra.storage.mysql import MySqlStorage
from mastra.storage.sortkeys import sort_key
from mastra.types.records import Table

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)  # fmt: skip


def storage():
    return MySqlStorage.from_url("mysql://user:p%40ss@h:3307/db?pool_size=3")


@given(SCALARS, SCALARS)
def test_encoded_values_sort_as_orders_do(left, right):
    one, other = storage().encode(left), storage().encode(right)
    assert (one < other) == (sort_key(left) < sort_key(right))


def test_names_are_quoted():
    assert storage().name(Table("rows")) == "`m_rows`"
    assert storage().column("status") == "`f_status`"


@pytest.mark.parametrize("url", ["mysql://h/d?pool_size=0", "mysql://h/d?pool_size=x", "mysql://h/d?ssl=1"])
def test_settings_that_cannot_be_are_refused(url):
    with pytest.raises(BadSetting):
        MySqlStorage.from_url(url)


def test_errors_of_the_server_in_our_words():
    broke = storage().translate(driver_errors.OperationalError(2013, "lost connection to hunter2"))
    assert isinstance(broke, StorageUnavailable)
    assert broke.retryable
    assert "hunter2" not in f"{broke}{broke.hint}"
    assert storage().is_deadlock(driver_errors.OperationalError(1213, "deadlock"))
    assert storage().is_duplicate(driver_errors.IntegrityError(1062, "duplicate"))
    mine = ValueError("mine")
    assert storage().translate(mine) is mine
