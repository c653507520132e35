"""Named places where a process dies when it is asked to, at once and without a word."""

import signal
import subprocess
import sys

import pytest

from mastra.workflows.crashpoints import NAMES, _parse, reach

SCRIPT = """
import atexit
from mastra.workflows.crashpoints import reach
atexit.register(print, "closed")
for name in ("before-start", "after-effect"):
    reach(name)
    print("passed", name, flush=True)
"""


@pytest.mark.parametrize(
    ("wanted", "said", "code"),
    [
        ("", "passed before-start\npassed after-effect\nclosed\n", 0),
        ("after-effect", "passed before-start\n", -signal.SIGKILL),
        ("in-recovery, before-start:1.0", "", -signal.SIGKILL),
        ("before-start:0.0", "passed before-start\npassed after-effect\nclosed\n", 0),
    ],
)
def test_a_process_dies_at_the_point_it_is_asked_to(wanted, said, code):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={"MASTRA_CRASH_AT": wanted, "PATH": ""}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (said, code)


def test_points_are_named_with_or_without_a_chance_and_nobody_dies_unasked():
    assert _parse("a:0.5, b ,") == {"a": 0.5, "b": 1.0}
    for name in NAMES:
        reach(name)
