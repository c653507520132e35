"""Functions in other processes: what comes back, what breaks, what is stopped."""

import asyncio
import math
import os
import threading
import time

import pytest

from mastra.errors import ProcessLost
from mastra.runtime.processes import is_reachable, portable, run_computing


async def test_a_function_runs_in_another_process_that_is_used_again():
    first = await run_computing(os.getpid)
    assert first != os.getpid()
    assert await run_computing(math.factorial, 20) == math.factorial(20)
    assert await run_computing(os.getpid) == first


async def test_errors_come_back_as_they_are_or_by_their_words():
    with pytest.raises(ValueError, match="domain"):
        await run_computing(math.sqrt, -1)
    with pytest.raises(TypeError, match="cannot be sent"):
        await run_computing(threading.Lock)
    assert await run_computing(math.factorial, 3) == 6


async def test_a_process_that_ends_fails_its_job_and_no_other():
    with pytest.raises(ProcessLost, match="ended with 3"):
        await run_computing(os._exit, 3)
    assert await run_computing(math.factorial, 4) == 24


async def test_a_cancelled_job_is_stopped_and_not_only_left_alone():
    pid = await run_computing(os.getpid)
    begun = time.perf_counter()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await run_computing(time.sleep, 60)
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        await run_computing(os.getpid)
        await asyncio.sleep(0.01)
    assert await run_computing(os.getpid) != pid
    assert time.perf_counter() - begun < 30


class Particular(Exception):
    """Cannot be made again from its own arguments."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_an_error_that_cannot_travel_is_told_by_its_words():
    assert portable(ValueError("x")).args == ("x",)
    told = portable(Particular(1, 2))
    assert (type(told), str(told)) == (RuntimeError, "Particular: 1 and 2")


def test_only_names_at_the_top_of_a_module_are_reachable():
    def local():
        """Lives in a call."""

    assert is_reachable(math.sqrt)
    assert not is_reachable(local)
    assert not is_reachable(lambda: 1)
