"""The port to vector stores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mastra.types.records import Filter

Metric: TypeAlias = Literal["cosine", "euclidean", "dotproduct"]


class IndexInfo(NamedTuple):
    """What an index is."""

    name: str
    dimension: int
    metric: Metric
    row_count: int


@dataclass(frozen=True, slots=True)
class VectorRow:
    """A vector with its id, its metadata and the text it stands for."""

    id: str
    vector: Sequence[float]
    metadata: dict[str, Any] | None = None
    document: str | None = None


class Match(NamedTuple):
    """One result of a query: a higher score is a better match, whatever the metric."""

    id: str
    score: float
    metadata: dict[str, Any] | None = None
    vector: list[float] | None = None
    document: str | None = None


class VectorStore(ABC):
    """Named indexes of vectors with metadata. An unknown index raises `IndexMissing` everywhere."""

    async def open(self) -> None:
        """Connect. Idempotent."""
        return

    async def close(self) -> None:
        """Let go of files and connections. Idempotent."""
        return

    @abstractmethod
    async def create(self, index: str, dimension: int, metric: Metric = "cosine") -> None:
        """Make the index; the same again is no error, another dimension or metric raises `IndexExists`."""

    @abstractmethod
    async def drop(self, index: str) -> None:
        """Remove the index and all its rows."""

    @abstractmethod
    async def describe(self, index: str) -> IndexInfo:
        """Dimension, metric and number of rows."""

    @abstractmethod
    async def names(self) -> list[str]:
        """The indexes there are, sorted."""

    @abstractmethod
    async def upsert(self, index: str, rows: Sequence[VectorRow]) -> None:
        """Add rows or replace those with the same id; all of them or none. Found by queries on return."""

    @abstractmethod
    async def query(
        self,
        index: str,
        vector: Sequence[float],
        *,
        k: int = 10,
        where: Filter | None = None,
        include_vector: bool = False,
    ) -> list[Match]:
        """The `k` best rows whose metadata match `where`, best first."""

    @abstractmethod
    async def delete(self, index: str, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> int:
        """Remove rows by id or by filter (exactly one of them); the number removed."""

    @abstractmethod
    async def update(
        self,
        index: str,
        row_id: str,
        *,
        vector: Sequence[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Change a row's vector, metadata or both; an unknown id raises `NotFound`."""


@runtime_checkable
class SupportsGlance(Protocol):
    """A store that searches what this process holds of an index, while the rows themselves are kept elsewhere."""

    async def glance(
        self, index: str, vector: Sequence[float], *, k: int = 10, where: Filter | None = None
    ) -> list[Match] | None:
        """What a query finds in what this process holds, without asking anybody; None when it holds nothing."""
        ...

    async def is_current(self, index: str) -> bool:
        """Whether this process holds all that there is, found out by one read."""
        ...
