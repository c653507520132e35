"""The journal of a durable run, or one that goes on after an answer: each call, before it runs and when it is over.

When the process dies, whoever takes the run up finds what was done: finished calls never run again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mastra.agents.claims import claim_new, note, put_noted
from mastra.agents.digests import digest
from mastra.agents.waiting import CALL, suspension_row
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.agents.calls import Outcome
    from mastra.agents.run import Run, Step


async def open_journal(run: Run) -> None:
    """Before anything else happens: write a durable run down, with what it was asked."""
    await claim_new(run, {**suspension_row(run, None, to_wire(run.services.clock.now()), {}), "status": "running"})
    run.journal = Journal()


class Journal:
    """Writes the calls of one run; made when it begins (durable ones), or when a stored run is taken up."""

    __slots__ = ("_lock", "_open")

    def __init__(self) -> None:
        # The calls of a step end side by side; their notes follow each other.
        self._lock = asyncio.Lock()
        self._open: frozenset[str] = frozenset()

    async def begin(self, run: Run, step: Step) -> None:
        """Before the calls of a step run: all of them, as begun."""
        if not step.stored:
            run.parts.extend(step.parts)
            step.stored = True
        pending: dict[str, Any] = {
            call.call_id: {
                "type": CALL,
                "payload": {"toolCallId": call.call_id, "toolName": call.name, "args": call.arguments or {}},
                "digest": digest(call.arguments),
                "expiresAt": None,
                "started": True,
            }
            for call in step.calls
            if not call.provider_executed
        }
        self._open = frozenset(pending)
        row = suspension_row(run, step, to_wire(run.services.clock.now()), pending)
        await put_noted(run, {**row, "status": "running"})

    async def settled(self, run: Run, step: Step, outcome: Outcome) -> None:
        """A call is over: what came of it, before anything else happens."""
        if outcome.call_id not in self._open or outcome.waits or outcome.status == "client":
            return
        for part in step.parts:
            invocation = part.get("toolInvocation")
            if invocation is not None and invocation["toolCallId"] == outcome.call_id:
                outcome.settle(invocation, part)
                break
        async with self._lock:
            await note(run, outcome.call_id, settled=outcome.status)
