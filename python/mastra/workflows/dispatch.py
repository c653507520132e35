"""Hands stored runs to the application's executor, and carries those that the executor hands to this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mastra.errors import MastraError
from mastra.ports.executor import Job
from mastra.workflows.records import ACTIVE
from mastra.workflows.tables import RUNS

if TYPE_CHECKING:
    from mastra.workflows.carrier import Carrier
    from mastra.workflows.engine import Execution
    from mastra.workflows.worker import Worker

log = logging.getLogger("mastra.workflows")
KIND = "workflow-run"


class Dispatch:
    """What stands between the runs of one worker and the executor."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._executor = worker.services.executor
        # Prepared here and waiting for their turn, by the id of their job.
        self._ready: dict[str, tuple[Carrier[Any, Any], Execution]] = {}

    async def start(self) -> None:
        """Take jobs."""
        if self._executor is not None:
            await self._executor.start(self.carry)

    async def stop(self, *, grace_s: float) -> None:
        """Take no more jobs. Runs whose turn did not come belong to whoever looks next."""
        if self._executor is None:
            return
        await self._executor.stop(grace_s=grace_s)
        ready, self._ready = self._ready, {}
        for run, _ in ready.values():
            run.let_go()

    async def submit(self, run: Carrier[Any, Any], execution: Execution) -> None:
        """Let the executor decide when, and where, the run is carried. It is owned already, so it cannot be lost."""
        journal = run.journal
        assert journal is not None
        if self._executor is None:
            run.go(execution)
            return
        name = f"{journal.key}#{journal.token}"
        job = Job(name, KIND, {"key": journal.key, "token": journal.token})
        if self._executor.carries_elsewhere:
            run.let_go()
        else:
            run.line_up()
            self._ready[name] = (run, execution)
        try:
            await self._executor.submit(job)
        except MastraError as error:
            log.warning("run %s is carried here: the executor did not take it: %s", journal.key, error)
            self._ready.pop(name, None)
            run.go(execution)

    async def carry(self, job: Job) -> None:
        """Carry the run of a job until it ends or waits; a job whose run went on in another way is no more."""
        ready = self._ready.pop(job.id, None)
        if ready is not None:
            run, execution = ready
            await run.go(execution)
            return
        key = job.data["key"]
        row = await self._worker.storage.get(RUNS, key)
        if row is None or row["token"] != job.data["token"] or row["status"] not in ACTIVE:
            return
        if await self._worker.take(key, row, at_once=True):
            taken = self._worker.active.get(key)
            if taken is not None and taken.task is not None:
                await taken.task
