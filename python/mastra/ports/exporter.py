"""The port to span exporters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mastra.types.spans import SpanRecord


class Exporter(ABC):
    """Sends finished spans somewhere. Called in the background; an error never reaches a run."""

    @abstractmethod
    async def export(self, spans: Sequence[SpanRecord]) -> None:
        """Send these spans."""

    async def close(self) -> None:
        """Send what is left and let go of connections. Idempotent."""
        return
