"""Who answered an approval is killed on the way: another process takes the run up, the tool runs at most once."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.flows.approving import clerk

from mastra.agents.claims import LEASE_S
from mastra.errors import ApprovalInvalid
from mastra.runtime.clock import SystemClock

SCRIPT = Path(__file__).with_name("approving.py")


class Later(SystemClock):
    """A clock that is ahead by more than a claim holds."""

    ahead = timedelta(seconds=LEASE_S + 1)

    def now(self):
        return super().now() + self.ahead


async def close(agent):
    assert agent.services.storage is not None
    await agent.services.storage.close()


def killed(folder, where):
    for name in ("ask", where):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(folder), name], capture_output=True, text=True, timeout=60, check=False
        )
        expected = 0 if name == "ask" else -signal.SIGKILL
        assert done.returncode == expected, done.stdout + done.stderr


def again(folder, where):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), where], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def lapse(folder):
    """Take away the claim of a process that is dead, as time would."""
    store = sqlite3.connect(folder / "runs.db")
    with closing(store), store:
        tables = [name for (name,) in store.execute("select name from sqlite_master where type='table'")]
        (claims,) = [name for name in tables if name.endswith("agent_claims")]
        store.execute(f"delete from {claims}")


def ran(folder):
    file = folder / "ran"
    return file.read_text().split() if file.exists() else []


async def taken_up(folder, **options):
    agent = clerk(folder, ["over"], clock=Later(), **options)
    listed = await agent.list_suspended()
    result = await agent.approve("r", "c").result()
    left = await agent.list_suspended()
    await close(agent)
    return listed["total"], result, left["total"]


@pytest.mark.parametrize(
    ("where", "idempotent", "runs", "heard"),
    [
        ("claim", False, ["1"], "deleted 1"),
        ("tool", False, ["1"], "may have had its effect"),
        ("tool", True, ["1", "1"], "deleted 1"),
        ("model", False, ["1"], "deleted 1"),
        ("model", True, ["1"], "deleted 1"),
    ],
)
async def test_another_process_takes_the_run_up(tmp_path, where, idempotent, runs, heard):
    killed(tmp_path, where)
    listed, result, left = await taken_up(tmp_path, idempotent=idempotent)
    assert (result.text, listed, left) == ("over", 1, 0)
    assert ran(tmp_path) == runs
    assert heard in result.tool_results[0]["result"]


async def test_before_its_claim_has_lapsed_nobody_takes_it(tmp_path):
    killed(tmp_path, "tool")
    agent = clerk(tmp_path, ["over"])
    with pytest.raises(ApprovalInvalid, match="at work"):
        await agent.approve("r", "c").result()
    assert (await agent.list_suspended())["total"] == 0
    assert ran(tmp_path) == ["1"]
    await close(agent)


async def test_a_call_that_was_begun_cannot_be_declined_as_if_it_had_not(tmp_path):
    killed(tmp_path, "tool")
    agent = clerk(tmp_path, ["over"], clock=Later())
    result = await agent.decline("r", "c", "no").result()
    assert "may have had its effect" in result.tool_results[0]["result"]
    await close(agent)


def results_of(run):
    parts = [part for message in run.messages for part in message.parts if "toolInvocation" in part]
    return {part["toolInvocation"]["toolCallId"]: part["toolInvocation"]["result"] for part in parts}


async def test_calls_after_the_answer_never_run_again_over_two_restarts(tmp_path):
    killed(tmp_path, "first")
    assert ran(tmp_path) == ["1", "note-1", "note-2"]
    # Its claim must have lapsed for the next process: that one is told a later time.
    lapse(tmp_path)
    again(tmp_path, "second")
    lapse(tmp_path)
    agent = clerk(tmp_path, ["over"], clock=Later())
    listed = await agent.list_suspended()
    assert [call["toolCallId"] for call in listed["runs"][0]["toolCalls"]] == ["n4"]
    result = await agent.approve("r").result()
    assert (await agent.list_suspended())["total"] == 0
    await close(agent)
    assert ran(tmp_path) == ["1", "note-1", "note-2", "note-3", "note-4"]
    told = results_of(result)
    assert (told["c"], told["n1"], told["n3"]) == ("deleted 1", "noted 1", "noted 3")
    assert "was not run again" in told["n2"]
    assert "was not run again" in told["n4"]
    assert result.text == "over"


async def test_a_call_that_may_be_repeated_is(tmp_path):
    killed(tmp_path, "first")
    agent = clerk(tmp_path, ["over"], clock=Later(), idempotent=True)
    result = await agent.resume(None, run_id="r").result()
    await close(agent)
    assert ran(tmp_path) == ["1", "note-1", "note-2", "note-2"]
    assert results_of(result)["n2"] == "noted 2"
