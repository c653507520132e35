"""The vector index: nearest neighbours in memory and in one crash-safe file. See docs/guide/vector-index.md."""

from mastra._core import VectorIndex

__all__ = ["VectorIndex"]
