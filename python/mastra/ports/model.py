"""The port to chat models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mastra.types.model import ModelProfile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mastra.types.model import ModelDelta, ModelRequest


class ChatModel(ABC):
    """A model that answers a request with a stream of deltas.

    One instance serves any number of calls at once. `stream` is the only way in; a whole answer is the fold
    of its deltas, so the two can never differ.
    """

    provider: str
    model_id: str
    profile: ModelProfile = ModelProfile()

    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The deltas of one answer: `ResponseStart` first, `Finish` last.

        `Finish` comes only when the protocol's own terminal event was seen; everything else raises a
        `ModelError`. Closing the generator early closes the connection.
        """

    async def close(self) -> None:
        """Give back connections. Idempotent."""
        return
