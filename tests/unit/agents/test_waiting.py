import pytest

from mastra import Agent, tool
from mastra.agents.waiting import RUNS, storage_of
from mastra.errors import InvalidInput
from mastra.providers.scripted import Call, ScriptedModel
from mastra.runtime.services import Services


@tool(require_approval=True)
async def delete(id: str) -> str:
    """Delete a record."""
    return f"deleted {id}"


def clerk(*lines, services=None):
    return Agent("clerk", model=ScriptedModel(list(lines)), tools=[delete]).bind(services or Services())


ASK = Call("delete", {"id": "1"}, "c")


async def test_an_application_without_a_storage_keeps_runs_in_memory():
    services = Services()
    first, second = await storage_of(services), await storage_of(services)
    assert first is second is services.storage


async def test_a_run_that_waits_is_stored_with_all_it_needs():
    agent = clerk(ASK)
    await agent.generate("go", run_id="r", thread="t", resource="u", max_steps=7, on_finish=print)
    row = await agent.services.storage.get(RUNS, "r")
    assert (row["status"], row["agentId"], row["threadId"], row["resourceId"]) == ("suspended", "clerk", "t", "u")
    assert list(row["pending"]) == ["c"]
    assert row["options"]["max_steps"] == 7
    assert "on_finish" not in row["options"]


async def test_what_in_the_request_context_is_no_data_is_left_out():
    agent = clerk(ASK)
    await agent.generate("go", run_id="r", request_context={"user": {"id": 1}, "socket": object()})
    row = await agent.services.storage.get(RUNS, "r")
    assert row["requestContext"] == {"user": {"id": 1}}


async def test_waiting_runs_are_listed_newest_first_and_in_pages():
    agent = clerk(ASK, ASK, ASK)
    for name in ("1", "2", "3"):
        await agent.generate("go", run_id=name, thread="even" if name == "2" else "odd", resource="u")
    listed = await agent.list_suspended(per_page=2)
    assert (listed["total"], [one["runId"] for one in listed["runs"]]) == (3, ["3", "2"])
    rest = await agent.list_suspended(page=1, per_page=2)
    assert [one["runId"] for one in rest["runs"]] == ["1"]
    assert [one["runId"] for one in (await agent.list_suspended(thread="even"))["runs"]] == ["2"]
    assert (await agent.list_suspended(resource="other"))["total"] == 0


@pytest.mark.parametrize("given", [{"page": -1}, {"per_page": 0}])
async def test_a_page_that_cannot_be_is_refused(given):
    with pytest.raises(InvalidInput):
        await clerk().list_suspended(**given)


async def test_a_run_that_has_ended_is_forgotten():
    agent = clerk(ASK, "done")
    await agent.generate("go", run_id="r")
    assert (await agent.approve("r").result()).text == "done"
    assert await agent.services.storage.get(RUNS, "r") is None
