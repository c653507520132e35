"""Stopping one run: it ends as `Aborted`, and the task of whoever asked for it goes on."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mastra.errors import Aborted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mastra.agents.run import Run


@contextmanager
def stoppable(run: Run, why: str) -> Iterator[Callable[[], None]]:
    """Work that the function it gives stops; a cancellation from outside goes on as one."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    try:
        yield stop
    except asyncio.CancelledError:
        if not stopped or task.uncancel() > before:
            raise
        raise Aborted(why, run_id=run.run_id) from None
