"""What the engine writes down while it works, so that a run survives its process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mastra.types.records import Operation
    from mastra.workflows.inbox import Inbox
    from mastra.workflows.records import RunState, StepRecord
    from mastra.workflows.run import Run


class Journal(Protocol):
    """The records of one run, appended by its one owner."""

    inbox: Inbox
    after_flush: list[Callable[[], None]]

    @property
    def has_deferred(self) -> bool:
        """Whether records wait for the next write."""
        ...

    async def begin(self, run: RunState) -> bool:
        """Write the run; False when another start wrote it first."""
        ...

    async def step(self, record: StepRecord, effects: Sequence[Operation] | None, event: Any = None) -> None:
        """Commit a result, what it changed, and the event it consumed."""
        ...

    async def waiting(self, record: StepRecord) -> None:
        """Commit that a wait began."""
        ...

    async def retrying(self, record: StepRecord, error: Exception) -> None:
        """Commit that a try failed and when the next one is due."""
        ...

    def defer(self, record: StepRecord) -> None:
        """Write this record with the next commit."""
        ...

    def decided(self, key: str, decision: Any) -> None:
        """Write this decision with the next commit."""
        ...

    def may_park(self, milliseconds: float | None) -> None:
        """Leave by `Parked` when the wait is long."""
        ...

    async def resume(self, run: RunState, answers: dict[str, Any]) -> None:
        """Claim the suspension: one caller wins."""
        ...

    async def travel(self, run: RunState) -> None:
        """Commit the rewritten past."""
        ...

    async def cancel(self, run: RunState) -> bool:
        """Commit the cancellation; False when the run had ended."""
        ...

    async def finish(self, run: RunState) -> None:
        """Commit how the run stands."""
        ...

    async def refresh(self, run: Run[Any, Any]) -> None:
        """Read what other processes wrote."""
        ...

    async def settled(self, run: Run[Any, Any]) -> None:
        """Wait until the run ends or waits for somebody."""
        ...
