"""A run takes its thread's turn when its memory has a policy for two requests at once."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING

from mastra.agents.stopping import stoppable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mastra.agents.run import Run


class _Held:
    """A turn that this run, or the run that called it, has."""

    __slots__ = ("active", "thread_id")

    def __init__(self, thread_id: str) -> None:
        self.thread_id = thread_id
        self.active = True


_HELD: ContextVar[tuple[_Held, ...]] = ContextVar("mastra_turns", default=())


async def walk_in_turn(run: Run, policy: str, walk: Callable[[Run], Awaitable[None]]) -> None:
    """Walk while the thread is held; `Aborted` when a newer request interrupts, `Conflict` when this one is refused."""
    thread_id = run.thread_id
    assert thread_id is not None
    # A sub-agent on its caller's thread speaks in its caller's turn; waiting for it would never end.
    inside = any(held.active and held.thread_id == thread_id for held in _HELD.get())
    # What waited for a person goes on where it was asked, never on a copy.
    if inside or (policy == "fork" and run.resume is not None):
        await walk(run)
        return
    memory = run.plan.memory
    await memory.open()
    # A new run takes the thread with its first write; one that goes on may do anything before that.
    at_once = run.resume is not None
    with stoppable(run, "A newer request on the same thread interrupted this one.") as interrupt:
        async with memory.turn(thread_id, resource_id=run.resource_id, cancel=interrupt, at_once=at_once) as turn:
            if turn.forked:
                _move(run, turn.thread_id)
            run.turn = turn
            await _walk_holding(run, turn.thread_id, walk)


async def _walk_holding(run: Run, thread_id: str, walk: Callable[[Run], Awaitable[None]]) -> None:
    held = _Held(thread_id)
    token = _HELD.set((*_HELD.get(), held))
    try:
        await walk(run)
    finally:
        held.active = False
        _HELD.reset(token)


def _move(run: Run, thread_id: str) -> None:
    run.thread_id = thread_id
    run.input = [replace(message, thread_id=thread_id) for message in run.input]
