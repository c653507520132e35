"""The synchronous face: results, errors, running loops, Ctrl-C and forks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from mastra.errors import RunError
from mastra.runtime.sync import run_sync


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


def test_a_result_and_an_error_come_back() -> None:
    assert run_sync(double(21)) == 42

    async def fail() -> None:
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here"):
        run_sync(fail())


def test_every_call_runs_on_one_loop_of_its_own_thread() -> None:
    async def where() -> tuple[int, str]:
        return id(asyncio.get_running_loop()), threading.current_thread().name

    assert run_sync(where()) == run_sync(where())
    assert run_sync(where())[1] == "mastra-sync"


async def test_it_works_inside_a_running_loop() -> None:
    assert run_sync(double(4)) == 8


def test_a_call_inside_of_a_call_is_refused_instead_of_waiting_for_ever() -> None:
    async def outer() -> int:
        return run_sync(double(1))

    with pytest.raises(RunError, match="wait for itself"):
        run_sync(outer())


def test_many_threads_share_it() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda at=at: found.append(run_sync(double(at)))) for at in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(0, 40, 2))


WAITS = """
import asyncio, sys
from mastra.runtime.sync import run_sync

async def wait():
    try:
        print("waiting", flush=True)
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

try:
    run_sync(wait())
except KeyboardInterrupt:
    run_sync(asyncio.sleep(0))
    print("interrupted", flush=True)
"""


def test_ctrl_c_cancels_the_work() -> None:
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert said.split() == ["cancelled", "interrupted"]


FORKS = """
import os, sys
from mastra.runtime.sync import run_sync
from mastra.runtime.workers import run_blocking

async def both():
    return await run_blocking(lambda: 7)

assert run_sync(both()) == 7
child = os.fork()
if child == 0:
    os._exit(run_sync(both()))
_, status = os.waitpid(child, 0)
assert run_sync(both()) == 7
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_has_a_loop_and_workers_of_its_own() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "7", (done.stdout, done.stderr)
