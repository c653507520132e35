"""Workers are killed, and power is cut, in the middle of their work; nothing is lost, no recorded step runs again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "bench" / "kill9.py"
POWERCUT = HARNESS.with_name("powercut.py")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_killed_workers_lose_nothing_and_repeat_no_recorded_step():
    arguments = [sys.executable, str(HARNESS), "--cycles", "100", "--seconds", "0.3"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=880, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert (facts["lost"], facts["recorded_rerun"], facts["no_trace"], facts["tx_not_once"]) == (0, 0, 0, 0)
    assert facts["effects"] > 100
    assert sum(facts["kills_at"].values()) == 100


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("durability", "code"), [("full", 0), ("process", 1)])
def test_a_power_cut_loses_nothing_that_was_synced(durability, code):
    arguments = [sys.executable, str(POWERCUT), "--cycles", "8", "--durability", durability]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=280, check=False)
    # Without syncs something has to be lost, or the harness cannot tell.
    assert done.returncode == code, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert facts["records"] > 20
    assert facts["damaged"] == 0
