"""The port to executors: who carries a workflow run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime


class Job(NamedTuple):
    """Something to carry on: a run of a workflow, from wherever its journal stands."""

    id: str
    kind: str
    data: dict[str, Any]
    not_before: datetime | None = None


class Executor(ABC):
    """Carries jobs to a handler. A job may be carried again after a crash: handlers go by the journal."""

    # Whether a job may reach the handler of another process than the one that submitted it.
    carries_elsewhere: ClassVar[bool] = False

    @abstractmethod
    async def start(self, handle: Callable[[Job], Awaitable[None]]) -> None:
        """Begin to carry jobs to `handle`."""

    @abstractmethod
    async def submit(self, job: Job) -> None:
        """Accept a job; a second one with the same id is the same job."""

    @abstractmethod
    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Take no more jobs, wait up to `grace_s` for those at work, give the rest back."""
