"""Storage for one tenant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import AccessDenied, InvalidId
from mastra.runtime.tenancy import scoped
from mastra.storage.memory import MemoryStorage
from mastra.testing.contracts import storage as contract
from mastra.testing.contracts.storage import CHECKS
from mastra.types.records import Delete, Order, Put, Table

TABLE = Table("things", ("n",))
steps = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz"), st.integers(0, 5) | st.none()), max_size=30)


@given(steps)
async def test_what_one_tenant_does_no_other_sees(moves):
    storage = MemoryStorage()
    twin = {}
    for tenant, key, number in moves:
        if number is None:
            await scoped(storage, tenant).write([Delete(TABLE, key)])
            twin.pop((tenant, key), None)
        else:
            await scoped(storage, tenant).write([Put(TABLE, key, {"n": number})])
            twin[tenant, key] = {"n": number}
    for tenant in "ABC":
        mine = {key: value for (owner, key), value in twin.items() if owner == tenant}
        page = await scoped(storage, tenant).scan(TABLE, order=Order("n"))
        assert {record.key: record.value for record in page.records} == mine
        assert await scoped(storage, tenant).count(TABLE) == len(mine)
        assert await scoped(storage, tenant, "user").count(TABLE) == 0


async def test_a_tenant_cannot_name_another():
    storage = scoped(MemoryStorage(), "A")
    with pytest.raises(AccessDenied):
        await storage.get(Table("things", (), "B"), "k")
    for wrong in ("", "a/b", "a b", "../a"):
        with pytest.raises(InvalidId):
            scoped(MemoryStorage(), wrong)


@pytest.mark.parametrize("sentence", ["pages_cover_every_row_once_in_order", "claimed_rows_belong_to_one_caller"])
async def test_a_scoped_storage_is_a_storage(sentence, monkeypatch):
    monkeypatch.setattr(
        contract, "fresh_table", lambda tenant=None: Table("contract_rows", ("status", "at", "group+at", "group"))
    )
    await CHECKS[sentence](scoped(MemoryStorage(), "A", "owner"))
