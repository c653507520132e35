"""The port to rerankers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ranked(NamedTuple):
    """A document's place in the list that was given, and its relevance (higher is better)."""

    position: int
    score: float


class Reranker(ABC):
    """Orders documents by their relevance to a question."""

    provider: str
    model_id: str

    @abstractmethod
    async def rerank(self, query: str, documents: Sequence[str], *, top: int | None = None) -> list[Ranked]:
        """The best `top` documents, best first. Raises `ModelError`."""

    async def close(self) -> None:
        """Give back connections. Idempotent."""
        return
