# Parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
"""The process of a durable run is killed anywhere: another one goes on with it, and what was done stays done."""

import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests.flows.durable_agent import DYING, STEPS, clerk

from mastra.agents.claims import LEASE_S
from mastra.errors import ApprovalInvalid
from mastra.runtime.clock import SystemClock
from mastra.types.message_prompt import to_prompt

SCRIPT = Path(__file__).with_name("durable_agent.py")
# How many answers of the model were whole when the process died.
ANSWERED = {**DYING, "first": 1, "second": 1, "later": 2}


class Later(SystemClock):
    """A clock that is ahead by more than a claim holds."""

    def now(self):
        return super().now() + timedelta(seconds=LEASE_S + 1)


def killed(folder, where):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), where], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("where", ANSWERED)
async def test_another_process_goes_on_where_it_stood(tmp_path, where, idempotent):
    killed(tmp_path, where)
    agent = clerk(tmp_path, STEPS[ANSWERED[where] :], idempotent=idempotent, clock=Later())
    (left,) = await agent.list_interrupted()
    assert left["runId"] == "r"
    assert (await agent.list_suspended())["total"] == 0
    async with agent.recover("r") as run:
        kinds = [chunk.type async for chunk in run]
        result = await run.result()
    assert result.text == "all noted"
    assert kinds[-1] == "finish"
    # The calls of a step are written down as begun together: any of them that was not over may have had its effect,
    # and only one that says it may is run again.
    unsure = {"first": ["first", "second"], "second": ["second"], "later": ["later"]}.get(where, [])
    expected = {"first": 1, "second": 1, "later": 1}
    for name in unsure:
        expected[name] = int(name == where) + idempotent
    assert Counter((tmp_path / "ran").read_text().split()) == Counter(expected)
    said = [str(part.output) for one in to_prompt(result.messages) if one.role == "tool" for part in one.parts]
    assert len(said) == 3
    assert sum("it was not run again" in one for one in said) == (0 if idempotent else len(unsure))
    page = await agent.memory.list_messages("t")
    assert page.messages[0].role == "user"
    assert [message.text for message in page.messages].count("note it") == 1
    assert page.messages[-1].text == "all noted"
    assert await agent.list_interrupted() == []
    await agent.services.storage.close()


async def test_a_run_whose_process_lives_is_not_taken_from_it(tmp_path):
    killed(tmp_path, "model")
    agent = clerk(tmp_path, STEPS[1:])
    assert await agent.list_interrupted() == []
    with pytest.raises(ApprovalInvalid, match="at work"):
        await agent.recover("r").result()
    await agent.services.storage.close()
