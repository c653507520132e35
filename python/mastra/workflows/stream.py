"""A workflow run as a stream of chunks. Leaving the stream leaves the run alone: others may observe it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from mastra.errors import NotFound

if TYPE_CHECKING:
    from types import TracebackType

    from mastra.runtime.broadcast import Observed, RunLog
    from mastra.types.chunks import Chunk
    from mastra.workflows.results import WorkflowResult

Out = TypeVar("Out")


class WorkflowStream(Generic[Out]):
    """The chunks of a run as they come, and its result.

    The run never waits for a reader. Who falls behind further than the log keeps gets what is recorded of the steps
    it missed, from the journal, and goes on from there.
    """

    def __init__(
        self,
        run_id: str,
        log: RunLog,
        offset: int,
        carry: Callable[[], Awaitable[WorkflowResult[Out]]],
        missed: Callable[[], Awaitable[list[Chunk]]],
    ) -> None:
        self.run_id = run_id
        self.offset = offset
        self._log, self._turn = log, log.turn
        self._carry = carry
        self._missed = missed
        self._task: asyncio.Task[WorkflowResult[Out]] | None = None
        self._source: AsyncIterator[Observed] | None = None

    def _begin(self) -> asyncio.Task[WorkflowResult[Out]]:
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        return self._task

    async def _run(self) -> WorkflowResult[Out]:
        try:
            return await self._carry()
        finally:
            self._log.close(self._turn)

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = self._task
        if task is not None and task.done() and not task.cancelled():
            task.exception()  # seen: whoever asks for the result gets it

    def __aiter__(self) -> AsyncIterator[Chunk]:
        self._begin()
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[Chunk]:
        while True:
            try:
                async for observed in self._log.observe(self.offset):
                    self.offset = observed.offset + 1
                    yield observed.chunk
                break
            except NotFound:
                self.offset = max(self.offset, len(self._log) - 1)
                for chunk in await self._missed():
                    yield chunk
        if self._task is not None and self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None:
                raise error

    async def result(self) -> WorkflowResult[Out]:
        """How the run stands when it ends or waits for somebody."""
        return await asyncio.shield(self._begin())

    @property
    def text(self) -> AsyncIterator[str]:
        """The text of agents inside the run, as it comes."""
        return self._text()

    async def _text(self) -> AsyncIterator[str]:
        async for chunk in self:
            output: Any = chunk.payload.get("output") if chunk.type == "workflow-step-output" else None
            if isinstance(output, dict) and output.get("type") == "text-delta":
                yield output["payload"]["text"]
