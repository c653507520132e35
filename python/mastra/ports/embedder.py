"""The port to embedding models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Embeddings(NamedTuple):
    """One vector a text, in order, and the tokens they cost."""

    vectors: list[list[float]]
    input_tokens: int = 0


class Embedder(ABC):
    """Turns texts into vectors of one fixed length."""

    provider: str
    model_id: str
    # None until the first call when the provider decides it.
    dimension: int | None = None

    @abstractmethod
    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"] = "document") -> Embeddings:
        """The vectors of `texts`; batching and retries are the adapter's. Raises `ModelError`."""

    async def close(self) -> None:
        """Give back connections. Idempotent."""
        return
