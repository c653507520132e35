import asyncio
from datetime import timedelta

import pytest

from mastra import Agent, tool
from mastra.agents import claims
from mastra.agents.waiting import CLAIMS, RUNS, is_held
from mastra.errors import Aborted, ApprovalInvalid, RunError
from mastra.providers.scripted import Call, ScriptedModel
from mastra.registry import open_url
from mastra.runtime.clock import SystemClock
from mastra.runtime.services import Services


class HandClock(SystemClock):
    def __init__(self):
        self.offset = timedelta()

    def now(self):
        return super().now() + self.offset


class Office:
    """Two processes over one storage, and a tool that waits until it is let go."""

    def __init__(self):
        self.clock = HandClock()
        self.storage = open_url("mastra.storage", "memory:")
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.ran = 0

    def agent(self, *lines):
        @tool(require_approval=True)
        async def delete(id: str) -> str:
            """Delete a record."""
            self.ran += 1
            self.begun.set()
            await self.go.wait()
            return f"deleted {id}"

        services = Services(storage=self.storage, clock=self.clock)
        return Agent("clerk", model=ScriptedModel(list(lines)), tools=[delete]).bind(services)


ASK = Call("delete", {"id": "1"}, "c")


async def test_who_lost_its_claim_changes_nothing_any_more():
    office = Office()
    await office.agent(ASK).generate("go", run_id="r")
    slow = asyncio.create_task(office.agent("slow").approve("r").result())
    await office.begun.wait()
    office.clock.offset = timedelta(seconds=claims.LEASE_S + 1)
    quick = await office.agent("quick").approve("r").result()
    office.go.set()
    with pytest.raises(ApprovalInvalid, match="taken up"):
        await slow
    assert (quick.text, office.ran) == ("quick", 1)


async def test_a_living_holder_renews_its_claim(monkeypatch):
    office = Office()
    await office.agent(ASK).generate("go", run_id="r")
    monkeypatch.setattr(claims, "RENEW_S", 0.01)
    work = asyncio.create_task(office.agent("done").approve("r").result())
    await office.begun.wait()
    office.clock.offset = timedelta(hours=1)
    services = Services(storage=office.storage, clock=office.clock)
    assert not await is_held(services, office.storage, "r")
    async with asyncio.timeout(5):
        while not await is_held(services, office.storage, "r"):  # noqa: ASYNC110 - storage has no event
            await asyncio.sleep(0.005)
    office.go.set()
    assert (await work).text == "done"
    assert await office.storage.get(CLAIMS, "r") is None


async def test_a_resumed_run_that_fails_waits_for_nobody():
    office = Office()
    office.go.set()
    await office.agent(ASK).generate("go", run_id="r")
    agent = office.agent(RuntimeError("gone"))
    with pytest.raises(RunError, match="gone"):
        await agent.approve("r").result()
    await agent.services.background.settle()
    assert await office.storage.get(RUNS, "r") is None


async def test_a_resumed_run_that_was_cancelled_can_be_taken_up():
    office = Office()
    await office.agent(ASK).generate("go", run_id="r")
    work = asyncio.create_task(office.agent("x").approve("r").result())
    await office.begun.wait()
    work.cancel()
    with pytest.raises(Aborted):
        await work
    office.clock.offset = timedelta(seconds=claims.LEASE_S + 1)
    agent = office.agent("over")
    assert (await agent.list_suspended())["total"] == 1
    assert (await agent.approve("r").result()).text == "over"
    assert office.ran == 1
